/**
 * The next record of an instance, being written.
 *
 * A draft holds the live actors of one instance and everything else its record will say. Events step it;
 * what the steps ask of the world collects as effects. `record()` is what must be committed before any of the
 * effects may be performed. If the commit fails, throw the draft away and make a new one from the stored
 * record.
 */
import { activitySpecOf } from './activity.ts'
import type { Effect } from './effect.ts'
import { childIdOf, childSpecOf, mostDepth, type ChildSpec } from './child-workflow.ts'
import type { Envelope, StartEnvelope } from './envelope.ts'
import { checkEvent } from './event.ts'
import { startInstanceType } from './instance-ref.ts'
import type { PreparedWorkflow } from './machine.ts'
import { Outbox } from './outbox.ts'
import type {
  ActivityChild,
  ActivityRecord,
  ActorPath,
  Address,
  EventObject,
  InstanceRecord,
  InstanceStatus,
  OutboxEntry,
  PersistedSnapshot,
  PostedMessage,
  Timer,
} from './record.ts'
import { isRepetition, nothingApplied, withApplied, type Applied } from './repetition.ts'
import { retryDelay, spreadOf } from './retry.ts'
import type { LeafOutcome } from './xstate/leaf.ts'
import type { TreeEffect } from './xstate/tree-effect.ts'
import { ActorTree, type TreeOptions } from './xstate/tree.ts'

const none: readonly never[] = Object.freeze([])

/** What the status of the root actor makes of the instance. */
const statuses = { active: 'running', done: 'done', error: 'failed', stopped: 'cancelled' } as const

/** Something an activity of the instance tells it. Dropped when the invocation it names is no longer current. */
export type ActivityReport = { readonly path: ActorPath; readonly incarnation: number } & (
  | { readonly type: 'settled'; readonly outcome: LeafOutcome }
  | { readonly type: 'event'; readonly event: EventObject }
  | { readonly type: 'moved'; readonly context: unknown }
)

type EmitEntry = Extract<OutboxEntry, { type: 'emit' }>
type PostEntry = Extract<OutboxEntry, { type: 'post' }>

const activityEffects: ReadonlySet<Effect['type']> = new Set(['startActivity', 'stopActivity', 'deliver'])

/** The parts of a record that no step changes. */
type Identity = Pick<InstanceRecord, 'workflow' | 'id' | 'version' | 'createdAt' | 'inputDigest' | 'parent'>

/** Whether a step changed anything: `ignored` when no transition was enabled. */
export type Reception = 'accepted' | 'ignored'

export class Draft {
  readonly #identity: Identity
  readonly #tree: ActorTree
  readonly #timers = new Map<string, Timer>()
  readonly #activities = new Map<ActorPath, ActivityRecord>()
  #outbox: Outbox
  #effects: Effect[] = []
  #applied: Applied
  #counter: number
  #lastEvent = ''

  /** Takes the events that an action sends to its own actor after the commit. */
  onSelfSent: (path: ActorPath, event: EventObject) => void = () => {}

