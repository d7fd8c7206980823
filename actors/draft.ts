/**
 * The next record of an instance, being written.
 *
 * A draft holds the live actors of one instance and everything else its record will say. Events step it;
 * what the steps ask of the world collects as effects. `record()` is what must be committed before any of the
 * effects may be performed. If the commit fails, throw the draft away and make a new one from the stored
 * record.
 */
import type { ActivityReport } from './activity.ts'
import { Bulks } from './bulks.ts'
import {
  cancelEvent,
  cancellationBy,
  mannerOf,
  statusUnderCancellation,
  type Cancellation,
  type CancelManner,
} from './cancellation.ts'
import type { Effect } from './effect.ts'
import {
  isControl,
  type CancelEnvelope,
  type ControlEnvelope,
  type Delivery,
  type EditEnvelope,
  type Envelope,
  type GrantEnvelope,
  type StartEnvelope,
} from './envelope.ts'
import { isRuntimeError } from './errors.ts'
import { Family } from './family.ts'
import { endedIn, failureOf, isUnborn, StepFailure, type Incident, type IncidentCause } from './incident.ts'
import { Invocations } from './invocations.ts'
import type { PreparedWorkflow } from './machine.ts'
import { Outbox, type ItemEntry, type TaskEntry } from './outbox.ts'
import { PendingEffects } from './pending-effects.ts'
import { Permits } from './permits.ts'
import type { PoolGranted } from './pool.ts'
import type { ActorPath } from './address.ts'
import type { EventObject } from './event.ts'
import { plainError } from './plain-error.ts'
import type { PersistedSnapshot } from './snapshot.ts'
import { isFinal, type ActivityRecord, type InstanceRecord, type InstanceStatus } from './record.ts'
import { attemptTimedOut, isOfAttempt, Remotes } from './remotes.ts'
import { isRepetition, nothingApplied, withApplied, withControlApplied, type Applied } from './repetition.ts'
import type { Over } from './supervisors/activity.ts'
import { Timers } from './timers.ts'
import type { LeafOutcome } from './leaf-outcome.ts'
import { takes } from './xstate/takes.ts'
import type { TreeEffect } from './xstate/tree-effect.ts'
import { ActorTree, type TreeOptions } from './xstate/tree.ts'

const none: readonly never[] = Object.freeze([])

/** What the status of the root actor makes of the instance. */
const statuses = { active: 'running', done: 'done', error: 'failed', stopped: 'cancelled' } as const

/** The parts of a record that no step changes. */
type Identity = Pick<InstanceRecord, 'workflow' | 'id' | 'version' | 'createdAt' | 'inputDigest' | 'parent'>

/** What a draft goes on from. */
type Base = Pick<InstanceRecord, 'timers' | 'activities' | 'outbox' | 'counter'> & Applied

/** Whether a step changed anything: `ignored` when no transition was enabled. */
export type Reception = 'accepted' | 'ignored'

export class Draft {
  readonly #identity: Identity
  readonly #workflow: PreparedWorkflow
  readonly #tree: ActorTree
  readonly #timers: Timers
  readonly #invocations: Invocations
  readonly #effects = new PendingEffects()
  readonly #outbox: Outbox
  readonly #family: Family
  #applied: Applied
  #counter: number
  #lastEvent = ''
  /** Undefined while it goes on. */
  #stop: { readonly reason: string | undefined } | undefined
  #cancellation: Cancellation | undefined
  /** Undefined unless it is suspended. */
  #incident: Incident | undefined
  /** What the step under way is made by, and how often it has been tried. */
  #cause: IncidentCause | undefined
  #tries = 1
  #isHeld = false

  /** Takes the events that an action sends to its own actor after the commit. */
  onSelfSent: (path: ActorPath, event: EventObject) => void = () => {}

