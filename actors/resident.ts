/**
 * What a node has of one instance in memory: the draft of its next record, or the record of one that has finished, or
 * nothing yet. Whatever the instance takes is applied to it here, one thing after the other; nothing of that is stored.
 */
import { objectionTo, startOfPool } from './admission.ts'
import type { ActorPath } from './address.ts'
import { Draft } from './draft.ts'
import type { Delivery, EditEnvelope, Envelope, StartEnvelope } from './envelope.ts'
import type { EventObject } from './event.ts'
import type { PreparedWorkflow } from './machine.ts'
import { messageOf } from './plain-error.ts'
import type { StoredRecord } from './ports.ts'
import { isFinal, isLive, type InstanceRecord } from './record.ts'
import type { PersistedSnapshot } from './snapshot.ts'
import type { Decision } from './turn.ts'
import type { Unfailed, Waiting } from './turn-queue.ts'

const none: ReadonlyMap<number, number> = new Map()

export interface ResidentContext {
  /** An action has sent an event to its own actor. */
  readonly selfSent: (path: ActorPath, event: EventObject) => void
  /** A cancel has come, so that what was interrupted for it is not waiting for it any more. */
  readonly uncancelled: () => void
}

export class Resident<D extends Delivery> {
  /** Of the stored record; 0 while there is none. */
  revision = 0
  /** Whether it is to run nothing, for a reason that is not its own. */
  isHeld = false
  readonly #workflow: PreparedWorkflow
  readonly #context: ResidentContext
  #draft: Draft | undefined
  /** The stored record of an instance that had finished before it was loaded: it has no live actors. */
  #finished: InstanceRecord | undefined
  /** How it was started; undefined while there is no instance. */
  #start: Pick<InstanceRecord, 'inputDigest' | 'parent'> | undefined
  /** By incarnation, the attempt of each activity that was interrupted for a cancel that has yet to come. */
  #interrupted: ReadonlyMap<number, number> = none

  constructor(workflow: PreparedWorkflow, context: ResidentContext) {
    this.#workflow = workflow
    this.#context = context
  }

  get draft(): Draft | undefined {
    return this.#draft
  }

  /** Whether it has been started. */
  get isThere(): boolean {
    return this.#start !== undefined
  }

  get isInterrupted(): boolean {
    return this.#interrupted.size > 0
  }

  /** @throws Error when the snapshot does not fit the machine */
  load({ event, record, revision }: StoredRecord): void {
    this.revision = revision
    this.#start = record
    if (isFinal(record.status) && record.outbox.length === 0) this.#finished = record
    else this.#adopt(Draft.from(this.#workflow, record, event))
  }

