/**
 * The live actors of an instance, and what their steps have asked for.
 *
 * Whatever makes a step passes through here: an event, what an activity tells, a timer, the end of somebody's time. What
 * the step asks for goes into the parts of the next record, or among the effects, or both. A step that throws leaves all
 * of it half changed: see incident.ts.
 */
import type { ActivityReport } from './activity.ts'
import { Bulks } from './bulks.ts'
import type { CancelManner } from './cancellation.ts'
import type { GrantMessage } from './envelope.ts'
import { isRuntimeError } from './errors.ts'
import { Family } from './family.ts'
import { StepFailure, type Incident, type IncidentCause } from './incident.ts'
import { Invocations } from './invocations.ts'
import type { PreparedWorkflow } from './machine.ts'
import { Outbox, type ItemEntry, type TaskEntry } from './outbox.ts'
import { PendingEffects } from './pending-effects.ts'
import { addresseeOf, Permits } from './permits.ts'
import type { PoolGranted } from './pool.ts'
import type { ActorPath } from './address.ts'
import type { EventObject } from './event.ts'
import { plainError } from './plain-error.ts'
import type { ActivityRecord, InstanceRecord } from './record.ts'
import { attemptTimedOut, isOfAttempt, Remotes } from './remotes.ts'
import type { Standing } from './standing.ts'
import type { Over } from './supervisors/activity.ts'
import { momentAfter } from './moment.ts'
import { Timers } from './timers.ts'
import type { LeafOutcome } from './leaf-outcome.ts'
import { takes } from './xstate/takes.ts'
import type { TreeEffect } from './xstate/tree-effect.ts'
import type { ActorTree, Thrown, TreeOptions } from './xstate/tree.ts'

/** The parts of a record that no step changes. */
export type Identity = Pick<
  InstanceRecord,
  'workflow' | 'id' | 'version' | 'createdAt' | 'inputDigest' | 'parent'
>

/** What the steps go on from. */
export type Base = Pick<InstanceRecord, 'timers' | 'activities' | 'outbox' | 'counter'>

/** Whether a step changed anything: `ignored` when no transition was enabled. */
export type Reception = 'accepted' | 'ignored'

export interface SteppingContext {
  readonly identity: Identity
  readonly base: Base
  readonly workflow: PreparedWorkflow
  readonly standing: Standing
  readonly grow: (options: TreeOptions) => ActorTree
  /** Takes the events that an action sends to its own actor after the commit. */
  readonly onSelfSent: (path: ActorPath, event: EventObject) => void
  /** Type of the last event that changed anything. */
  readonly lastEvent: string
}

export class Stepping {
  readonly tree: ActorTree
  readonly invocations: Invocations
  readonly outbox: Outbox
  readonly effects = new PendingEffects()
  readonly timers: Timers
  /** Type of the last event that changed anything. */
  lastEvent: string
  readonly #workflow: PreparedWorkflow
  readonly #standing: Standing
  readonly #family: Family
  #counter: number
  /** What the step under way is made by, and how often it has been tried. */
  #cause: IncidentCause | undefined
  #tries = 1

  constructor({ identity, base, workflow, standing, grow, onSelfSent, lastEvent }: SteppingContext) {
    const { workflow: name, id, parent } = identity
    this.#workflow = workflow
    this.#standing = standing
    this.lastEvent = lastEvent
    this.#counter = base.counter
    const nextNumber = () => ++this.#counter
    const tree = grow({
      address: `${name}/${id}`,
      machines: workflow.machines,
      nextNumber,
      onOutsideEvent: onSelfSent,
    })
    this.tree = tree
    this.timers = new Timers(base.timers)
    const address = { workflow: name, id }
    const { effects } = this
    const itemOf = (entry: ItemEntry) => bulks.effectOf(entry)
    const taskOf = (entry: TaskEntry) => this.invocations.taskOf(entry)
    this.outbox = new Outbox({ address, effects, itemOf, nextNumber, taskOf, tree }, base.outbox)
    const family = new Family(address, parent, this.outbox)
    const bulks = new Bulks(family, this.outbox)
    for (const activity of base.activities) bulks.adopt(activity, tree.logicOf(activity.path))
    this.#family = family
    const logicOf = (path: ActorPath) => tree.logicOf(path)
    const remotes = new Remotes({ address, effects, logicOf, outbox: this.outbox })
    const permits = new Permits(address, this.outbox, nextNumber)
    const parts = { bulks, effects, family, logicOf, permits, remotes }
    this.invocations = new Invocations(parts, base.activities)
  }

