/**
 * The life of one instance in its owner's memory.
 *
 * ```
 *            loaded                turn             committed
 *  loading ─────────▶ idle ─────────────▶ committing ─────────▶ idle …
 *     ▲                │                      │
 *     │                │ passivate            │ conflicted
 *     │                ▼                      │
 *     │              ended ◀── superseded ────┤ (the lease is lost)
 *     └───────────────────────────────────────┘ (still the owner: redo the turn, at most 5 times)
 * ```
 *
 * One turn at a time: what arrives while a record is being committed waits and makes the next turn. Commit, then
 * act, then acknowledge: effects run and envelopes are settled only after the write that contains them, so a
 * crash at any point leaves either the old record with its envelopes undelivered or the new one. An
 * envelope that changed nothing needs no write: stepping it again would change nothing either, and the
 * cursor of the next write covers it.
 *
 * Nothing in here waits. I/O is asked of the host and comes back as a call.
 */
import { Draft, type ActivityReport } from './draft.ts'
import type { Effect } from './effect.ts'
import type { Delivery, Envelope, Rejection, StartEnvelope } from './envelope.ts'
import { RuntimeError } from './errors.ts'
import type { PreparedWorkflow } from './machine.ts'
import type { RecordSummary, StoredRecord } from './ports.ts'
import type { ActorPath, Address, EventObject, InstanceRecord, PersistedSnapshot } from './record.ts'
import { messageOf, plainError } from './plain-error.ts'
import { isRepetition } from './repetition.ts'
import { formatState } from './state.ts'

/** What became of a delivery. `duplicate`: it had been applied before, so it was not applied again. */
export type Verdict =
  | {
      readonly type: 'accepted' | 'ignored' | 'duplicate'
      readonly revision: number
      readonly snapshot: PersistedSnapshot
    }
  | { readonly type: 'rejected'; readonly code: Rejection; readonly message: string }

/** What an instance asks of the node that runs it. No call may wait; `load` and `commit` answer later. */
export interface InstanceHost<D extends Delivery> {
  /** Answered by {@link Instance.loaded} or {@link Instance.loadFailed}. */
  load(): void
  /** Answered by {@link Instance.committed}, {@link Instance.conflicted} or {@link Instance.refused}. */
  commit(record: InstanceRecord, summary: RecordSummary, expected: number): void
  /** The record that asked for these effects is stored: they may happen now. */
  perform(effects: readonly Effect[], draft: Draft): void
  /** The outcome of the delivery is stored: it may be acknowledged, its sender answered. */
  settle(delivery: D, verdict: Verdict): void
  /** Calls {@link Instance.wake} at that moment. Replaces the moment asked for before; undefined clears it. */
  wakeAt(dueAt: number | undefined): void
  /** Calls {@link Instance.flush} after that time, in milliseconds, unless it is going to anyway. */
  flushAfter(delayMs: number): void
  /** Stops whatever activities still run for it: they will be asked for again. */
  abandonActivities(): void
  /** A unique id for a commit. */
  nextCommitId(): string
  /** Milliseconds since the epoch. */
  now(): number
  /** A turn is over and nothing waits. */
  rested(): void
  /** The instance is out of memory: forget it. Deliveries never settled will come again. */
  ended(error?: Error): void
}

type Waiting<D> =
  | { readonly type: 'delivery'; readonly delivery: D }
  /** `isReplaced`: it stands for one that could not be stored. */
  | { readonly type: 'report'; readonly report: ActivityReport; readonly isReplaced: boolean }
  | { readonly type: 'self'; readonly path: ActorPath; readonly event: EventObject }
  | { readonly type: 'wake' }

/** What a turn decided about a delivery, before the commit that makes it true. */
type Decision =
  | { readonly type: 'accepted' | 'ignored' | 'duplicate' }
  | Extract<Verdict, { readonly type: 'rejected' }>

/** What has been taken since the last commit. */
interface Turn<D> {
  readonly taken: Waiting<D>[]
  readonly decisions: (readonly [D, Decision])[]
  /** How many of them changed anything. */
  applied: number
  /** The last event that did. */
  event: EventObject | undefined
}

/** `starting`: the activities of a turn that is not committed yet begin. */
type State = 'loading' | 'idle' | 'starting' | 'committing' | 'ended'

const redoLimit = 5

export class Instance<D extends Delivery> {
  readonly address: Address
  readonly #workflow: PreparedWorkflow
  readonly #host: InstanceHost<D>
  #state: State = 'loading'
  #waiting: Waiting<D>[] = []
  #turn: Turn<D> = newTurn()
  #draft: Draft | undefined
  /** The stored record of an instance that had finished before it was loaded: it has no live actors. */
  #finished: InstanceRecord | undefined
  /** How it was started; undefined while there is no instance. */
  #start: Pick<InstanceRecord, 'inputDigest' | 'parent'> | undefined
  #revision = 0
  #armedFor: number | undefined
  #redone = 0
  /** Set while a write was too large: each thing waiting gets a turn of its own, so that only one is refused. */
  #singly = false
  #passivating = false
  #finishing = false