  /** Nothing is left of it. */
  forget(): void {
    if (this.#draft !== undefined) this.#draft.onSelfSent = () => {}
    this.#draft = undefined
    this.#finished = undefined
    this.#start = undefined
    this.#interrupted = none
    this.revision = 0
  }

  snapshot(): PersistedSnapshot {
    return this.#draft?.snapshot() ?? this.#finished?.snapshot ?? { status: 'active' }
  }

  /** Activities were interrupted for a cancel that is on its way: by incarnation, the attempt. */
  interrupted(attempts: ReadonlyMap<number, number>): void {
    this.#interrupted = new Map([...this.#interrupted, ...attempts])
  }

  /** @throws StepFailure when a step throws: then it must be loaded again */
  apply(item: Unfailed<D>, now: number): Decision {
    if (item.type === 'delivery') return this.#applyDelivery(item.delivery, now)
    const draft = this.#draft
    if (item.type === 'hold') return this.#applyHold(now)
    if (item.type === 'acted') {
      draft?.markDelivered(item.effectId)
      return { type: 'ignored' }
    }
    if (draft === undefined || !isLive(draft.status) || draft.isHeld) return { type: 'ignored' }
    switch (item.type) {
      case 'report':
        return { type: draft.report(item.report, now) }
      case 'self':
        return { type: draft.deliverSelf(item.path, item.event, now) }
      case 'wake':
        return { type: draft.fireDue(now) }
      case 'uncancelled':
        return { type: draft.rerun(this.#takeInterrupted(), now) }
      case 'restart':
        return { type: draft.restart(now, item.isCounted) }
    }
  }

  /** Suspends it because of a step that throws. Undefined when that step is not to be made any more. */
  suspend({ item, incident }: Extract<Waiting<D>, { type: 'failed' }>, now: number): Decision | undefined {
    if (item.type !== 'delivery') {
      const draft = this.#draft
      // Held, it has taken nothing that came before it in its turn: maybe not what began the activity or set the timer.
      if (draft === undefined || !isLive(draft.status) || draft.isHeld) return undefined
      // What was due before the timer that threw comes first.
      if (incident.cause?.type === 'timer') draft.fireDue(now, incident.cause.seq)
      if (!isLive(draft.status)) return undefined
      draft.suspend(incident)
      return { type: 'suspended' }
    }
    const { delivery } = item
    if (this.#objectionTo(delivery) !== undefined) return undefined
    const { envelope, seq } = delivery
    if (envelope.type === 'start') {
      this.#start = envelope
      this.#adopt(Draft.unborn(this.#workflow, envelope, seq, now))
    } else {
      this.#beginPool(envelope, seq, now)
    }
    const kept = this.#draft!.incident
    // What throws before the step is made again must not take its place: that would be lost.
    const again = envelope.type === 'retry' && kept !== undefined
    const still = again ? { ...incident, cause: kept.cause, tries: kept.tries + 1 } : incident
    this.#draft!.suspend(still, delivery)
    return { type: 'suspended' }
  }

  #adopt(draft: Draft): void {
    this.#draft = draft
    draft.onSelfSent = (path, event) => this.#context.selfSent(path, event)
  }

  #takeInterrupted(): ReadonlyMap<number, number> {
    const interrupted = this.#interrupted
    this.#interrupted = none
    return interrupted
  }

  #applyHold(now: number): Decision {
    const draft = this.#draft
    if (draft === undefined) return { type: 'ignored' }
    if (!this.isHeld) return { type: draft.letGo(now) }
    draft.hold()
    return { type: 'ignored' }
  }

  #applyDelivery(delivery: D, now: number): Decision {
    // Whatever becomes of it, from here on what still runs is wanted.
    if (delivery.envelope.type === 'cancel' && this.#interrupted.size > 0) this.#context.uncancelled()
    const objection = this.#objectionTo(delivery)
    if (objection !== undefined) return objection
    const { envelope, seq } = delivery
    if (envelope.type === 'edit') return this.#edit(envelope, seq, now)
    if (envelope.type === 'start') {
      this.#begin(envelope, seq, now)
      return { type: 'accepted' }
    }
    this.#beginPool(envelope, seq, now)
    return { type: this.#draft!.deliver(envelope, seq, now, delivery.isInOrder) }
  }

  #begin(start: StartEnvelope, seq: number, now: number): void {
    this.#adopt(Draft.start(this.#workflow, start, seq, now))
    this.#start = start
  }

  #beginPool(envelope: Envelope, seq: number, now: number): void {
    const start = this.#draft === undefined ? startOfPool(envelope) : undefined
    if (start !== undefined) this.#begin(start, seq, now)
  }

  #edit(envelope: EditEnvelope, seq: number, now: number): Decision {
    const draft = this.#draft!
    try {
      this.#adopt(draft.edited(envelope, seq, now))
    } catch (error) {
      return {
        type: 'rejected',
        code: 'EDIT_INVALID',
        message: `it cannot be edited so: ${messageOf(error)}`,
      }
    }
    draft.onSelfSent = () => {}
    if (this.isHeld) this.#draft?.hold()
    return { type: 'accepted' }
  }

  #objectionTo(delivery: D): Decision | undefined {
    return objectionTo(delivery, {
      draft: this.#draft,
      finished: this.#finished,
      start: this.#start,
      revision: this.revision,
    })
  }
}
