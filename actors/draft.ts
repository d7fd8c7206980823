/**
 * The next record of an instance, being written.
 *
 * A draft holds the live actors of one instance and everything else its record will say. Events step it;
 * what the steps ask of the world collects as effects. `record()` is what must be committed before any of the
 * effects may be performed. If the commit fails, throw the draft away and make a new one from the stored
 * record.
 */
import type { ActivityReport } from './activity.ts'
import type { ActorPath } from './address.ts'
import type { CancelManner } from './cancellation.ts'
import type { Effect } from './effect.ts'
import { isControl, type Delivery, type EditEnvelope, type Envelope, type StartEnvelope } from './envelope.ts'
import type { EventObject } from './event.ts'
import { isUnborn, type Incident } from './incident.ts'
import type { PreparedWorkflow } from './machine.ts'
import type { ActivityRecord, InstanceRecord, InstanceStatus } from './record.ts'
import { nothingApplied, withApplied, withControlApplied, type Applied } from './repetition.ts'
import type { PersistedSnapshot } from './snapshot.ts'
import { Standing } from './standing.ts'
import { InstanceSupervisor } from './supervisors/instance.ts'
import { Stepping, type Base, type Identity, type Reception } from './stepping.ts'
import { ActorTree, type TreeOptions } from './xstate/tree.ts'

const none: readonly never[] = Object.freeze([])

/** So many numbers an instance that is never stored can hand out before they could be those of another life. */
const numbersOfLife = 2 ** 20

/** What a draft goes on from. */
interface Origin {
  readonly identity: Identity
  readonly base: Base & Applied
  readonly workflow: PreparedWorkflow
  readonly standing: Standing
  readonly lastEvent: string
  readonly grow: (options: TreeOptions) => ActorTree
}

export class Draft {
  readonly #identity: Identity
  readonly #workflow: PreparedWorkflow
  readonly #standing: Standing
  readonly #stepping: Stepping
  readonly #supervisor: InstanceSupervisor
  #applied: Applied

  /** Takes the events that an action sends to its own actor after the commit. */
  onSelfSent: (path: ActorPath, event: EventObject) => void = () => {}

  private constructor(origin: Origin) {
    const { identity, base, workflow, standing } = origin
    const { control, cursor, recent, sources } = base
    this.#identity = identity
    this.#workflow = workflow
    this.#standing = standing
    this.#applied = { control, cursor, recent, sources }
    // Behind what is spread, V8 of Node 20 takes microseconds to add a name.
    this.#stepping = new Stepping({ onSelfSent: (path, event) => this.onSelfSent(path, event), ...origin })
    const { parent } = identity
    this.#supervisor = new InstanceSupervisor({ parent, standing, stepping: this.#stepping })
  }

  /**
   * The first draft of an instance. `seq` is the envelope's place in the inbox.
   *
   * @throws StepFailure when its machine does not start, unless its workflow says that it fails then
   */
  static start(workflow: PreparedWorkflow, envelope: StartEnvelope, seq: number, now: number): Draft {
    const draft = Draft.unborn(workflow, envelope, seq, now)
    draft.#deliver(envelope, now)
    return draft
  }

  /** The same, before anything in it has begun. */
  static unborn(workflow: PreparedWorkflow, envelope: StartEnvelope, seq: number, now: number): Draft {
    const { inputDigest, parent } = envelope
    const { workflow: name, id } = envelope.target
    // Written out: to spread them in costs a tenth of what it takes to start.
    const { control, cursor, recent, sources } = withApplied(nothingApplied, envelope, seq)
    // Nobody knows how far the numbers of an earlier life have come if that was not stored. Yet a start that comes again
    // must hand out the same ones.
    const counter = workflow.persistence.isStored ? 0 : seq * numbersOfLife
    return new Draft({
      identity: { workflow: name, id, version: workflow.version, createdAt: now, inputDigest, parent },
      base: { timers: none, activities: none, outbox: none, counter, control, cursor, recent, sources },
      workflow,
      standing: new Standing(),
      lastEvent: '',
      grow: options => ActorTree.blank(options),
    })
  }

  /**
   * A draft that goes on from a stored record. The record is used up: do not read it afterwards.
   *
   * @throws Error when the snapshot does not fit the machine
   */
  static from(workflow: PreparedWorkflow, record: InstanceRecord, lastEvent = ''): Draft {
    const { workflow: name, id, createdAt, inputDigest, parent } = record
    return new Draft({
      // What is written from here on is of this version.
      identity: { workflow: name, id, version: workflow.version, createdAt, inputDigest, parent },
      base: record,
      workflow,
      standing: new Standing(record),
      lastEvent,
      grow: options =>
        isUnborn(record.incident)
          ? ActorTree.blank(options)
          : ActorTree.restore(workflow.machine, record.snapshot, options),
    })
  }

  get status(): InstanceStatus {
    return this.#supervisor.status
  }

  /** Whether it takes only control envelopes, and nothing of it runs, until it goes on. */
  get isStopped(): boolean {
    return this.#standing.isStopped
  }

  /** Why it is suspended; undefined when it is not. */
  get incident(): Incident | undefined {
    return this.#standing.incident
  }