  constructor(address: Address, workflow: PreparedWorkflow, host: InstanceHost<D>) {
    this.address = address
    this.#workflow = workflow
    this.#host = host
  }

  /** Begins its life in memory by asking for its record. */
  begin(): void {
    this.#host.load()
  }

  /** An envelope from the inbox, in the order of the inbox. */
  deliver(delivery: D): void {
    this.#enqueue({ type: 'delivery', delivery })
  }

  /** Something one of its activities tells. */
  report(report: ActivityReport): void {
    this.#enqueue({ type: 'report', report, isReplaced: false })
  }

  /** The moment asked for with `wakeAt` has come. */
  wake(): void {
    this.#armedFor = undefined
    this.#enqueue({ type: 'wake' })
  }

  /** An outbox entry has reached its destination. */
  delivered(effectId: string): void {
    this.#draft?.markDelivered(effectId)
    if (this.#state === 'idle') this.#rest()
  }

  /**
   * Leaves memory if nothing is going on. An instance with running activities or undelivered effects stays.
   *
   * @returns whether it leaves; it has left when the host is told `ended`
   */
  passivate(): boolean {
    if (this.#state !== 'idle' || (this.#draft?.owes ?? 0) > 0) return false
    if (!this.#workflow.persistence.isStored && this.#draft?.status === 'running') return false
    this.#passivating = true
    this.#rest()
    return true
  }

  loaded(stored: StoredRecord | undefined): void {
    if (this.#state !== 'loading') return
    if (stored !== undefined) {
      const { event, record, revision } = stored
      this.#revision = revision
      this.#start = record
      if (record.status !== 'running' && record.outbox.length === 0) {
        this.#finished = record
      } else {
        try {
          this.#adopt(Draft.from(this.#workflow, record, event))
        } catch (cause) {
          const reason = `${this.#name} does not fit the machine of its workflow any more: ${messageOf(cause)}`
          this.loadFailed(new RuntimeError('RECORD_MALFORMED', reason, { cause }))
          return
        }
      }
    }
    if (this.#draft !== undefined) {
      this.#draft.resume()
      // An effect may tell something at once: until everything is in place, it only waits.
      this.#host.perform(this.#draft.takeEffects(), this.#draft)
    }
    this.#state = 'idle'
    this.#arm()
    this.#next()
  }

  /** The record cannot be read. What waits is refused, and the record is left as it is. */
  loadFailed(error: RuntimeError): void {
    if (this.#state !== 'loading') return
    const code = error.code === 'RECORD_FORMAT_UNSUPPORTED' ? error.code : 'RECORD_MALFORMED'
    const waiting = this.#waiting
    this.#waiting = []
    for (const item of waiting) {
      if (item.type !== 'delivery') continue
      this.#host.settle(item.delivery, { type: 'rejected', code, message: error.message })
    }
    this.#end(error)
  }

  committed(revision: number): void {
    if (this.#state !== 'committing') return
    this.#revision = revision
    this.#redone = 0
    const draft = this.#draft!
    // An effect may tell something at once: until the turn is settled, it only waits.
    this.#host.perform(draft.takeEffects(), draft)
    this.#settle()
    this.#state = 'idle'
    this.#arm()
    this.#next()
  }

  /** Another write came first. If this node still is the owner, the turn is done again from what is stored. */
  conflicted(error: RuntimeError, isOwner: boolean): void {
    if (this.#state !== 'committing') return
    if (!isOwner || ++this.#redone > redoLimit) this.#end(error)
    else this.#redo(this.#turn.taken)
  }

  /** The store will never take this record: it is too large, or holds what cannot be stored. The culprit is refused. */
  refused(error: RuntimeError): void {
    if (this.#state !== 'committing') return
    const { taken } = this.#turn
    const [culprit] = taken
    if (taken.length > 1) {
      this.#singly = true
      this.#redo(taken)
    } else if (culprit?.type === 'delivery') {
      const { message } = error
      const code = error.code === 'VALUE_UNSUPPORTED' ? error.code : 'PAYLOAD_TOO_LARGE'
      this.#host.settle(culprit.delivery, { type: 'rejected', code, message })
      this.#redo([])
    } else if (culprit?.type === 'report' && !culprit.isReplaced) {
      // The activity has told what cannot be kept: it has failed, with an error that can.
      const { path, incarnation } = culprit.report
      const outcome = { status: 'error', error: storableFailure(culprit.report, error) } as const
      this.#redo([
        { type: 'report', report: { type: 'settled', path, incarnation, outcome }, isReplaced: true },
      ])
    } else if (culprit?.type === 'self') {
      this.#redo([])
    } else {
      this.#end(error)
    }
  }

  /**
   * Leaves memory once the turn under way is stored, and what its activities have told. Envelopes that wait are left
   * unsettled, for the next owner.
   */
  finish(): void {
    this.#finishing = true
    this.#waiting = this.#waiting.filter(item => item.type !== 'delivery')
    if (this.#state === 'idle' && this.#isHolding) this.#commit(this.#host.now())
    else if (this.#waiting.length === 0 && this.#state !== 'committing' && this.#state !== 'ended')
      this.#end()
  }

  /** The time asked for with `flushAfter` is over: what is held is committed. */
  flush(): void {
    if (this.#state === 'idle' && this.#isHolding) this.#commit(this.#host.now())
  }

  /** Leaves memory at once, whatever is going on: the partition is no longer this node's. */
  abandon(error?: Error): void {
    if (this.#state !== 'ended') this.#end(error)
  }

  #enqueue(item: Waiting<D>): void {
    if (this.#state === 'ended' || this.#finishing) return
    this.#passivating = false
    this.#waiting.push(item)
    if (this.#state === 'idle') this.#next()
  }

  #adopt(draft: Draft): void {
    this.#draft = draft
    draft.onSelfSent = (path, event) => this.#enqueue({ type: 'self', path, event })
  }

  /** Begins the next turn if anything waits. */
  #next(): void {
    if (this.#waiting.length === 0) {
      this.#singly = false
      if (this.#finishing) this.#end()
      else this.#rest()
      return
    }
    const isSingle = this.#singly || this.#workflow.persistence.isSingle
    const now = this.#host.now()
    for (const item of this.#waiting.splice(0, isSingle ? 1 : Infinity)) this.#take(item, now)
    if (!this.#isHolding) {
      this.#settle()
      this.#arm()
      this.#next()
    } else if (this.#mustCommit()) {
      this.#commit(now)
    } else {
      this.#hold()
    }
  }

  #take(item: Waiting<D>, now: number): void {
    const turn = this.#turn
    const decision = this.#apply(item, now)
    turn.taken.push(item)
    if (item.type === 'delivery') turn.decisions.push([item.delivery, decision])
    if (decision.type !== 'accepted') return
    turn.applied++
    if (item.type === 'delivery' && item.delivery.envelope.type === 'send') {
      turn.event = item.delivery.envelope.event
    }
  }

  #mustCommit(): boolean {
    const { persistence } = this.#workflow
    if (!persistence.mayHold || this.#singly) return true
    const { applied, event } = this.#turn
    const draft = this.#draft!
    return persistence.mustCommit({
      applied,
      event,
      isNew: this.#revision === 0,
      isFinal: draft.status !== 'running',
      isResting: this.#waiting.length === 0 && !draft.isBusy,
      isAsking: draft.isAsking,
      snapshot: draft.liveSnapshot,
    })
  }

  /** Goes on without a commit. What has been taken stays in the turn. */
  #hold(): void {
    const draft = this.#draft!
    const { maxHoldMs, startsEarly } = this.#workflow.persistence
    this.#host.flushAfter(maxHoldMs)
    if (startsEarly) {
      // An activity may tell something at once: until all have begun, it only waits.
      this.#state = 'starting'
      this.#host.perform(draft.takeActivityEffects(), draft)
      this.#state = 'idle'
    }
    this.#arm()
    if (this.#waiting.length > 0) this.#next()
  }

  #apply(item: Waiting<D>, now: number): Decision {
    if (item.type === 'delivery') return this.#applyDelivery(item.delivery, now)
    const draft = this.#draft
    if (draft === undefined || draft.status !== 'running') return { type: 'ignored' }
    switch (item.type) {
      case 'report':
        return { type: draft.report(item.report, now) }
      case 'self':
        return { type: draft.deliverSelf(item.path, item.event, now) }
      case 'wake':
        return { type: draft.fireDue(now) }
    }
  }

  #applyDelivery(delivery: D, now: number): Decision {
    const { envelope, seq } = delivery
    if (this.#isKnown(envelope, seq)) return { type: 'duplicate' }
    const exists = this.#draft !== undefined || this.#finished !== undefined
    if (envelope.type === 'start') {
      if (!exists) {
        this.#start = envelope
        this.#adopt(Draft.start(this.#workflow, envelope, seq, now))
        return { type: 'accepted' }
      }
      if (!isSameStart(this.#start!, envelope)) {
        return rejected(
          'INSTANCE_EXISTS',
          `${this.#name} was started before, with another input or by another`,
        )
      }
      return { type: 'duplicate' }
    }
    if (!exists) return rejected('INSTANCE_NOT_FOUND', `${this.#name} does not exist: start it first`)
    if (this.#draft?.status !== 'running') {
      return rejected('INSTANCE_FINISHED', `${this.#name} has finished and takes no more events`)
    }
    return { type: this.#draft.deliver(envelope, seq, now) }
  }

  #isKnown(envelope: Envelope, seq: number): boolean {
    if (this.#draft !== undefined) return this.#draft.knows(envelope, seq)
    return this.#finished !== undefined && isRepetition(this.#finished, envelope, seq)
  }

  #commit(now: number): void {
    const draft = this.#draft!
    const record = draft.record(now)
    this.#state = 'committing'
    if (!this.#workflow.persistence.isStored) {
      this.committed(this.#revision)
      return
    }
    const summary: RecordSummary = {
      workflowVersion: record.version,
      status: record.status,
      state: formatState(record.snapshot.value),
      event: draft.lastEvent,
      commit: this.#host.nextCommitId(),
      inputDigest: record.inputDigest,
      dueAt: draft.dueAt,
      owes: draft.owes,
    }
    this.#host.commit(record, summary, this.#revision)
  }

  /** Tells every sender of the turn what became of its envelope. */
  #settle(): void {
    const { decisions } = this.#turn
    this.#turn = newTurn()
    if (decisions.length === 0) return
    const isAnswerWanted = decisions.some(([delivery]) => delivery.replyTo !== undefined)
    const snapshot = isAnswerWanted ? this.#snapshot() : unwanted
    for (const [delivery, decision] of decisions) {
      const verdict =
        decision.type === 'rejected' ? decision : { type: decision.type, revision: this.#revision, snapshot }
      this.#host.settle(delivery, verdict)
    }
  }

  #snapshot(): PersistedSnapshot {
    return this.#draft?.snapshot() ?? this.#finished?.snapshot ?? unwanted
  }

  /** Nothing waits. A finished or unwanted instance leaves, once its record no longer lists what is delivered. */
  #rest(): void {
    this.#host.rested()
    const draft = this.#draft
    const leaves = draft === undefined || draft.status !== 'running' || this.#passivating
    if (!leaves) return
    if (draft !== undefined && draft.owes > 0) return
    if (draft?.hasDelivered === true || this.#isHolding) {
      this.#commit(this.#host.now())
    } else {
      this.#end()
    }
  }

  #redo(items: readonly Waiting<D>[]): void {
    this.#waiting = [...items, ...this.#waiting]
    this.#turn = newTurn()
    this.#forget()
    this.#state = 'loading'
    this.#host.abandonActivities()
    this.#host.load()
  }

  #end(error?: Error): void {
    this.#forget()
    this.#waiting = []
    this.#turn = newTurn()
    this.#state = 'ended'
    // An instance that cannot go on would otherwise be woken again and again for the same reason.
    if (error !== undefined) this.#host.wakeAt(undefined)
    this.#host.abandonActivities()
    this.#host.ended(error)
  }

  #forget(): void {
    if (this.#draft !== undefined) this.#draft.onSelfSent = () => {}
    this.#draft = undefined
    this.#finished = undefined
    this.#start = undefined
    this.#revision = 0
  }

  #arm(): void {
    const dueAt = this.#draft?.dueAt
    if (dueAt === this.#armedFor) return
    this.#armedFor = dueAt
    this.#host.wakeAt(dueAt)
  }

  /** Whether anything has changed since the last commit. */
  get #isHolding(): boolean {
    return this.#turn.applied > 0
  }

  get #name(): string {
    return `${this.address.workflow}/${this.address.id}`
  }
}

function newTurn<D>(): Turn<D> {
  return { taken: [], decisions: [], applied: 0, event: undefined }
}

/** The error an activity fails with whose report could not be stored. */
function storableFailure(report: ActivityReport, refusal: RuntimeError): Error {
  const isError = report.type === 'settled' && report.outcome.status === 'error'
  return isError ? plainError(report.outcome.error) : refusal
}

const unwanted: PersistedSnapshot = Object.freeze({ status: 'active' })

function rejected(code: Rejection, message: string): Decision {
  return { type: 'rejected', code, message }
}

/** A child must be the child of that invocation, or the one that waits for it would wait for ever. */
function isSameStart(
  first: Pick<InstanceRecord, 'inputDigest' | 'parent'>,
  { inputDigest, parent }: StartEnvelope,
): boolean {
  if (first.inputDigest !== inputDigest) return false
  if (parent === undefined) return true
  const { address, path, incarnation } = parent
  return (
    first.parent?.address.workflow === address.workflow &&
    first.parent.address.id === address.id &&
    first.parent.path === path &&
    first.parent.incarnation === incarnation
  )
}
