import type { AnyStateMachine } from 'xstate'

import { Draft } from '../../actors/draft.ts'
import type { Effect } from '../../actors/effect.ts'
import { prepareWorkflow, type PreparedWorkflow } from '../../actors/machine.ts'
import type { ActorPath } from '../../actors/address.ts'
import type { EventObject } from '../../actors/event.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { runLeaf, type RunningLeaf } from '../../actors/xstate/leaf.ts'
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts'
import { epoch, macrotask, rootId, viewOf, type Driver, type View } from './driver.ts'

const [workflow, id] = rootId.split('/') as [string, string]
const target = { workflow, id }
/** More turns than any case needs without time passing. */
const turnLimit = 10_000

/**
 * Ours: between any two events the instance exists as bytes only. Every event, every due moment and every
 * report of a leaf is a turn of its own: decode the record, restore, step, encode, perform the effects.
 */
export class StepDriver implements Driver {
  readonly #hearsStops: boolean
  /** Leaves that were told to stop and did not hear it. */
  readonly #strays: RunningLeaf[] = []
  readonly #leaves = new Map<ActorPath, { readonly incarnation: number; readonly leaf: RunningLeaf }>()
  readonly #emitted: EventObject[] = []
  #workflow: PreparedWorkflow | undefined
  #bytes: Uint8Array = new Uint8Array()
  #waiting: ((draft: Draft) => void)[] = []
  #delivered: string[] = []
  #dueAt: number | undefined
  #now = epoch
  #seq = 0
  #turns = 0
  #busy = false

  /**
   * @param options `hearsStops` (default true): whether leaves learn that they are no longer wanted. One that
   * runs in another process may not, and tell its result all the same.
   */
  constructor(options: { readonly hearsStops?: boolean } = {}) {
    this.#hearsStops = options.hearsStops ?? true
  }

  start(machine: AnyStateMachine, input?: unknown): void {
    this.#workflow = prepareWorkflow({ name: workflow, version: 1, machine, onError: 'fail' })
    const envelope = { type: 'start', id: 'start', target, time: epoch, input, inputDigest: '' } as const
    this.#finish(Draft.start(this.#workflow, envelope, ++this.#seq, this.#now))
    this.#drain()
  }

  send(event: EventObject): void {
    const seq = ++this.#seq
    const envelope = { type: 'send', id: `${seq}`, target, time: this.#now, event } as const
    this.#enqueue(draft => draft.deliver(envelope, seq, this.#now))
  }

  advance(ms: number): void {
    const end = this.#now + ms
    this.#turns = 0
    while (this.#dueAt !== undefined && this.#dueAt <= end) {
      this.#now = Math.max(this.#now, this.#dueAt)
      this.#enqueue(draft => draft.fireDue(this.#now))
      if (++this.#turns > turnLimit) throw new Error('timers without end')
    }
    this.#now = end
  }

  async settle(): Promise<void> {
    let seen: number
    do {
      seen = this.#turns
      await macrotask()
    } while (this.#turns > seen)
  }

  stop(): void {
    for (const { leaf } of this.#leaves.values()) leaf.stop()
    for (const leaf of this.#strays) leaf.stop()
    this.#leaves.clear()
  }

  get view(): View {
    return viewOf(this.#stored().snapshot)
  }

  get emitted(): readonly EventObject[] {
    return this.#emitted
  }

  #enqueue(apply: (draft: Draft) => void): void {
    this.#waiting.push(apply)
    this.#drain()
  }

  /** Takes what waits, one turn each, until nothing does. */
  #drain(): void {
    if (this.#busy) return
    this.#busy = true
    try {
      for (let apply = this.#waiting.shift(); apply !== undefined; apply = this.#waiting.shift()) {
        this.#turns++
        const record = this.#stored()
        if (record.status !== 'running') continue
        const draft = Draft.from(this.#workflow!, record)
        for (const effectId of this.#delivered) draft.markDelivered(effectId)
        this.#delivered = []
        apply(draft)
        this.#finish(draft)
      }
    } finally {
      this.#busy = false
    }
  }

  #stored(): InstanceRecord {
    return decodeRecord(this.#bytes)
  }

  /** Commits a draft, then performs what it asks for. */
  #finish(draft: Draft): void {
    draft.onSelfSent = (path, event) => this.#enqueue(next => next.deliverSelf(path, event, this.#now))
    this.#bytes = encodeRecord(draft.record(this.#now))
    this.#dueAt = draft.dueAt
    const isBusy = this.#busy
    this.#busy = true
    for (const effect of draft.takeEffects()) this.#perform(effect, draft)
    this.#busy = isBusy
  }

  #perform(effect: Effect, draft: Draft): void {
    switch (effect.type) {
      case 'startActivity':
        this.#startLeaf(effect, draft)
        return
      case 'stopActivity':
        this.#stopLeaf(effect)
        return
      case 'deliver':
        this.#leafOf(effect)?.deliver(effect.event)
        return
      case 'chunk':
      case 'hear':
      case 'post':
      case 'recall':
      case 'startItem':
      case 'task':
        throw new Error('the conformance cases know no other instances and no workers')
      case 'emit':
        this.#emitted.push(effect.event)
        this.#delivered.push(effect.effectId)
        return
      case 'action':
        effect.run()
        this.#delivered.push(effect.effectId)
        return
      case 'complaint':
      case 'log':
    }
  }

  #startLeaf({ activity }: Extract<Effect, { type: 'startActivity' }>, draft: Draft): void {
    const { path, incarnation, input } = activity
    const logic = draft.logicOf(path)
    if (logic === undefined) throw new Error(`no logic at '${path}'`)
    const fence = { path, incarnation }
    const report = (told: Parameters<Draft['report']>[0]) =>
      this.#enqueue(next => next.report(told, this.#now))
    const leaf = runLeaf(
      logic,
      { id: path, input },
      {
        settled: outcome => report({ ...fence, type: 'settled', outcome }),
        event: event => report({ ...fence, type: 'event', event }),
        moved: context => report({ ...fence, type: 'moved', context }),
      },
    )
    this.#leaves.set(path, { incarnation, leaf })
  }

  #stopLeaf(effect: Extract<Effect, { type: 'stopActivity' }>): void {
    const leaf = this.#leafOf(effect)
    if (leaf === undefined) return
    this.#leaves.delete(effect.path)
    if (this.#hearsStops) leaf.stop()
    else this.#strays.push(leaf)
  }

  #leafOf({ path, incarnation }: { path: ActorPath; incarnation: number }): RunningLeaf | undefined {
    const running = this.#leaves.get(path)
    return running?.incarnation === incarnation ? running.leaf : undefined
  }
}
