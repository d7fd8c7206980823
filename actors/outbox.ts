import type { Effect } from './effect.ts'
import { postMessageType, startInstanceType } from './instance-ref.ts'
import type { PendingEffects } from './pending-effects.ts'
import type { BulkChunk } from './bulk.ts'
import type { ActorPath, Address } from './address.ts'
import type { EventObject } from './event.ts'
import type { OutboxEntry, PostedMessage } from './record.ts'
import type { TaskName } from './remote-activity.ts'
import { roughSize } from './rough-size.ts'
import type { TreeEffect } from './xstate/tree-effect.ts'
import type { ActorTree } from './xstate/tree.ts'

const none: readonly never[] = Object.freeze([])

/** So many bytes of chunks may wait: a record must have room for them, and for what comes next. */
const mostChunkBytes = 64 * 1024

/** So many bytes of starts may be kept that a bulk no longer wants. */
const mostStartBytes = 128 * 1024

type ActionEntry = Extract<OutboxEntry, { type: 'action' }>
export type PostEntry = Extract<OutboxEntry, { type: 'post' }>
export type ItemEntry = Extract<OutboxEntry, { type: 'item' }>
export type TaskEntry = Extract<OutboxEntry, { type: 'task' }>

export interface OutboxContext {
  readonly address: Address
  /** Where deliveries are asked for. */
  readonly effects: PendingEffects
  /** What starts a child of a bulk; undefined when it is no longer wanted. */
  readonly itemOf: (entry: ItemEntry) => Effect | undefined
  /** What asks a worker; undefined when the attempt is no longer wanted. */
  readonly taskOf: (entry: TaskEntry) => Effect | undefined
  readonly nextNumber: () => number
  readonly tree: ActorTree
}

/** What an instance has promised to deliver and not yet delivered, in the order it was promised. */
export class Outbox {
  readonly #context: OutboxContext
  /** Those that are undelivered, by effect id. */
  readonly #entries = new Map<string, OutboxEntry>()
  #hasDelivered = false
  #hasActed = false
  #chunkBytes = 0

  constructor(context: OutboxContext, entries: readonly OutboxEntry[]) {
    this.#context = context
    for (const entry of entries) this.#add(this.#withContext(entry))
  }

  /** How many entries are undelivered. */
  get owed(): number {
    return this.#entries.size
  }