  private constructor(
    identity: Identity,
    base: Base,
    workflow: PreparedWorkflow,
    grow: (options: TreeOptions) => ActorTree,
  ) {
    this.#identity = identity
    this.#workflow = workflow
    const { workflow: name, id, parent } = identity
    const { control, cursor, recent, sources } = base
    this.#applied = { control, cursor, recent, sources }
    this.#counter = base.counter
    const nextNumber = () => ++this.#counter
    this.#tree = grow({
      address: `${name}/${id}`,
      machines: workflow.machines,
      nextNumber,
      onOutsideEvent: (path, event) => this.onSelfSent(path, event),
    })
    this.#timers = new Timers(base.timers)
    const address = { workflow: name, id }
    const effects = this.#effects
    const itemOf = (entry: ItemEntry) => bulks.effectOf(entry)
    const taskOf = (entry: TaskEntry) => this.#invocations.taskOf(entry)
    const tree = this.#tree
    this.#outbox = new Outbox({ address, effects, itemOf, nextNumber, taskOf, tree }, base.outbox)
    const family = new Family(address, parent, this.#outbox)
    const bulks = new Bulks(family, this.#outbox)
    for (const activity of base.activities) bulks.adopt(activity, this.#tree.logicOf(activity.path))
    this.#family = family
    const logicOf = (path: ActorPath) => this.#tree.logicOf(path)
    const remotes = new Remotes({ address, logicOf, outbox: this.#outbox })
    const permits = new Permits(address, this.#outbox)
    const parts = { bulks, effects, family, logicOf, permits, remotes }
    this.#invocations = new Invocations(parts, base.activities)
  }

  /**
   * The first draft of an instance. `seq` is the envelope's place in the inbox.
   *
   * @throws StepFailure when its machine does not start, unless its workflow says that it fails then
   */
  static start(workflow: PreparedWorkflow, envelope: StartEnvelope, seq: number, now: number): Draft {
    const draft = Draft.unborn(workflow, envelope, seq, now)
    draft.#begin(envelope, now)
    return draft
  }

  /** The same, before anything in it has begun. */
  static unborn(workflow: PreparedWorkflow, envelope: StartEnvelope, seq: number, now: number): Draft {
    const { target, inputDigest, parent } = envelope
    const identity = { ...target, version: workflow.version, createdAt: now, inputDigest, parent }
    const applied = withApplied(nothingApplied, envelope, seq)
    const base = { timers: none, activities: none, outbox: none, counter: 0, ...applied }
    return new Draft(identity, base, workflow, options => ActorTree.blank(options))
  }

  /**
   * A draft that goes on from a stored record. The record is used up: do not read it afterwards.
   *
   * @throws Error when the snapshot does not fit the machine
   */
  static from(workflow: PreparedWorkflow, record: InstanceRecord, lastEvent = ''): Draft {
    const { workflow: name, id, version, createdAt, inputDigest, parent } = record
    const identity = { workflow: name, id, version, createdAt, inputDigest, parent }
    const draft = new Draft(identity, record, workflow, options =>
      isUnborn(record.incident)
        ? ActorTree.blank(options)
        : ActorTree.restore(workflow.machine, record.snapshot, options),
    )
    draft.#lastEvent = lastEvent
    draft.#incident = record.incident
    if (record.status === 'paused') draft.#stop = { reason: record.stopReason }
    draft.#cancellation = record.cancellation
    return draft
  }

  get status(): InstanceStatus {
    if (this.#incident !== undefined) return 'suspended'
    if (this.#stop !== undefined) return 'paused'
    const status = statuses[this.#tree.status]
    return this.#cancellation === undefined ? status : statusUnderCancellation(status)
  }

  /** Whether it takes only control envelopes, and nothing of it runs, until it goes on. */
  get isStopped(): boolean {
    return this.#stop !== undefined || this.#incident !== undefined
  }

  /** Why it is suspended; undefined when it is not. */
  get incident(): Incident | undefined {
    return this.#incident
  }

  /** Whether activities were running when the record was stored that have yet to be restarted. */
  get hasLost(): boolean {
    return !this.#isHalted && this.#invocations.hasLost
  }

  /** Whether nothing of it runs for a reason that is not its own: its record says nothing of it. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  /** Earliest moment at which a timer, a retry, the end of an activity's time or its own end is due; undefined: never. */
  get dueAt(): number | undefined {
    if (this.isStopped) return undefined
    const due = Math.min(this.#timers.dueAt, this.#invocations.dueAt, this.#deadline)
    return due === Number.POSITIVE_INFINITY ? undefined : due
  }

  /** How many activities are running and entries undelivered. What a stopped one is not going to do does not count. */
  get owes(): number {
    if (this.isStopped) return this.#outbox.owedToOthers
    return this.#invocations.running + this.#outbox.owed
  }

  /** The same, of what this process can do anything about now. */
  get owesNow(): number {
    return this.#isHalted ? this.#outbox.owedToOthers : this.owes
  }

  /** Whether an activity is running. */
  get isBusy(): boolean {
    return !this.isStopped && this.#invocations.running > 0
  }

  get hasActivities(): boolean {
    return !this.#invocations.isEmpty
  }

  /** Those that it wants. */
  get activities(): readonly ActivityRecord[] {
    return this.#invocations.list()
  }

  /** Whether anything is asked for that waits for the commit. */
  get isAsking(): boolean {
    return this.#effects.isAsking
  }

  /** Whether so much waits to be delivered that it should take nothing more until some of it is. */
  get isFull(): boolean {
    return this.#outbox.isFull
  }

  /** True when the stored outbox lists entries that have been delivered since. */
  get hasDelivered(): boolean {
    return this.#outbox.hasDelivered
  }

  /** Type of the last event that changed anything. */
  get lastEvent(): string {
    return this.#lastEvent
  }

  /** The live snapshot of the root machine. */
  get liveSnapshot(): unknown {
    return this.#tree.snapshot
  }

  /** True when this envelope has been applied before, now or in an earlier life. */
  knows(envelope: Envelope, seq: number, isInOrder = false): boolean {
    return isRepetition(this.#applied, envelope, seq, isInOrder)
  }

  /**
   * Applies what came from the inbox. Never call it when the status is final; a stopped one takes only control.
   *
   * @throws StepFailure, as everything that steps, unless its workflow says that it fails then
   * @param isInOrder it has not come ahead of others, even if it is a control envelope
   */
  deliver(
    envelope: Exclude<Envelope, EditEnvelope | StartEnvelope>,
    seq: number,
    now: number,
    isInOrder = false,
  ): Reception {
    this.#markApplied(envelope, seq, isInOrder)
    if (!this.#isHeld) return this.#deliver(envelope, now)
    const owed = this.#outbox.actions
    const reception = this.#deliver(envelope, now)
    // It may have ended by that, or been asked for more that must wait.
    if (this.#isHalted) this.#invocations.halt()
    else this.#outbox.resumeActions(owed)
    return reception
  }

  /**
   * Suspends it: nothing of it runs, and it takes only control envelopes, until somebody has dealt with the incident.
   *
   * @param delivery the envelope that has led to it, which counts as applied
   */
  suspend(incident: Incident, delivery?: Delivery): void {
    if (delivery !== undefined) this.#markApplied(delivery.envelope, delivery.seq, delivery.isInOrder)
    if (!this.isStopped) this.#invocations.halt()
    this.#stop = undefined
    this.#incident = incident
    this.#lastEvent = 'suspend'
  }

  /**
   * The draft of a stopped instance in another state. Neither what the old state leaves nor what the new one enters
   * happens: activities and timers stay as they are.
   *
   * @throws Error when the machine has no such state; then this one can be gone on with
   */
  edited(envelope: EditEnvelope, seq: number, now: number): Draft {
    const record = this.record(now)
    const { context, value } = envelope
    const draft = Draft.from(
      this.#workflow,
      { ...record, snapshot: { ...record.snapshot, context, value } },
      'edit',
    )
    draft.#markApplied(envelope, seq)
    return draft
  }

  /** Applies an event that an action of the instance itself has sent. */
  deliverSelf(path: ActorPath, event: EventObject, now: number): Reception {
    this.#cause = { type: 'self', path, event }
    return this.#send(path, event, now)
  }

  /**
   * Fires every timer that is due, in the order they were due, then ends the activities, the waits for a pool and the
   * attempts of workers whose time is up, and begins every retry that is due. What becomes due by that is for the next
   * call. When its time to come to an end is over, it stops.
   *
   * @param until the number of a timer, which is only taken out: neither it nor what was due after it happens
   */
  fireDue(now: number, until?: number): Reception {
    if (this.#deadline <= now) return this.#stopAll({ force: true }, now)
    let reception: Reception = 'ignored'
    for (const timer of this.#timers.due(now)) {
      // An earlier one of this round may have cancelled or replaced it, or ended the instance.
      if (!this.#timers.take(timer)) continue
      const { target: path, event, dueAt, seq } = timer
      if (seq === until) return 'accepted'
      this.#cause = { type: 'timer', path, event, dueAt, seq }
      if (timer.to === undefined) this.#send(timer.target, timer.event, now)
      else this.#outbox.postEvent(timer.to, timer.event)
      reception = 'accepted'
    }
    for (const over of this.#invocations.expired(now)) {
      if (!this.#invocations.has(over.activity)) continue
      this.#invocations.stop(over.activity.path)
      this.#giveUp(over, now)
      reception = 'accepted'
    }
    for (const overdue of this.#invocations.overdue(now)) {
      // The end of an earlier one may have ended this one, too.
      if (!this.#invocations.recall(overdue)) continue
      const { path, incarnation, attempt } = overdue
      const outcome = { status: 'error', error: attemptTimedOut(overdue) } as const
      this.#report({ type: 'settled', path, incarnation, attempt, outcome }, now)
      reception = 'accepted'
    }
    return this.#invocations.retryDue(now) ? 'accepted' : reception
  }

  /** Applies what a running activity tells. Reports of invocations that are no longer current are ignored. */
  report(report: ActivityReport, now: number): Reception {
    this.#cause = { type: 'report', report }
    return this.#report(report, now)
  }

  #report(report: ActivityReport, now: number): Reception {
    const activity = this.#invocations.find(report.path, report.incarnation)
    if (activity === undefined) return 'ignored'
    switch (report.type) {
      case 'settled':
        if (!isOfAttempt(activity, report.attempt)) return 'ignored'
        if (report.index !== undefined) return this.#settleItem(activity, report.index, report.outcome, now)
        return this.#settle(activity, report.outcome, now, report.details)
      case 'heartbeat':
        this.#invocations.note(activity, report.details)
        return 'accepted'
      case 'event':
        return this.#collect(this.#tree.sendFrom(report.path, report.event), now, report.event.type)
      case 'moved':
        this.#collect(this.#tree.moveLeaf(report.path, report.context), now)
        return 'accepted'
    }
  }

  /**
   * Asks again for every delivery a stored record owes: used once, after loading, by whoever now runs the instance. A
   * stopped or held instance only delivers what it owes others.
   *
   * @param isStopping whether it is about to be stopped
   */
  resume(isStopping = false): void {
    if (this.#isHalted || isStopping) this.#outbox.resumeToOthers()
    else this.#outbox.resume()
  }

  /**
   * Runs again the activities that ran when the record was stored, as another attempt, unless they have settled since.
   *
   * @param isCounted whether the process in which they ran has ended
   */
  restart(now: number, isCounted: boolean): Reception {
    // What is going to be stopped at once need not begin again.
    if (!this.hasLost || this.#deadline <= now) return 'ignored'
    this.#giveUpAll(this.#invocations.restart(now, isCounted), now)
    return 'accepted'
  }

  /** Stops what runs, until it is let go: nothing is stored, so whoever loads the record must hold it anew. */
  hold(): void {
    if (!this.#isHalted) this.#invocations.halt()
    this.#isHeld = true
  }

  /** What it has stopped runs again, as another attempt, unless the instance is stopped itself. */
  letGo(now: number): Reception {
    const wasHalted = this.#isHalted
    this.#isHeld = false
    if (!wasHalted || this.#isHalted) return 'ignored'
    this.#resumeActivities(now)
    this.#outbox.resumeActions()
    return this.isAsking ? 'accepted' : 'ignored'
  }

  /**
   * Notes that an outbox entry has been delivered: the next record no longer lists it. What an action has sent to a
   * stopped or held instance was not taken, so it runs again when the instance goes on.
   */
  markDelivered(effectId: string): void {
    if (!this.#isHalted || !this.#outbox.isAction(effectId)) this.#outbox.markDelivered(effectId)
  }

  /** Whether a cancel that came now would stop everything that runs, or has done so. */
  isStoppedBy({ force }: CancelManner): boolean {
    if (isFinal(this.status)) return true
    if (this.isStopped) return false
    return force === true || (this.#cancellation === undefined && !this.#takesCancel(''))
  }

  /**
   * Runs again, as another attempt, activities that were interrupted for a cancel and are still wanted.
   *
   * @param attempts by incarnation, the attempt that was interrupted
   */
  rerun(attempts: ReadonlyMap<number, number>, now: number): Reception {
    this.#giveUpAll(this.#invocations.rerun(attempts, now), now)
    return 'accepted'
  }

  /** The logic an activity runs; undefined when its actor is gone. */
  logicOf(path: ActorPath): ReturnType<ActorTree['logicOf']> {
    return this.#tree.logicOf(path)
  }

  /** The effects since the last call that concern activities, to be performed before the record is committed. */
  takeActivityEffects(): readonly Effect[] {
    return this.#effects.takeOfActivities()
  }

  /** The effects since the last call, to be performed once the record is committed. */
  takeEffects(): readonly Effect[] {
    return this.#effects.take()
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
    const { control, cursor, recent, sources } = this.#applied
    return {
      workflow,
      id,
      version,
      status: this.status,
      createdAt,
      updatedAt: now,
      inputDigest,
      snapshot: this.snapshot(),
      timers: this.#timers.list(),
      activities: this.#invocations.list(),
      outbox: this.#outbox.list(),
      cursor,
      recent,
      sources,
      control,
      stopReason: this.#stop?.reason,
      cancellation: this.#cancellation,
      incident: this.#incident,
      parent,
      counter: this.#counter,
    }
  }

  #markApplied(envelope: Envelope, seq: number, isInOrder = false): void {
    this.#applied =
      isControl(envelope) && !isInOrder
        ? withControlApplied(this.#applied, envelope, seq)
        : withApplied(this.#applied, envelope, seq)
  }

  #deliver(envelope: Exclude<Envelope, EditEnvelope>, now: number): Reception {
    this.#cause = { type: 'envelope', envelope }
    switch (envelope.type) {
      case 'start':
        return this.#begin(envelope, now)
      case 'send':
        return this.#send('', envelope.event, now)
      case 'settle': {
        const { path, incarnation, index, attempt, outcome } = envelope
        return this.#report({ type: 'settled', path, incarnation, index, attempt, outcome }, now)
      }
      case 'grant':
        return this.#grant(envelope, now)
      case 'acquire':
      case 'release':
        // Only the machine of a pool is sent these: see admission.ts.
        return this.#send('', { ...envelope }, now)
      case 'cancel':
        return this.#cancel(envelope, now)
      case 'fail':
      case 'pause':
      case 'resume':
      case 'retry':
      case 'skip':
        return this.#control(envelope, now)
    }
  }

  #begin(envelope: StartEnvelope, now: number): Reception {
    this.#cause = { type: 'envelope', envelope }
    this.#tree.begin(this.#workflow.machine, envelope.input)
    return this.#collect(true, now, 'xstate.init')
  }

  #control(envelope: Exclude<ControlEnvelope, CancelEnvelope | EditEnvelope>, now: number): Reception {
    const { type } = envelope
    const wasStopped = this.isStopped
    if ((type === 'pause' && wasStopped) || (type === 'resume' && !wasStopped)) return 'ignored'
    const incident = this.#incident
    this.#lastEvent = type
    if (type === 'pause') {
      this.#invocations.halt()
      this.#stop = { reason: envelope.reason }
      return 'accepted'
    }
    switch (type) {
      case 'fail':
        this.#stop = undefined
        this.#incident = undefined
        this.#tree.end(failureOf(incident!, envelope.reason))
        this.#end()
        if (!this.#isHeld) this.#outbox.resumeActions()
        break
      case 'resume':
      case 'skip':
        this.#goOn(now)
        break
      case 'retry':
        this.#goOn(now, true)
        this.#stepAgain(incident!, now)
    }
    return 'accepted'
  }

  /** See cancellation.ts. A stopped instance goes on by it, without what has suspended it. */
  #cancel(envelope: CancelEnvelope, now: number): Reception {
    const { force, reason } = envelope
    const before = this.#cancellation
    const wasStopped = this.isStopped
    this.#cancellation = cancellationBy(envelope, now, this.#identity.parent, before)
    const isSame = before?.deadline === this.#cancellation.deadline && !wasStopped
    if (isSame && force !== true) return 'ignored'
    this.#lastEvent = envelope.type
    const takesIt = before !== undefined || this.#takesCancel(reason)
    if (wasStopped) this.#goOn(now)
    if (force === true || !takesIt) return this.#stopAll(mannerOf(envelope), now)
    return before === undefined ? this.#send('', cancelEvent(reason), now) : 'accepted'
  }

  #takesCancel(reason: string): boolean {
    return takes(this.#tree.snapshot, cancelEvent(reason))
  }

  /** Stops everything, and the children in that manner. */
  #stopAll(manner: CancelManner, now: number): Reception {
    this.#family.manner = manner
    return this.#collect(this.#tree.cancel(), now, 'cancel')
  }

  /** When it must have come to an end by itself; Infinity when nobody wants that. */
  get #deadline(): number {
    const isUnderWay = this.#cancellation !== undefined && this.#tree.status === 'active'
    return isUnderWay ? this.#cancellation!.deadline : Number.POSITIVE_INFINITY
  }

  /**
   * Goes on after a pause or an incident, before any step: that may no longer want some of what runs.
   *
   * @param isStepped whether what has suspended it follows; else it is dropped
   */
  #goOn(now: number, isStepped = false): void {
    const ended = this.#incident && endedIn(this.#incident)
    this.#stop = undefined
    this.#incident = undefined
    if (!this.#isHeld) this.#resumeActivities(now, ended?.incarnation)
    const isDropped = ended !== undefined && !isStepped
    if (isDropped && this.#invocations.find(ended.path, ended.incarnation)) this.#invocations.stop(ended.path)
    if (!this.#isHeld) this.#outbox.resumeActions()
  }

  /**
   * What is going to be stopped at once need not begin again.
   *
   * @param ended the incarnation of an invocation that has already told how it ended
   */
  #resumeActivities(now: number, ended?: number): void {
    if (this.#deadline > now) this.#giveUpAll(this.#invocations.resume(now, ended), now)
  }

  #stepAgain({ cause, tries }: Incident, now: number): void {
    this.#tries = tries + 1
    this.#cause = cause
    if (cause?.type === 'envelope') this.#deliver(cause.envelope, now)
    else if (cause?.type === 'report') this.#report(cause.report, now)
    else if (cause !== undefined) this.#send(cause.path, cause.event, now)
    this.#tries = 1
  }

  /** Whether nothing of it runs. What has finished is not halted: it still does what it owes. */
  get #isHalted(): boolean {
    return this.isStopped || (this.#isHeld && this.#tree.status === 'active')
  }

  #send(path: ActorPath, event: EventObject, now: number): Reception {
    return this.#collect(this.#tree.send(path, event), now, event.type)
  }

  /** One that nobody wants is given back, so it changes something, too. */
  #grant(grant: GrantEnvelope, now: number): Reception {
    this.#lastEvent = grant.type
    if (!this.#invocations.grant(grant)) return 'accepted'
    const event = { type: 'workflow.granted', pool: grant.pool } as const satisfies PoolGranted
    this.#collect(this.#tree.sendFrom(grant.path, event), now, event.type)
    return 'accepted'
  }

  /** @param details of the last heartbeat, if they are news */
  #settle(activity: ActivityRecord, outcome: LeafOutcome, now: number, details?: unknown): Reception {
    if (outcome.status === 'done') return this.#conclude(activity, outcome, now)
    const over = this.#invocations.fail(activity, outcome.error, details, now)
    return over === undefined ? 'accepted' : this.#giveUp(over, now)
  }

  #giveUpAll(overs: readonly Over[], now: number): void {
    for (const over of overs) {
      // An earlier one may have led the machine out of the state that wants it, or have suspended the instance.
      if (this.isStopped || !this.#invocations.has(over.activity)) continue
      this.#giveUp(over, now)
    }
  }

  /** What its supervisor cannot help any more is the machine's to deal with, or escalates to whoever looks after the instance. */
  #giveUp({ type, activity, error }: Over, now: number): Reception {
    const { path, incarnation } = activity
    if (type === 'escalated' && this.#workflow.onError !== 'fail') {
      this.suspend({ at: now, code: 'RESTARTS_EXCEEDED', actor: path, error: plainError(error), tries: 1 })
      return 'accepted'
    }
    const outcome = { status: 'error', error } as const
    this.#cause = { type: 'report', report: { type: 'settled', path, incarnation, outcome } }
    return this.#conclude(activity, outcome, now)
  }

  #conclude({ path }: ActivityRecord, outcome: LeafOutcome, now: number): Reception {
    this.#invocations.end(path)
    this.#lastEvent = `xstate.${outcome.status}.actor.${path}`
    this.#collect(this.#tree.settle(path, outcome), now)
    return 'accepted'
  }

  #settleItem(activity: ActivityRecord, index: number, outcome: LeafOutcome, now: number): Reception {
    const ending = this.#invocations.settleItem(activity.path, index, outcome)
    if (typeof ending === 'object') return this.#settle(activity, ending, now)
    if (ending === 'accepted') this.#lastEvent = 'settle'
    return ending
  }

  /**
   * Takes what a step asked for into the record, or among the effects, or both.
   *
   * @param event its type, when the step was made by one
   */
  #collect(isChanged: boolean, now: number, event?: string): Reception {
    if (this.#tree.status === 'error') this.#throwFailure(now)
    if (isChanged && event !== undefined) this.#lastEvent = event
    for (const effect of this.#tree.takeEffects()) this.#take(effect, now)
    if (this.#tree.status !== 'active') this.#end()
    return isChanged ? 'accepted' : 'ignored'
  }

  /** Throws what was thrown in the step, if it is that which has ended the root. */
  #throwFailure(at: number): void {
    const { thrown } = this.#tree
    if (thrown === undefined || this.#workflow.onError === 'fail') return
    const code = isRuntimeError(thrown.error, 'STEP_ENDLESS') ? 'STEP_ENDLESS' : 'STEP_FAILED'
    const error = plainError(thrown.error)
    throw new StepFailure({ at, code, actor: thrown.actor, error, tries: this.#tries, cause: this.#cause })
  }

  #end(): void {
    this.#timers.clear()
    this.#invocations.stopAll()
    if (this.status !== 'cancelled') this.#family.settle(this.#tree.snapshot)
    // A parent that cancelled it wants to hear nothing more.
    else if (this.#cancellation?.isParents !== true)
      this.#family.settleCancelled(this.#cancellation?.reason ?? '')
  }

  #take(effect: TreeEffect, now: number): void {
    switch (effect.type) {
      case 'setTimer': {
        const { owner, id, target, to, event, delayMs } = effect
        // Whole: with parts of a millisecond the headers could not be read, nor the timer found again.
        const dueAt = Math.ceil(now + Math.max(0, delayMs))
        const timer = { owner, id, target, event, dueAt, seq: ++this.#counter }
        this.#timers.set(to === undefined ? timer : { ...timer, to })
        return
      }
      case 'cancelTimer':
        this.#timers.cancel(effect.owner, effect.id)
        return
      case 'cancelTimers':
        this.#timers.cancelAllOf(effect.owner)
        return
      case 'start': {
        const { path, src, input } = effect
        const activity = { path, src, input, incarnation: ++this.#counter, attempt: 1, startedAt: now }
        this.#invocations.start(activity, this.#tree.logicOf(path))
        return
      }
      case 'stop':
        this.#invocations.stop(effect.path)
        return
      case 'deliver':
        this.#invocations.deliver(effect.path, effect.event)
        return
      case 'post':
        this.#outbox.postEvent(effect.target, effect.event)
        return
      case 'emit':
        this.#outbox.emit(effect.event)
        return
      case 'action':
        this.#outbox.act(effect)
        return
      case 'log':
        this.#effects.add(effect)
    }
  }
}
