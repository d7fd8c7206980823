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
 * What a stored record says is running was running in a process that is gone: it runs again, as another attempt whose
 * number is stored before it begins. That is a turn like any other, shared with whatever waits; killed before its commit,
 * the next owner makes the same turn; after it, one with higher numbers.
 *
 * A paused instance is one that takes nothing but control envelopes. What else waits when the pause is stored, or when it
 * is found paused, is given back to the host, unsettled. A control envelope ends its turn: what it stops has stopped
 * before anything else is taken. What its own parts have told before a pause is taken before it, since they do not
 * tell it again; what they tell later is dropped, since they run again.
 *
 * A step that throws suspends the instance, as incident.ts says: the turn is done again from the stored record, as after
 * a conflict, with what threw replaced. A suspended instance is stopped like a paused one.
 * A held instance is paused from outside, with all others of its workflow: it behaves the same, but no record says so.
 * So nothing is lost when the process dies: whoever loads the record next knows by itself whether to hold it.
 *
 * What cannot be stored, because it is too large or of a kind that has no stored form, is refused to whoever sent it, or is
 * an error to the machine whose activity came to it. A timer has nobody to tell: it suspends the instance like one whose
 * step throws. The activities of a turn that is done again go on when the record is still the one that has asked for them.
 *
 * What an action sends to its own instance waits in memory only. So the record lists the action until that is taken: who
 * dies or is suspended before runs the action again.
 *
 * A start that comes for the first time is most likely the first of its instance. So it is stepped without a look whether
 * there is a record, and stored only if there is none; else, or if it throws or is refused, the turn is done again from what
 * is stored.
 *
 * While the host is crowded no turn is begun for what was sent, so that what is due, told or in control need not wait behind
 * it; whatever begins a turn takes all that waits.
 *
 * Nothing in here waits. I/O is asked of the host and comes back as a call.
 */
import type { ActivityReport } from './activity.ts'
import type { Draft } from './draft.ts'
import type { CancelManner } from './cancellation.ts'
import type { Delivery, Envelope } from './envelope.ts'
import { RuntimeError } from './errors.ts'
import { StepFailure, type Incident } from './incident.ts'
import type { InstanceHost } from './instance-host.ts'
import type { PreparedWorkflow } from './machine.ts'
import { messageOf, plainError } from './plain-error.ts'
import type { RecordSummary, StoredRecord } from './ports.ts'
import type { Address } from './address.ts'
import { Resident } from './resident.ts'
import { isFinal, isLive } from './record.ts'
import { formatState } from './state.ts'
import { supervisedActivity, type SupervisedInstance } from './supervision.ts'
import { replacing, Turn, type Decision } from './turn.ts'
import { isControlling, isRetry, TurnQueue, unfailed, type Unfailed, type Waiting } from './turn-queue.ts'

/** `busy`: in the middle of a turn that is not being committed. */
type State = 'loading' | 'idle' | 'busy' | 'committing' | 'ended'

const redoLimit = 5

/**
 * What a workflow may have kept among the dead letters. Who waits for the outcome of a child or an activity would wait for
 * ever if that were lost.
 */
const mayBeDead: ReadonlySet<Envelope['type']> = new Set(['send', 'start'])

export class Instance<D extends Delivery> {
  readonly address: Address
  readonly #workflow: PreparedWorkflow
  readonly #host: InstanceHost<D>
  #state: State = 'loading'
  readonly #queue = new TurnQueue<D>()
  #turn = new Turn<D>()
  readonly #resident: Resident<D>
  #armedFor: number | undefined
  #redone = 0
  /** While its turn is to be done again, the revision of what was in memory. */
  #undoneAt: number | undefined
  /** Set while a write was too large: each thing waiting gets a turn of its own, so that only one is refused. */
  #singly = false
  /** Nothing was stored since it came into memory: what its record says is running ran in another process, if at all. */
  #isNew = true
  /** Nobody has looked whether it has a record. */
  #isPresumed = false
  #passivating = false
  #finishing = false