  /** How many of them are no actions. */
  get owedToOthers(): number {
    let owed = 0
    for (const { type } of this.#entries.values()) if (type !== 'action') owed++
    return owed
  }

  /** True when the stored record lists entries that have been delivered since. */
  get hasDelivered(): boolean {
    return this.#hasDelivered
  }

  /** True when actions are among them: nobody would know that they have run, as who gets a message twice knows. */
  get hasActed(): boolean {
    return this.#hasActed
  }

  /** Whether what it holds leaves no room in a record for much more. */
  get isFull(): boolean {
    return this.#chunkBytes >= mostChunkBytes
  }

  /** Promises a message to another instance. */
  post(target: Address, message: PostedMessage): void {
    this.#promise({ type: 'post', effectId: this.#nextId(), target, message })
  }

  /** Promises an event to another instance, or asks it to start. Checked when it was sent: see `checkPosted`. */
  postEvent(target: Address, event: EventObject): void {
    if (event.type === startInstanceType) this.post(target, { type: 'start', input: event['input'] })
    else if (event.type === postMessageType) this.post(target, event['message'] as PostedMessage)
    else this.post(target, { type: 'send', event })
  }

  /** Promises an event to whoever listens. */
  emit(event: EventObject): void {
    this.#promise({ type: 'emit', effectId: this.#nextId(), event })
  }

  /** Promises to start a child of a bulk. */
  postItem(path: ActorPath, index: number): void {
    this.#promise({ type: 'item', effectId: this.#nextId(), path, index })
  }

  /** Promises an attempt of a remote activity to its workers. */
  postTask(path: ActorPath, incarnation: number, attempt: number): void {
    this.#promise({ type: 'task', effectId: this.#nextId(), path, incarnation, attempt })
  }

  /** Promises to take an attempt back from the workers. */
  recall(task: Omit<TaskName, 'instance'>): void {
    this.#promise({ type: 'recall', effectId: this.#nextId(), ...task })
  }

  /** Promises results of a bulk to the blobs. */
  keep(name: string, { results, sizeBytes }: BulkChunk): void {
    this.#promise({ type: 'chunk', effectId: this.#nextId(), name, results, sizeBytes })
  }

  /** Promises to run an action. One that no later process could find is run, if this process lives. */
  act(action: Extract<TreeEffect, { type: 'action' }>): void {
    const { effects, tree } = this.#context
    const { owner, name, params, event, context, exec } = action
    const effectId = this.#nextId()
    const run = () => tree.runAction(owner, exec, { context, event, params })
    effects.add({ type: 'action', effectId, owner, name: name ?? '(anonymous)', run })
    if (name === undefined) return
    this.#add({ type: 'action', effectId, owner, action: name, params, event, context })
  }

  /** Takes back the start of an instance. False when a stored record may list it. */
  withdrawStart(target: Address): boolean {
    const effectId = this.#context.effects.withdrawStart(target)
    if (effectId !== undefined) this.#remove(effectId)
    return effectId !== undefined
  }

  /**
   * Takes back the starts of the children of a bulk that no stored record lists, and answers their indexes. The others may
   * be on their way, from this owner or one before it: they become messages like any other, so that whatever ends a
   * child arrives after its start. Those that would take too much room in the record are forgotten.
   *
   * @param startOf what starts the child of an entry; undefined when that is no longer known
   */
  withdrawItems(path: ActorPath, startOf: (entry: ItemEntry) => PostEntry | undefined): ReadonlySet<number> {
    const unlisted = this.#context.effects.withdrawItems(path)
    let sizeBytes = 0
    for (const entry of this.#entries.values()) {
      if (entry.type !== 'item' || entry.path !== path) continue
      const start = unlisted.has(entry.index) ? undefined : startOf(entry)
      sizeBytes += roughSize(start?.message)
      if (start === undefined || sizeBytes > mostStartBytes) this.#remove(entry.effectId)
      else this.#entries.set(entry.effectId, start)
    }
    return unlisted
  }

  /** No longer lists the task of an activity. False when workers may have it. */
  withdrawTask(path: ActorPath): boolean {
    const effectId = this.#context.effects.withdrawTask(path)
    for (const entry of this.#entries.values()) {
      if (entry.type === 'task' && entry.path === path) this.#remove(entry.effectId)
    }
    return effectId !== undefined
  }

  /** Asks again for everything a stored record lists. */
  resume(): void {
    this.resumeToOthers()
    this.resumeActions()
  }

  /** The same, for all but actions. */
  resumeToOthers(): void {
    for (const entry of this.#entries.values()) {
      if (entry.type !== 'action') this.#resume(entry, this.#effectOf(entry))
    }
  }

  /** The ids of those that are undelivered. */
  get actions(): ReadonlySet<string> {
    return new Set([...this.#entries.keys()].filter(effectId => this.isAction(effectId)))
  }

  /** The same, for actions, all or those. One that no longer exists counts as delivered. */
  resumeActions(wanted?: ReadonlySet<string>): void {
    for (const entry of this.#entries.values()) {
      if (entry.type !== 'action' || wanted?.has(entry.effectId) === false) continue
      this.#resume(entry, this.#actionOf(entry))
    }
  }

  /** Whether that is an undelivered action. */
  isAction(effectId: string): boolean {
    return this.#entries.get(effectId)?.type === 'action'
  }

  /** Notes that an entry has been delivered: the next record no longer lists it. */
  markDelivered(effectId: string): void {
    const isAction = this.isAction(effectId)
    if (!this.#remove(effectId)) return
    this.#hasDelivered = true
    this.#hasActed ||= isAction
  }

  /** The entries, to be stored. What has been delivered is forgotten. */
  list(): readonly OutboxEntry[] {
    this.#hasDelivered = false
    this.#hasActed = false
    if (this.#entries.size === 0) return none
    return Array.from(this.#entries.values(), entry => this.#withoutContext(entry))
  }

  /** Promises a delivery that needs nothing of this process. */
  #promise(entry: Exclude<OutboxEntry, ActionEntry>): void {
    this.#add(entry)
    const effect = this.#effectOf(entry)
    if (effect !== undefined) this.#context.effects.add(effect)
  }

  #add(entry: OutboxEntry): void {
    this.#entries.set(entry.effectId, entry)
    if (entry.type === 'chunk') this.#chunkBytes += entry.sizeBytes
  }

  #remove(effectId: string): boolean {
    const entry = this.#entries.get(effectId)
    if (entry?.type === 'chunk') this.#chunkBytes -= entry.sizeBytes
    return this.#entries.delete(effectId)
  }

  #resume({ effectId }: OutboxEntry, effect: Effect | undefined): void {
    if (effect === undefined) this.markDelivered(effectId)
    else this.#context.effects.add(effect)
  }

  #effectOf(entry: Exclude<OutboxEntry, ActionEntry>): Effect | undefined {
    if (entry.type === 'item') return this.#context.itemOf(entry)
    return entry.type === 'task' ? this.#context.taskOf(entry) : entry
  }

  #actionOf({ effectId, owner, action, params, event, context }: ActionEntry): Effect | undefined {
    const { tree } = this.#context
    const exec = tree.findAction(owner, action)
    if (exec === undefined) return undefined
    const run = () => tree.runAction(owner, exec, { context, event, params })
    return { type: 'action', effectId, owner, name: action, run }
  }

  /** An action mostly saw the context that its record ends with: then the record need not hold it twice. */
  #withoutContext(entry: OutboxEntry): OutboxEntry {
    if (entry.type !== 'action' || entry.context !== this.#context.tree.contextOf(entry.owner)) return entry
    const { context: _, ...stored } = entry
    return stored
  }

  #withContext(entry: OutboxEntry): OutboxEntry {
    if (entry.type !== 'action' || 'context' in entry) return entry
    return { ...entry, context: this.#context.tree.contextOf(entry.owner) }
  }

  /** Never given twice to different effects: the counter is part of the record that lists the effect. */
  #nextId(): string {
    const { address, nextNumber } = this.#context
    return `${address.workflow}/${address.id}:${nextNumber()}`
  }
}