  /** Numbers handed out so far. */
  get counter(): number {
    return this.#counter
  }

  /** Says what makes the steps that follow. */
  madeBy(cause: IncidentCause | undefined): void {
    this.#cause = cause
  }

  /** Steps once more what has thrown before. */
  again({ tries }: Incident, step: () => void): void {
    this.#tries = tries + 1
    step()
    this.#tries = 1
  }

  /** Whether the machine has something to do for the event, where it is now. */
  takes(event: EventObject): boolean {
    return takes(this.tree.snapshot, event)
  }

  begin(input: unknown, now: number): Reception {
    this.tree.begin(this.#workflow.machine, input)
    return this.#collect(true, now, 'xstate.init')
  }

  send(path: ActorPath, event: EventObject, now: number): Reception {
    return this.#collect(this.tree.send(path, event), now, event.type)
  }

  /** What a running activity tells. Reports of invocations that are no longer current are ignored. */
  report(report: ActivityReport, now: number): Reception {
    if (report.type === 'settled' && report.isGivenUp === true) return this.#giveUpAgain(report, now)
    const activity = this.invocations.find(report.path, report.incarnation)
    if (activity === undefined) return 'ignored'
    // Another node may have stored a later attempt meanwhile, and how far that is.
    const isLatest = 'attempt' in report && report.attempt === activity.attempt
    switch (report.type) {
      case 'settled':
        if (!isOfAttempt(activity, report.attempt)) return 'ignored'
        if (report.index !== undefined) return this.#settleItem(activity, report.index, report.outcome, now)
        return this.#settle(activity, report.outcome, now, isLatest ? report.details : undefined)
      case 'heartbeat':
        return isLatest ? this.invocations.note(activity, report.details) : 'ignored'
      case 'cut': {
        if (!isLatest || !this.invocations.recall(activity)) return 'ignored'
        const { path, incarnation, attempt, error } = report
        const outcome = { status: 'error', error } as const
        const ending = { type: 'settled', path, incarnation, attempt, outcome } as const
        this.#cause = { type: 'report', report: ending }
        return this.report(ending, now)
      }
      case 'event':
        return this.#collect(this.tree.sendFrom(report.path, report.event), now, report.event.type)
      case 'moved':
        this.#collect(this.tree.moveLeaf(report.path, report.context), now)
        return 'accepted'
    }
  }

  /**
   * Whether its workflow wants a revision of the state that it has come to.
   *
   * @param event the last that was applied
   * @throws StepFailure when the workflow cannot say, unless it says that the instance fails then
   */
  isChosen(event: EventObject | undefined, now: number): boolean {
    try {
      return this.#workflow.persistence.isChosen(this.tree.snapshot, event)
    } catch (error) {
      if (this.#workflow.onError !== 'fail') throw this.#failure({ actor: '', error }, now)
      this.fail(error)
      return false
    }
  }

  /** What a pool has given. One that nobody wants is given back, so it changes something, too. */
  grant(grant: GrantMessage, now: number): Reception {
    this.lastEvent = grant.type
    if (!this.invocations.grant(grant, now)) return 'accepted'
    const event = { type: 'workflow.granted', pool: grant.pool } as const satisfies PoolGranted
    this.#collect(this.tree.sendFrom(grant.path, event), now, event.type)
    return 'accepted'
  }

  /**
   * Fires every timer that is due, in the order they were due, then ends the activities, the waits for a pool and the
   * attempts of workers whose time is up, and begins every retry that is due. What becomes due by that is for the next
   * call.
   *
   * @param until the number of a timer, which is only taken out: neither it nor what was due after it happens
   */
  fireDue(now: number, until?: number): Reception {
    let reception: Reception = 'ignored'
    for (const timer of this.timers.due(now)) {
      // An earlier one of this round may have cancelled or replaced it, or ended the instance.
      if (!this.timers.take(timer)) continue
      const { target: path, event, dueAt, seq } = timer
      if (seq === until) return 'accepted'
      this.#cause = { type: 'timer', path, event, dueAt, seq }
      if (timer.to === undefined) this.send(path, event, now)
      else this.outbox.postEvent(timer.to, event)
      reception = 'accepted'
    }
    for (const over of this.invocations.expired(now)) {
      if (!this.invocations.has(over.activity)) continue
      this.invocations.stop(over.activity.path)
      this.#giveUp(over, now, true)
      reception = 'accepted'
    }
    for (const overdue of this.invocations.overdue(now)) {
      // The end of an earlier one may have ended this one, too.
      if (!this.invocations.recall(overdue)) continue
      const { path, incarnation, attempt } = overdue
      const outcome = { status: 'error', error: attemptTimedOut(overdue) } as const
      const report = { type: 'settled', path, incarnation, attempt, outcome } as const
      this.#cause = { type: 'report', report }
      this.report(report, now)
      reception = 'accepted'
    }
    return this.invocations.retryDue(now) ? 'accepted' : reception
  }

  /** Ends the activities that their supervisors have given up. */
  giveUp(overs: readonly Over[], now: number): void {
    for (const over of overs) {
      // An earlier one may have led the machine out of the state that wants it, or have suspended the instance.
      if (this.#standing.isStopped || !this.invocations.has(over.activity)) continue
      this.#giveUp(over, now, true)
    }
  }

  suspend(incident: Incident): void {
    if (!this.#standing.isStopped) this.invocations.halt()
    this.#standing.suspend(incident)
    this.lastEvent = 'suspend'
  }

  /** Ends it as cancelled, and its children in that manner. */
  cancel(manner: CancelManner, now: number): Reception {
    this.#family.manner = manner
    return this.#collect(this.tree.cancel(), now, 'cancel')
  }

  /** Ends it as failed. */
  fail(error: unknown): void {
    this.tree.end(error)
    this.#end()
  }

  /** @param details of the last heartbeat, if they are news */
  #settle(activity: ActivityRecord, outcome: LeafOutcome, now: number, details?: unknown): Reception {
    if (outcome.status === 'done') return this.#conclude(activity, outcome, now)
    const over = this.invocations.fail(activity, outcome.error, details, now)
    return over === undefined ? 'accepted' : this.#giveUp(over, now)
  }

  /**
   * What its supervisor cannot help any more is the machine's to deal with, or escalates: then the instance is suspended.
   *
   * @param isGivenUp its supervisor has not been told that it has ended
   */
  #giveUp({ type, activity, error }: Over, now: number, isGivenUp?: true): Reception {
    const { path, attempt } = activity
    if (type === 'escalated' && this.#workflow.onError !== 'fail') {
      this.suspend({ at: now, code: 'RESTARTS_EXCEEDED', actor: path, error: plainError(error), tries: 1 })
      return 'accepted'
    }
    const outcome = { status: 'error', error } as const
    const incarnation = addresseeOf(activity)
    const report = { type: 'settled', path, incarnation, attempt, outcome, isGivenUp } as const
    this.#cause = { type: 'report', report }
    return this.#conclude(activity, outcome, now)
  }

  /** The machine has thrown when it heard of it. What its supervisor would say of such an error does not count. */
  #giveUpAgain(
    { path, incarnation, outcome }: Extract<ActivityReport, { type: 'settled' }>,
    now: number,
  ): Reception {
    const activity = this.invocations.current(path, incarnation)
    if (activity === undefined) return 'ignored'
    this.invocations.stop(path)
    return this.#conclude(activity, outcome, now)
  }

  #conclude({ path }: ActivityRecord, outcome: LeafOutcome, now: number): Reception {
    this.invocations.end(path)
    this.lastEvent = `xstate.${outcome.status}.actor.${path}`
    this.#collect(this.tree.settle(path, outcome), now)
    return 'accepted'
  }