  /** Whether nothing of it runs for a reason that is not its own: its record says nothing of it. */
  get isHeld(): boolean {
    return this.#standing.isHeld
  }

  /** Whether activities that ran, in this process or in another, have yet to be restarted or given up. */
  get hasLost(): boolean {
    return this.#supervisor.hasLost
  }

  /** Earliest moment at which a timer, a retry, the end of an activity's time or its own end is due; undefined: never. */
  get dueAt(): number | undefined {
    if (this.isStopped) return undefined
    const { invocations, timers } = this.#stepping
    const due = Math.min(timers.dueAt, invocations.dueAt, this.#supervisor.deadline)
    return due === Number.POSITIVE_INFINITY ? undefined : due
  }

  /**
   * How many activities are running, or at workers that must be heard of, and entries undelivered. What a stopped one is not
   * going to do does not count.
   */
  get owes(): number {
    const { invocations, outbox } = this.#stepping
    return this.isStopped ? outbox.owedToOthers : invocations.running + invocations.heard + outbox.owed
  }

  /** The same, of what this process can do anything about now. */
  get owesNow(): number {
    return this.#supervisor.isHalted ? this.#stepping.outbox.owedToOthers : this.owes
  }

  /** Whether an activity is running. */
  get isBusy(): boolean {
    return !this.isStopped && this.#stepping.invocations.running > 0
  }

  get hasActivities(): boolean {
    return !this.#stepping.invocations.isEmpty
  }

  /** Those that it wants. */
  get activities(): readonly ActivityRecord[] {
    return this.#stepping.invocations.list()
  }

  /** Whether anything is asked for that waits for the commit. */
  get isAsking(): boolean {
    return this.#stepping.effects.isAsking
  }

  /** Whether so much waits to be delivered that it should take nothing more until some of it is. */
  get isFull(): boolean {
    return this.#stepping.outbox.isFull
  }

  /** True when the stored outbox lists entries that have been delivered since. */
  get hasDelivered(): boolean {
    return this.#stepping.outbox.hasDelivered
  }

  /** True when actions are among them. */
  get hasActed(): boolean {
    return this.#stepping.outbox.hasActed
  }

  /** Type of the last event that changed anything. */
  get lastEvent(): string {
    return this.#stepping.lastEvent
  }

  /** The live snapshot of the root machine. */
  get liveSnapshot(): unknown {
    return this.#stepping.tree.snapshot
  }

  /** What it remembers of the envelopes applied to it, now or in an earlier life. */
  get applied(): Applied {
    return this.#applied
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
    if (!this.isHeld) return this.#deliver(envelope, now)
    const { invocations, outbox } = this.#stepping
    const owed = outbox.actions
    const reception = this.#deliver(envelope, now)
    // It may have ended by that, or been asked for more that must wait.
    if (this.#supervisor.isHalted) invocations.halt()
    else outbox.resumeActions(owed)
    return reception
  }

  /** Applies an event that an action of the instance itself has sent. */
  deliverSelf(path: ActorPath, event: EventObject, now: number): Reception {
    this.#stepping.madeBy({ type: 'self', path, event })
    return this.#stepping.send(path, event, now)
  }

  /** Applies what a running activity tells. Reports of invocations that are no longer current are ignored. */
  report(report: ActivityReport, now: number): Reception {
    this.#stepping.madeBy({ type: 'report', report })
    return this.#stepping.report(report, now)
  }

  /**
   * Whether its workflow wants a revision of the state that it has come to. Ask after whatever it takes.
   *
   * @param event the last that was applied
   */
  isChosen(event: EventObject | undefined, now: number): boolean {
    return this.#stepping.isChosen(event, now)
  }

  /**
   * Lets everything happen whose moment has come: see {@link Stepping.fireDue}. When its time to come to an end is over, it
   * stops.
   *
   * @param until the number of a timer, which is only taken out: neither it nor what was due after it happens
   */
  fireDue(now: number, until?: number): Reception {
    this.#stepping.madeBy(undefined)
    if (this.#supervisor.deadline <= now) return this.#stepping.cancel({ force: true }, now)
    return this.#stepping.fireDue(now, until)
  }

  /**
   * Suspends it: nothing of it runs, and it takes only control envelopes, until somebody has dealt with the incident.
   *
   * @param delivery the envelope that has led to it, which counts as applied
   */
  suspend(incident: Incident, delivery?: Delivery): void {
    if (delivery !== undefined) this.#markApplied(delivery.envelope, delivery.seq, delivery.isInOrder)
    this.#stepping.suspend(incident)
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

  /**
   * Asks again for every delivery a stored record owes: used once, after loading, by whoever now runs the instance. A
   * stopped or held instance only delivers what it owes others.
   *
   * @param isStopping whether it is about to be stopped
   */
  resume(isStopping = false): void {
    this.#supervisor.resume(isStopping)
  }

  /**
   * Runs again the activities that ran when the record was stored, as another attempt, unless they have settled since, and
   * gives up those that do not go on.
   *
   * @param isCounted whether the process in which they ran has ended
   */
  restart(now: number, isCounted: boolean): Reception {
    this.#stepping.madeBy(undefined)
    return this.#supervisor.restart(now, isCounted)
  }

  /**
   * Runs again, as another attempt, activities that were interrupted for a cancel and are still wanted.
   *
   * @param attempts by incarnation, the attempt that was interrupted
   */
  rerun(attempts: ReadonlyMap<number, number>, now: number): Reception {
    this.#stepping.madeBy(undefined)
    return this.#supervisor.rerun(attempts, now)
  }

  /** What of that which the record says is running still runs in this process, as nothing else was stored since. */
  keepRunning(keep: (attempts: ReadonlyMap<number, number>) => ReadonlySet<number>): void {
    const { invocations } = this.#stepping
    invocations.keep(keep(invocations.lost))
  }

  /** Stops what runs, until it is let go: nothing is stored, so whoever loads the record must hold it anew. */
  hold(): void {
    this.#supervisor.hold()
  }

  /** What it has stopped runs again, as another attempt, unless the instance is stopped itself. */
  letGo(now: number): Reception {
    this.#stepping.madeBy(undefined)
    return this.#supervisor.letGo(now)
  }

  /**
   * Notes that an outbox entry has been delivered: the next record no longer lists it. What an action has sent to a
   * stopped or held instance was not taken, so it runs again when the instance goes on.
   */
  markDelivered(effectId: string): void {
    const { outbox } = this.#stepping
    if (!this.#supervisor.isHalted || !outbox.isAction(effectId)) outbox.markDelivered(effectId)
  }

  /** Whether a cancel that came now would stop everything that runs, or has done so. */
  isStoppedBy(manner: CancelManner): boolean {
    return this.#supervisor.isStoppedBy(manner)
  }

  /** The logic an activity runs; undefined when its actor is gone. */
  logicOf(path: ActorPath): ReturnType<ActorTree['logicOf']> {
    return this.#stepping.tree.logicOf(path)
  }

  /** The effects since the last call that concern activities, to be performed before the record is committed. */
  takeActivityEffects(): readonly Effect[] {
    return this.#stepping.effects.takeOfActivities()
  }

  /** The effects since the last call, to be performed once the record is committed. */
  takeEffects(): readonly Effect[] {
    return this.#stepping.effects.take()
  }

  /** The snapshot as plain data. Shares parts with the live actors: encode it at once, do not change it. */
  snapshot(): PersistedSnapshot {
    const snapshot = this.#stepping.tree.persist()
    // The children of a finished instance are stopped: only the outcome is of interest.
    return snapshot.status === 'active' ? snapshot : { ...snapshot, children: {} }
  }

  /** What must be committed now. Shares parts with the live actors: encode it at once, do not change it. */
  record(now: number): Required<InstanceRecord> {
    // Written out: spreading into it would cost as much as the step itself.
    const { workflow, id, version, createdAt, inputDigest, parent } = this.#identity
    const { control, cursor, recent, sources } = this.#applied
    const { counter, invocations, outbox, timers } = this.#stepping
    const { cancellation, incident, stopReason } = this.#standing
    return {
      workflow,
      id,
      version,
      status: this.status,
      createdAt,
      updatedAt: now,
      inputDigest,
      snapshot: this.snapshot(),
      timers: timers.list(),
      activities: invocations.list(),
      outbox: outbox.list(),
      cursor,
      recent,
      sources,
      control,
      stopReason,
      cancellation,
      incident,
      parent,
      counter,
    }
  }

  #markApplied(envelope: Envelope, seq: number, isInOrder = false): void {
    this.#applied =
      isControl(envelope) && !isInOrder
        ? withControlApplied(this.#applied, envelope, seq)
        : withApplied(this.#applied, envelope, seq)
  }

  #deliver(envelope: Exclude<Envelope, EditEnvelope>, now: number): Reception {
    const stepping = this.#stepping
    stepping.madeBy({ type: 'envelope', envelope })
    switch (envelope.type) {
      case 'start':
        return stepping.begin(envelope.input, now)
      case 'send':
        return stepping.send('', envelope.event, now)
      case 'settle': {
        const { path, incarnation, index, attempt, details, outcome } = envelope
        return stepping.report({ type: 'settled', path, incarnation, index, attempt, outcome, details }, now)
      }
      case 'grant':
        return stepping.grant(envelope, now)
      case 'acquire':
      case 'release':
        // Only the machine of a pool is sent these: see admission.ts.
        return stepping.send('', { ...envelope }, now)
      case 'cancel':
      case 'fail':
      case 'pause':
      case 'resume':
      case 'retry':
      case 'skip':
        return this.#supervisor.control(envelope, now, incident => this.#stepAgain(incident, now))
    }
  }

  #stepAgain(incident: Incident, now: number): void {
    const { cause } = incident
    const stepping = this.#stepping
    stepping.madeBy(cause)
    stepping.again(incident, () => {
      if (cause?.type === 'envelope') this.#deliver(cause.envelope, now)
      else if (cause?.type === 'report') stepping.report(cause.report, now)
      else if (cause !== undefined) stepping.send(cause.path, cause.event, now)
    })
  }
}