  constructor(address: Address, workflow: PreparedWorkflow, host: InstanceHost<D>) {
    this.address = address
    this.#workflow = workflow
    this.#host = host
    this.#resident = new Resident(workflow, {
      selfSent: (path, event) => this.#enqueue({ type: 'self', path, event }),
      uncancelled: () => this.#queue.add({ type: 'uncancelled' }),
    })
  }

  /**
   * Begins its life in memory by asking for its record.
   *
   * @param isPresumedNew whether a start follows that may well be its first: then it begins as if it had no record
   */
  begin(isPresumedNew = false): void {
    if (!isPresumedNew) return this.#host.load()
    this.#isPresumed = true
    this.#state = 'idle'
  }

  /** An envelope from the inbox, in the order of the inbox. */
  deliver(delivery: D): void {
    this.#enqueue({ type: 'delivery', delivery, isReplaced: false })
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

  /** There is room for the turn that could not be begun. */
  enter(): void {
    if (this.#state === 'idle' && !this.#queue.isEmpty) this.#next()
  }

  /** Whether a cancel that is on its way will stop everything that runs for it, as it is now. */
  isStoppedBy(manner: CancelManner): boolean {
    return this.#draft?.isStoppedBy(manner) === true
  }

  /**
   * The host has interrupted activities for a cancel that is on its way. Those that it leaves run again.
   *
   * @param attempts by incarnation, the attempt that was interrupted
   */
  interrupted(attempts: ReadonlyMap<number, number>): void {
    this.#resident.interrupted(attempts)
  }

  /** The cancel has not come: what was interrupted for it runs again. */
  uncancelled(): void {
    if (this.#resident.isInterrupted) this.#enqueue({ type: 'uncancelled' })
  }

  /**
   * Holds it, or lets it go. Held, it takes nothing but control envelopes and runs nothing, but delivers what it owes
   * others. What its parts have told already is taken first.
   */
  hold(isHeld: boolean): void {
    if (this.#resident.isHeld === isHeld) return
    this.#resident.isHeld = isHeld
    // Otherwise it is seen to when it has been loaded.
    if (this.#state === 'loading' || this.#state === 'ended' || this.#finishing) return
    this.#queue.putBack([{ type: 'hold' }])
    if (this.#state === 'idle') this.#next()
  }

  get hasActivities(): boolean {
    return this.#draft?.hasActivities === true
  }

  /** What it is doing; undefined while that is not known, and when it is over. */
  supervised(withActivities: boolean): SupervisedInstance | undefined {
    const draft = this.#draft
    if (draft === undefined) return undefined
    return {
      address: this.address,
      status: draft.status,
      state: formatState((draft.liveSnapshot as { readonly value?: unknown }).value),
      isHeld: this.#resident.isHeld,
      children: withActivities
        ? draft.activities.map(activity => supervisedActivity(activity, this.#isStopped))
        : [],
    }
  }

  /** An outbox entry has reached its destination. */
  delivered(effectId: string): void {
    // What an action sends to its own instance is not taken any more: the next owner must run it again.
    if (this.#finishing) return
    if (this.#queue.hasSelfSent) this.#queue.add({ type: 'acted', effectId })
    else this.#draft?.markDelivered(effectId)
    if (this.#state === 'idle') this.#next()
  }

  /**
   * Leaves memory if nothing is going on. An instance with running activities or undelivered effects stays.
   *
   * @returns whether it leaves; it has left when the host is told `ended`
   */
  passivate(): boolean {
    if (this.#state !== 'idle' || !this.#queue.isEmpty || (this.#draft?.owesNow ?? 0) > 0) return false
    if (this.#isVolatile) return false
    this.#passivating = true
    this.#rest()
    return true
  }

  /**
   * Gives back what it has not begun with: deliveries that are no control envelopes, to be delivered again later.
   *
   * @returns false when it is in the middle of something: then it keeps everything
   */
  yield(): boolean {
    if (this.#state !== 'idle' || this.#turn.taken.length > 0) return false
    this.#queue.giveBack()
    return true
  }

  loaded(stored: StoredRecord | undefined): void {
    if (this.#state !== 'loading') return
    if (stored !== undefined) {
      try {
        this.#resident.load(stored)
      } catch (cause) {
        const reason = `${this.#name} does not fit the machine of its workflow any more: ${messageOf(cause)}`
        this.loadFailed(new RuntimeError('RECORD_MALFORMED', reason, { cause }))
        return
      }
    }
    if (this.#undoneAt !== undefined) this.#keepRunning(stored?.revision === this.#undoneAt)
    if (this.#draft !== undefined) {
      const isStopping = this.#queue.isFailing && !this.#isFull
      if (this.#resident.isHeld) this.#draft.hold()
      // Nothing of it would be taken any more: it is for the next owner to ask for.
      if (!this.#finishing) this.#draft.resume(isStopping)
      // An effect may tell something at once: until everything is in place, it only waits.
      this.#host.perform(this.#draft.takeEffects(), this.#draft)
      if (!isStopping) this.#restartLost()
    }
    if (this.#isStopped) this.#stop()
    else this.#host.goesOn(this.#isThere)
    this.#state = 'idle'
    this.#arm()
    this.#next()
  }

  /** The record cannot be read. What waits is refused, and the record is left as it is. */
  loadFailed(error: RuntimeError): void {
    if (this.#state !== 'loading') return
    const code = error.code === 'RECORD_FORMAT_UNSUPPORTED' ? error.code : 'RECORD_MALFORMED'
    for (const item of this.#queue.takeAll().map(unfailed)) {
      if (item.type !== 'delivery') continue
      this.#host.settle(item.delivery, { type: 'rejected', code, message: error.message })
    }
    this.#end(error)
  }

  committed(revision: number): void {
    if (this.#state !== 'committing') return
    this.#resident.revision = revision
    this.#redone = 0
    this.#isNew = false
    this.#isPresumed = false
    const draft = this.#draft!
    // An effect may tell something at once: until the turn is settled, it only waits.
    this.#host.perform(draft.takeEffects(), draft)
    const wasControlled = isControlling(this.#turn.taken.at(-1))
    this.#settle()
    if (this.#isStopped) this.#stop()
    else if (wasControlled) this.#goOn()
    this.#state = 'idle'
    this.#arm()
    this.#next()
  }

  /** Another write came first. If this node still is the owner, the turn is done again from what is stored. */
  conflicted(error: RuntimeError, isOwner: boolean): void {
    if (this.#state !== 'committing') return
    if (!isOwner || ++this.#redone > redoLimit) this.#end(error)
    else this.#redo(this.#turn.anew)
  }

  /** The store will never take this record: it is too large, or holds what cannot be stored. The culprit is refused. */
  refused(error: RuntimeError): void {
    if (this.#state !== 'committing') return
    if (this.#isPresumed) return this.#redo(this.#turn.again)
    const { taken } = this.#turn
    const culprit = taken[0] && unfailed(taken[0])
    const replacement = culprit && replacing(culprit, error)
    if (taken.length > 1) {
      this.#singly = true
      this.#redo(this.#turn.again)
    } else if (replacement !== undefined) {
      this.#redo([replacement])
    } else if (culprit?.type === 'delivery') {
      const { message } = error
      const code = error.code === 'VALUE_UNSUPPORTED' ? error.code : 'PAYLOAD_TOO_LARGE'
      this.#host.settle(culprit.delivery, { type: 'rejected', code, message })
      this.#redo([])
    } else if (culprit?.type === 'self') {
      this.#redo([])
    } else if (culprit?.type === 'restart' && culprit.isCounted) {
      // Maybe there is no room for the count.
      this.#isNew = false
      this.#redo([])
    } else if (culprit?.type === 'wake' || culprit?.type === 'report') {
      this.#suspendFor(culprit, error)
    } else {
      this.#end(error)
    }
  }

  /**
   * Leaves memory once the turn under way is stored, what its activities have told, and that its actions have run: the next
   * owner would run them again. Envelopes that wait are left unsettled, for the next owner.
   */
  finish(): void {
    this.#finishing = true
    this.#queue.forgetDeliveries()
    const owesCommit = this.#isHolding || this.#draft?.hasActed === true
    if (this.#state === 'idle' && owesCommit) this.#commit(this.#host.now())
    // What waits for room in the record waits for the next owner.
    else if (this.#state === 'idle') this.#next()
    else if (this.#state === 'loading' && this.#queue.isEmpty) this.#end()
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
    this.#queue.add(item)
    if (this.#state === 'idle') this.#next()
  }

  /** Begins the next turn if anything waits. */
  #next(): void {
    if (this.#queue.isEmpty || (this.#finishing && this.#isFull)) {
      this.#singly = false
      if (this.#finishing) this.#end()
      else this.#rest()
      return
    }
    if (this.#host.isCrowded && this.#queue.isPatient) {
      this.#host.awaitRoom()
      return
    }
    const isSingle = this.#singly || this.#workflow.persistence.isSingle
    const now = this.#host.now()
    let item = this.#queue.take(this.#isFull)
    // Then what waits is taken when something has been delivered.
    if (item === undefined) return
    let isChosen = false
    while (item !== undefined) {
      const at: number = item.at ?? now
      const decision = this.#try(item, at)
      if (decision === undefined) return
      this.#turn.add(item, decision, at)
      const choice: boolean | undefined = decision.type === 'accepted' && this.#isChosen(item, at)
      if (choice === undefined) return
      isChosen = choice
      const isLast: boolean = isSingle || isChosen || this.#isFull || this.#isStopped || isControlling(item)
      item = isLast ? undefined : this.#queue.take(false)
    }
    if (!this.#isHolding) {
      this.#state = 'busy'
      const wasHeldOrLetGo = this.#turn.taken.at(-1)?.type === 'hold'
      this.#settle()
      if (wasHeldOrLetGo) this.#heldOrLetGo()
      this.#state = 'idle'
      this.#arm()
      this.#next()
    } else if (isChosen || this.#mustCommit()) {
      this.#commit(now)
    } else {
      this.#hold()
    }
  }

  /**
   * Whether its workflow wants a revision of the state that it has come to by what it has taken last. Undefined when that
   * could not be said: then the turn is being done again, as if that had thrown.
   */
  #isChosen(item: Waiting<D>, now: number): boolean | undefined {
    const draft = this.#draft!
    // Any other is committed anyway, and has no state to choose by if it has come to an end before it began.
    if (!isLive(draft.status) || (isControlling(item) && !isRetry(item))) return false
    try {
      return draft.isChosen(this.#turn.event, now)
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error
      this.#undo(unfailed(item), error.incident, now, this.#turn.again.slice(0, -1))
      return undefined
    }
  }

  #mustCommit(): boolean {
    const { persistence } = this.#workflow
    if (!persistence.mayHold || this.#singly || this.#isFull || this.#finishing) return true
    const { applied, taken } = this.#turn
    if (this.#isStopped || isControlling(taken.at(-1))) return true
    const draft = this.#draft!
    return persistence.mustCommit({
      applied,
      isNew: this.#resident.revision === 0,
      isFinal: isFinal(draft.status),
      isResting: this.#queue.isEmpty && !draft.isBusy,
      isAsking: draft.isAsking,
    })
  }

  /** Goes on without a commit. What has been taken stays in the turn. */
  #hold(): void {
    const draft = this.#draft!
    const { maxHoldMs, startsEarly } = this.#workflow.persistence
    this.#host.flushAfter(maxHoldMs)
    if (startsEarly) {
      // An activity may tell something at once: until all have begun, it only waits.
      this.#state = 'busy'
      this.#host.perform(draft.takeActivityEffects(), draft)
      this.#state = 'idle'
    }
    this.#arm()
    if (!this.#queue.isEmpty) this.#next()
  }

  /** Undefined when it has thrown, or should have thrown and need not: then the turn is being done again. */
  #try(item: Waiting<D>, now: number): Decision | undefined {
    try {
      if (item.type !== 'failed') return this.#resident.apply(item, now)
      const decision = this.#resident.suspend(item, now)
      if (decision === undefined) this.#redo([...this.#turn.again, item.item])
      return decision
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error
      this.#undo(unfailed(item), error.incident, now, this.#turn.again)
      return undefined
    }
  }

  /**
   * Does the turn again, with what its workflow wants instead of a step that throws.
   *
   * @param again what came before it
   */
  #undo(item: Unfailed<D>, incident: Incident, at: number, again: readonly Waiting<D>[]): void {
    if (this.#isPresumed) return this.#redo([...again, { ...item, at }])
    const { onError } = this.#workflow
    if (onError === 'deadLetter' && item.type === 'delivery' && mayBeDead.has(item.delivery.envelope.type)) {
      const { code, error } = incident
      this.#host.settle(item.delivery, { type: 'rejected', code, message: messageOf(error) })
      this.#redo(again)
    } else {
      this.#redo([...again, { type: 'failed', item, incident, at }])
    }
  }

  /**
   * Nobody can be told that it is refused, and it would come again, whoever runs the instance: so the instance waits for
   * somebody who changes what it leads to. If not even that can be stored, it cannot go on.
   */
  #suspendFor(item: Unfailed<D>, error: RuntimeError): void {
    if (this.#turn.taken[0]?.type === 'failed') return this.#end(error)
    const at = this.#host.now()
    const incident: Incident = { at, code: 'STEP_FAILED', actor: '', error: plainError(error), tries: 1 }
    this.#redo([{ type: 'failed', item, incident, at }])
  }

  #commit(now: number): void {
    const draft = this.#draft!
    const record = draft.record(now)
    this.#state = 'committing'
    // It was for what is being committed: what is held after that has all its time.
    this.#host.flushAfter(undefined)
    if (!this.#workflow.persistence.isStored) {
      this.committed(this.#resident.revision)
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
    this.#host.commit(record, summary, this.#resident.revision)
  }

  /** Tells every sender of the turn what became of its envelope. */
  #settle(): void {
    const turn = this.#turn
    this.#turn = new Turn()
    turn.settle(this.#host, this.#resident.revision, () => this.#resident.snapshot())
  }

  /** Nothing waits. A finished or unwanted instance leaves, once its record no longer lists what is delivered. */
  #rest(): void {
    this.#host.rested()
    const draft = this.#draft
    const leaves = draft === undefined || !isLive(draft.status) || this.#passivating
    if (!leaves || this.#isVolatile) return
    if (draft !== undefined && draft.owesNow > 0) return
    if (draft?.hasDelivered === true || this.#isHolding) {
      this.#commit(this.#host.now())
    } else {
      this.#end()
    }
  }

  /** No record says so, so there is no commit to wait for. */
  #heldOrLetGo(): void {
    const draft = this.#draft
    if (draft !== undefined) this.#host.perform(draft.takeEffects(), draft)
    if (this.#isStopped) this.#stop()
    else this.#goOn()
  }

  #goOn(): void {
    this.#host.goesOn(this.#isThere)
    this.#restartLost()
  }

  #restartLost(): void {
    if (this.#draft?.hasLost === true && !this.#finishing) this.#queue.addRestart(this.#isNew)
  }

  /** From here on it takes only control envelopes. */
  #stop(): void {
    // What ends an instance must not come before what starts it, and that may be waiting.
    this.#queue.giveBack(this.#isThere)
    this.#host.stopped(this.#isThere)
  }

  #redo(items: readonly Waiting<D>[]): void {
    this.#queue.putBack(items)
    this.#turn = new Turn()
    // What runs goes on if the record turns out to be the one that has asked for it. Else it may not tell anything: what
    // begins in the turn done again may have the same numbers.
    if (this.#workflow.persistence.startsEarly) this.#host.abandonActivities()
    else this.#undoneAt = this.#resident.revision
    this.#resident.forget()
    this.#isPresumed = false
    this.#state = 'loading'
    this.#host.load()
  }

  /** @param isSame whether nothing was stored since what runs was asked for */
  #keepRunning(isSame: boolean): void {
    this.#undoneAt = undefined
    if (isSame && !this.#isStopped) this.#draft?.keepRunning(attempts => this.#host.keepActivities(attempts))
    else this.#host.abandonActivities()
  }

  #end(error?: Error): void {
    this.#resident.forget()
    this.#queue.takeAll()
    this.#turn = new Turn()
    this.#state = 'ended'
    // An instance that cannot go on would otherwise be woken again and again for the same reason.
    if (error !== undefined) this.#host.wakeAt(undefined)
    this.#host.abandonActivities()
    this.#host.ended(error)
  }

  #arm(): void {
    const dueAt = this.#resident.isHeld ? undefined : this.#draft?.dueAt
    if (dueAt === this.#armedFor) return
    this.#armedFor = dueAt
    this.#host.wakeAt(dueAt)
  }

  /** Whether it has been started, as far as is stored. */
  get #isThere(): boolean {
    return this.#resident.isThere
  }

  get #draft(): Draft | undefined {
    return this.#resident.draft
  }

  get #isStopped(): boolean {
    return this.#resident.isHeld || this.#draft?.isStopped === true
  }

  /** Whether it would be lost with this process, though it has not finished. */
  get #isVolatile(): boolean {
    const { persistence } = this.#workflow
    return !persistence.isStored && this.#draft !== undefined && !isFinal(this.#draft.status)
  }

  /** Whether its record has no room for much more. */
  get #isFull(): boolean {
    return this.#draft?.isFull === true
  }

  /** Whether anything has changed since the last commit. */
  get #isHolding(): boolean {
    return this.#turn.applied > 0
  }

  get #name(): string {
    return `${this.address.workflow}/${this.address.id}`
  }
}