  #settleItem(activity: ActivityRecord, index: number, outcome: LeafOutcome, now: number): Reception {
    const ending = this.invocations.settleItem(activity.path, index, outcome)
    if (typeof ending === 'object') return this.#settle(activity, ending, now)
    if (ending === 'accepted') this.lastEvent = 'settle'
    return ending
  }

  /**
   * Takes what a step asked for.
   *
   * @param event its type, when the step was made by one
   */
  #collect(isChanged: boolean, now: number, event?: string): Reception {
    if (this.tree.status === 'error') this.#throwFailure(now)
    if (isChanged && event !== undefined) this.lastEvent = event
    for (const effect of this.tree.takeEffects()) this.#take(effect, now)
    if (this.tree.status !== 'active') this.#end()
    return isChanged ? 'accepted' : 'ignored'
  }

  /** Throws what was thrown in the step, if it is that which has ended the root. */
  #throwFailure(at: number): void {
    const { thrown } = this.tree
    if (thrown === undefined || this.#workflow.onError === 'fail') return
    throw this.#failure(thrown, at)
  }

  #failure({ actor, error: cause }: Thrown, at: number): StepFailure {
    const code = isRuntimeError(cause, 'STEP_ENDLESS') ? 'STEP_ENDLESS' : 'STEP_FAILED'
    const error = plainError(cause)
    return new StepFailure({ at, code, actor, error, tries: this.#tries, cause: this.#cause })
  }

  #end(): void {
    this.timers.clear()
    this.invocations.stopAll()
    const { cancellation } = this.#standing
    if (this.#standing.statusOf(this.tree.status) !== 'cancelled') this.#family.settle(this.tree.snapshot)
    // A parent that cancelled it wants to hear nothing more.
    else if (cancellation?.isParents !== true) this.#family.settleCancelled(cancellation?.reason ?? '')
  }

  #take(effect: TreeEffect, now: number): void {
    switch (effect.type) {
      case 'setTimer': {
        const { owner, id, target, to, event, delayMs } = effect
        // Whole: with parts of a millisecond the headers could not be read, nor the timer found again.
        const dueAt = momentAfter(now, delayMs)
        const timer = { owner, id, target, event, dueAt, seq: ++this.#counter }
        this.timers.set(to === undefined ? timer : { ...timer, to })
        return
      }
      case 'cancelTimer':
        this.timers.cancel(effect.owner, effect.id)
        return
      case 'cancelTimers':
        this.timers.cancelAllOf(effect.owner)
        return
      case 'start': {
        const { path, src, input } = effect
        const activity = { path, src, input, incarnation: ++this.#counter, attempt: 1, startedAt: now }
        this.invocations.start(activity, this.tree.logicOf(path))
        return
      }
      case 'stop':
        this.invocations.stop(effect.path)
        return
      case 'deliver':
        this.invocations.deliver(effect.path, effect.event)
        return
      case 'post':
        this.outbox.postEvent(effect.target, effect.event)
        return
      case 'emit':
        this.outbox.emit(effect.event)
        return
      case 'action':
        this.outbox.act(effect)
        return
      case 'log':
        this.effects.add(effect)
    }
  }
}