  private constructor(
    identity: Identity,
    base: Pick<InstanceRecord, 'outbox' | 'cursor' | 'recent' | 'sources' | 'counter'>,
    workflow: PreparedWorkflow,
    grow: (options: TreeOptions) => ActorTree,
  ) {
    this.#identity = identity
    this.#outbox = new Outbox(base.outbox)
    const { cursor, recent, sources } = base
    this.#applied = { cursor, recent, sources }
    this.#counter = base.counter
    this.#tree = grow({
      address: `${identity.workflow}/${identity.id}`,
      machines: workflow.machines,
      nextNumber: () => ++this.#counter,
      onOutsideEvent: (path, event) => this.onSelfSent(path, event),
    })
  }

  /** The first draft of an instance. `seq` is the envelope's place in the inbox. */
  static start(workflow: PreparedWorkflow, envelope: StartEnvelope, seq: number, now: number): Draft {
    const { target, inputDigest, parent } = envelope
    const identity = { ...target, version: workflow.version, createdAt: now, inputDigest, parent }
    const base = { outbox: none, counter: 0, ...withApplied(nothingApplied, envelope, seq) }
    const draft = new Draft(identity, base, workflow, options =>
      ActorTree.init(workflow.machine, envelope.input, options),
    )
    draft.#lastEvent = 'xstate.init'
    draft.#collect(now)
    return draft
  }

  /** A draft that goes on from a stored record. The record is used up: do not read it afterwards. */
  static from(workflow: PreparedWorkflow, record: InstanceRecord, lastEvent = ''): Draft {
    const { workflow: name, id, version, createdAt, inputDigest, parent } = record
    const identity = { workflow: name, id, version, createdAt, inputDigest, parent }
    const draft = new Draft(identity, record, workflow, options =>
      ActorTree.restore(workflow.machine, record.snapshot, options),
    )
    for (const timer of record.timers) draft.#timers.set(timerKey(timer.owner, timer.id), timer)
    for (const activity of record.activities) draft.#activities.set(activity.path, activity)
    draft.#outbox = new Outbox(record.outbox.map(entry => draft.#withContext(entry)))
    draft.#lastEvent = lastEvent
    return draft
  }

  get status(): InstanceStatus {
    const { status } = this.#tree
    return statuses[status]
  }

  /** Earliest moment at which a timer or a retry is due; undefined when nothing waits for time. */
  get dueAt(): number | undefined {
    let due = Number.POSITIVE_INFINITY
    for (const timer of this.#timers.values()) due = Math.min(due, timer.dueAt)
    for (const activity of this.#activities.values()) due = Math.min(due, activity.retryAt ?? due)
    return due === Number.POSITIVE_INFINITY ? undefined : due
  }

  /** How many activities are running and entries undelivered. */
  get owes(): number {
    let owes = this.#outbox.owed
    for (const activity of this.#activities.values()) if (runsHere(activity)) owes++
    return owes
  }

  /** True when the stored outbox lists entries that have been delivered since. */
  get hasDelivered(): boolean {
    return this.#outbox.hasDelivered
  }

  /** Type of the last event that changed anything. */
  get lastEvent(): string {
    return this.#lastEvent
  }

  /** True when this envelope has been applied before, now or in an earlier life. */
  knows(envelope: Envelope, seq: number): boolean {
    return isRepetition(this.#applied, envelope, seq)
  }

  /** Applies what came from the inbox. Never call it when the status is final. */
  deliver(envelope: Exclude<Envelope, StartEnvelope>, seq: number, now: number): Reception {
    this.#applied = withApplied(this.#applied, envelope, seq)
    switch (envelope.type) {
      case 'send':
        return this.#send('', envelope.event, now)
      case 'settle': {
        const { path, incarnation, outcome } = envelope
        return this.report({ type: 'settled', path, incarnation, outcome }, now)
      }
      case 'cancel':
        this.#lastEvent = 'cancel'
        return this.#collectAfter(this.#tree.cancel(), now)
    }
  }

  /** Applies an event that an action of the instance itself has sent. */
  deliverSelf(path: ActorPath, event: EventObject, now: number): Reception {
    return this.#send(path, event, now)
  }

  /**
   * Fires every timer and begins every retry that is due, in the order they were due. What becomes due by
   * that is for the next call.
   */
  fireDue(now: number): Reception {
    let reception: Reception = 'ignored'
    const due = [...this.#timers.values()].filter(timer => timer.dueAt <= now).toSorted(byDueTime)
    for (const timer of due) {
      const key = timerKey(timer.owner, timer.id)
      // An earlier one of this round may have cancelled or replaced it, or ended the instance.
      if (this.#timers.get(key)?.seq !== timer.seq) continue
      this.#timers.delete(key)
      if (timer.to === undefined) this.#send(timer.target, timer.event, now)
      else this.#postTo(timer.to, asMessage(timer.event))
      reception = 'accepted'
    }
    for (const activity of this.#activities.values()) {
      if (activity.retryAt === undefined || activity.retryAt > now) continue
      const next = { ...activity, attempt: activity.attempt + 1, retryAt: undefined }
      this.#activities.set(activity.path, next)
      this.#effects.push({ type: 'startActivity', activity: next })
      reception = 'accepted'
    }
    return reception
  }

  /** Applies what a running activity tells. Reports of invocations that are no longer current are ignored. */
  report(report: ActivityReport, now: number): Reception {
    const activity = this.#activities.get(report.path)
    if (activity?.incarnation !== report.incarnation || activity.retryAt !== undefined) return 'ignored'
    switch (report.type) {
      case 'settled':
        return this.#settle(activity, report.outcome, now)
      case 'event':
        return this.#collectEvent(report.event, this.#tree.sendFrom(report.path, report.event), now)
      case 'moved':
        this.#collectAfter(this.#tree.moveLeaf(report.path, report.context), now)
        return 'accepted'
    }
  }

  /**
   * Asks again for everything a stored record owes: used once, after loading, by whoever now runs the
   * instance. Running activities count one more attempt.
   */
  resume(): void {
    for (const activity of this.#activities.values()) {
      if (!runsHere(activity)) continue
      const next = { ...activity, attempt: activity.attempt + 1 }
      this.#activities.set(activity.path, next)
      this.#effects.push({ type: 'startActivity', activity: next })
    }
    for (const entry of this.#outbox.entries()) {
      const effect = this.#effectOf(entry)
      if (effect === undefined) this.#outbox.markDelivered(entry.effectId)
      else this.#effects.push(effect)
    }
  }

  /** Notes that an outbox entry has been delivered: the next record no longer lists it. */
  markDelivered(effectId: string): void {
    this.#outbox.markDelivered(effectId)
  }

  /** The logic an activity runs; undefined when its actor is gone. */
  logicOf(path: ActorPath): ReturnType<ActorTree['logicOf']> {
    return this.#tree.logicOf(path)
  }

  /** Whether an activity is running. */
  get isBusy(): boolean {
    for (const activity of this.#activities.values()) if (runsHere(activity)) return true
    return false
  }

  /** Whether anything is asked for that waits for the commit. */
  get isAsking(): boolean {
    return this.#effects.some(effect => effect.type !== 'log')
  }

  /** The live snapshot of the root machine. */
  get liveSnapshot(): unknown {
    return this.#tree.snapshot
  }

  /** The effects since the last call that concern activities, to be performed before the record is committed. */
  takeActivityEffects(): readonly Effect[] {
    const isTaken = (effect: Effect) => activityEffects.has(effect.type)
    const taken = this.#effects.filter(isTaken)
    this.#effects = this.#effects.filter(effect => !isTaken(effect))
    return taken
  }

  /** The effects since the last call, to be performed once the record is committed. */
  takeEffects(): readonly Effect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  /** The snapshot as plain data. Shares parts with the live actors: encode it at once, do not change it. */
  snapshot(): PersistedSnapshot {
    const snapshot = this.#tree.persist()
    // The children of a finished instance are stopped: only the outcome is of interest.
    return snapshot.status === 'active' ? snapshot : { ...snapshot, children: {} }
  }

  /** What must be committed now. Shares parts with the live actors: encode it at once, do not change it. */
  record(now: number): Required<InstanceRecord> {
    // Written out: spreading into it would cost as much as the step itself.
    const { workflow, id, version, createdAt, inputDigest, parent } = this.#identity
    const { cursor, recent, sources } = this.#applied
    const outbox = this.#outbox.entries()
    return {
      workflow,
      id,
      version,
      status: this.status,
      createdAt,
      updatedAt: now,
      inputDigest,
      snapshot: this.snapshot(),
      timers: this.#timers.size === 0 ? none : [...this.#timers.values()],
      activities: this.#activities.size === 0 ? none : [...this.#activities.values()],
      outbox: outbox.length === 0 ? none : outbox.map(entry => this.#withoutContext(entry)),
      cursor,
      recent,
      sources,
      parent,
      counter: this.#counter,
    }
  }

  #send(path: ActorPath, event: EventObject, now: number): Reception {
    return this.#collectEvent(event, this.#tree.send(path, event), now)
  }

  #settle(activity: ActivityRecord, outcome: LeafOutcome, now: number): Reception {
    if (outcome.status === 'error') {
      const delay = this.#retryDelay(activity, outcome.error)
      if (delay !== undefined) {
        const waiting = { ...activity, retryAt: now + delay, lastError: outcome.error }
        this.#activities.set(activity.path, waiting)
        return 'accepted'
      }
    }
    this.#activities.delete(activity.path)
    this.#lastEvent = `xstate.${outcome.status}.actor.${activity.path}`
    this.#collectAfter(this.#tree.settle(activity.path, outcome), now)
    return 'accepted'
  }

  #retryDelay(activity: ActivityRecord, error: unknown): number | undefined {
    const spec = activitySpecOf(this.#tree.logicOf(activity.path))
    if (spec === undefined) return undefined
    return retryDelay(spec.retry, activity.attempt, error, spreadOf(activity))
  }

  #collectEvent(event: EventObject, transitioned: boolean, now: number): Reception {
    if (transitioned) this.#lastEvent = event.type
    return this.#collectAfter(transitioned, now)
  }

  #collectAfter(transitioned: boolean, now: number): Reception {
    this.#collect(now)
    return transitioned ? 'accepted' : 'ignored'
  }

  /** Takes what the tree asked for into the record, or among the effects, or both. */
  #collect(now: number): void {
    for (const effect of this.#tree.takeEffects()) this.#take(effect, now)
    if (this.#tree.status === 'active') return
    this.#timers.clear()
    for (const path of this.#activities.keys()) this.#stopActivity(path)
    this.#settleParent()
  }

  #take(effect: TreeEffect, now: number): void {
    switch (effect.type) {
      case 'setTimer': {
        const { owner, id, target, to, event } = effect
        const dueAt = now + Math.max(0, effect.delayMs)
        // An infinite delay means never; what never comes due need not be kept.
        if (dueAt === Number.POSITIVE_INFINITY) this.#timers.delete(timerKey(owner, id))
        else {
          const timer = { owner, id, target, event, dueAt, seq: ++this.#counter }
          this.#timers.set(timerKey(owner, id), to === undefined ? timer : { ...timer, to })
        }
        return
      }
      case 'cancelTimer':
        this.#timers.delete(timerKey(effect.owner, effect.id))
        return
      case 'cancelTimers':
        for (const [key, timer] of this.#timers) if (timer.owner === effect.owner) this.#timers.delete(key)
        return
      case 'start': {
        const { path, src, input } = effect
        const activity = { path, src, input, incarnation: ++this.#counter, attempt: 1, startedAt: now }
        const child = childSpecOf(this.#tree.logicOf(path))
        if (child === undefined || this.#depth >= mostDepth) {
          this.#activities.set(path, activity)
          this.#effects.push({ type: 'startActivity', activity })
        } else {
          this.#startChild(activity, child)
        }
        return
      }
      case 'post':
        this.#postTo(effect.target, asMessage(effect.event))
        return
      case 'stop':
        this.#stopActivity(effect.path)
        return
      case 'deliver': {
        const incarnation = this.#activities.get(effect.path)?.incarnation
        if (incarnation !== undefined) this.#effects.push({ ...effect, incarnation })
        return
      }
      case 'emit':
        this.#post({ type: 'emit', effectId: this.#effectId(), event: effect.event })
        return
      case 'log':
        this.#effects.push(effect)
        return
      case 'action':
        this.#takeAction(effect)
    }
  }

  #takeAction(action: Extract<TreeEffect, { type: 'action' }>): void {
    const { owner, name, params, event, context, exec } = action
    const effectId = this.#effectId()
    const run = () => this.#tree.runAction(owner, exec, { context, event, params })
    this.#effects.push({ type: 'action', effectId, owner, name: name ?? '(anonymous)', run })
    if (name === undefined) return
    this.#outbox.add({ type: 'action', effectId, owner, action: name, params, event, context })
  }

  /** An action mostly saw the context that its record ends with: then the record need not hold it twice. */
  #withoutContext(entry: OutboxEntry): OutboxEntry {
    if (entry.type !== 'action' || entry.context !== this.#tree.contextOf(entry.owner)) return entry
    const { context: _, ...stored } = entry
    return stored
  }

  #withContext(entry: OutboxEntry): OutboxEntry {
    if (entry.type !== 'action' || 'context' in entry) return entry
    return { ...entry, context: this.#tree.contextOf(entry.owner) }
  }

  #postTo(target: Address, message: PostedMessage): void {
    this.#post({ type: 'post', effectId: this.#effectId(), target, message })
  }

  /** Promises a delivery that needs nothing of this process. */
  #post(entry: EmitEntry | PostEntry): void {
    this.#outbox.add(entry)
    this.#effects.push(entry)
  }

  /** The effect of an entry found in a stored record; undefined when its action no longer exists. */
  #effectOf(entry: OutboxEntry): Effect | undefined {
    if (entry.type !== 'action') return entry
    const { effectId, owner, action, params, event, context } = entry
    const exec = this.#tree.findAction(owner, action)
    if (exec === undefined) return undefined
    const run = () => this.#tree.runAction(owner, exec, { context, event, params })
    return { type: 'action', effectId, owner, name: action, run }
  }

  /** How many parents stand above this instance. */
  get #depth(): number {
    return this.#identity.parent?.depth ?? 0
  }

  /** The child does the work: its record here only waits for the outcome, so it keeps no input. */
  #startChild(activity: ActivityRecord, spec: ChildSpec): void {
    const { path, incarnation, input } = activity
    const { workflow, id } = this.#identity
    const address = { workflow, id }
    const target = { workflow: spec.workflow, id: childIdOf(address, incarnation) }
    const parent = { address, path, incarnation, depth: this.#depth + 1 }
    const child = { address: target, isDetached: spec.isDetached }
    this.#activities.set(path, { ...activity, input: undefined, child })
    this.#postTo(target, { type: 'start', input, parent })
  }

  #stopChild({ address, isDetached }: ActivityChild): void {
    const unstarted = this.#effects.findIndex(
      effect => effect.type === 'post' && effect.message.type === 'start' && effect.target === address,
    )
    if (unstarted >= 0) {
      const [start] = this.#effects.splice(unstarted, 1) as [PostEntry]
      this.#outbox.remove(start.effectId)
    } else if (!isDetached) {
      const { workflow, id } = this.#identity
      this.#postTo(address, { type: 'cancel', reason: `its parent ${workflow}/${id} no longer wants it` })
    }
  }

  /** Tells the parent, if there is one, how this instance has ended. One that cancelled it wants to hear nothing more. */
  #settleParent(): void {
    const { parent } = this.#identity
    if (parent === undefined) return
    const { status, output, error } = this.#tree.persist()
    const { address, path, incarnation } = parent
    if (status === 'done') {
      this.#postTo(address, { type: 'settle', path, incarnation, outcome: { status, output } })
    } else if (status === 'error') {
      this.#postTo(address, { type: 'settle', path, incarnation, outcome: { status, error } })
    }
  }

  #stopActivity(path: ActorPath): void {
    const activity = this.#activities.get(path)
    if (activity === undefined) return
    this.#activities.delete(path)
    const { child, incarnation } = activity
    if (child !== undefined) {
      this.#stopChild(child)
      return
    }
    const unstarted = this.#effects.findIndex(
      effect => effect.type === 'startActivity' && effect.activity.incarnation === incarnation,
    )
    // Started and stopped before any commit: nobody need ever know.
    if (unstarted >= 0) this.#effects.splice(unstarted, 1)
    else this.#effects.push({ type: 'stopActivity', path, incarnation })
  }

  /** Never given twice to different effects: the counter is part of the record that lists the effect. */
  #effectId(): string {
    return `${this.#identity.workflow}/${this.#identity.id}:${++this.#counter}`
  }
}

/** Whether the activity takes up this process: a child and one that waits for its next attempt do not. */
function runsHere(activity: ActivityRecord): boolean {
  return activity.retryAt === undefined && activity.child === undefined
}

/** What an event sent to another instance asks of it. */
function asMessage(event: EventObject): PostedMessage {
  if (event.type === startInstanceType) return { type: 'start', input: event['input'] }
  return { type: 'send', event: checkEvent(event) }
}

function timerKey(owner: ActorPath, id: string): string {
  return `${owner}\n${id}`
}

function byDueTime(a: Timer, b: Timer): number {
  return a.dueAt - b.dueAt || a.seq - b.seq
}
