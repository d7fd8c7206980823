import { activitySpecOf, type ActivitySpec } from './activity.ts'
import { bulkSpecOf } from './bulk.ts'
import type { Bulks } from './bulks.ts'
import { childSpecOf } from './child-workflow.ts'
import type { Effect } from './effect.ts'
import type { GrantMessage } from './envelope.ts'
import type { Family } from './family.ts'
import type { TaskEntry } from './outbox.ts'
import type { PendingEffects } from './pending-effects.ts'
import { addresseeOf, isForPermit, waitedInVain, waitEndsAt, type Permits } from './permits.ts'
import { poolSpecOf } from './pool.ts'
import type { ActorPath } from './address.ts'
import type { EventObject } from './event.ts'
import type { ActivityRecord } from './record.ts'
import { isHeard, type Remotes } from './remotes.ts'
import type { LeafOutcome } from './leaf-outcome.ts'
import * as supervisor from './supervisors/activity.ts'

const none: readonly never[] = Object.freeze([])

export interface InvocationsContext {
  readonly bulks: Bulks
  readonly effects: PendingEffects
  readonly family: Family
  readonly logicOf: (path: ActorPath) => unknown
  readonly permits: Permits
  readonly remotes: Remotes
}

/** The activities that an instance wants: running, waiting for another attempt, or done by child instances. */
export class Invocations {
  readonly #bulks: Bulks
  readonly #effects: PendingEffects
  readonly #family: Family
  readonly #logicOf: (path: ActorPath) => unknown
  readonly #permits: Permits
  readonly #remotes: Remotes
  readonly #byPath = new Map<ActorPath, ActivityRecord>()
  /** Those that the record says are running, until they are, or are given up. */
  #lost: readonly ActivityRecord[]

  constructor(
    { bulks, effects, family, logicOf, permits, remotes }: InvocationsContext,
    activities: readonly ActivityRecord[],
  ) {
    this.#bulks = bulks
    this.#effects = effects
    this.#family = family
    this.#logicOf = logicOf
    this.#permits = permits
    this.#remotes = remotes
    for (const activity of activities) this.#byPath.set(activity.path, activity)
    this.#lost = activities.length === 0 ? none : activities.filter(activity => this.#mustRun(activity))
  }

  /** When the earliest retry is due, or the time of one, of an attempt or of a wait is up; Infinity when none waits for time. */
  get dueAt(): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { deadlineAt, permit, remote, retryAt } of this.#byPath.values()) {
      const nextAt = retryAt ?? remote?.dueAt ?? permit?.dueAt ?? earliest
      earliest = Math.min(earliest, nextAt, deadlineAt ?? earliest)
    }
    return earliest
  }

  /** Whether any that the record says is running has neither begun again nor been given up. */
  get hasLost(): boolean {
    return this.#lost.some(activity => this.#isLatest(activity))
  }

  /** By incarnation, the attempt of each that the record says is running. */
  get lost(): ReadonlyMap<number, number> {
    return new Map(this.#lost.map(({ attempt, incarnation }) => [incarnation, attempt]))
  }

  /** These have never stopped. */
  keep(incarnations: ReadonlySet<number>): void {
    this.#lost = this.#lost.filter(({ incarnation }) => !incarnations.has(incarnation))
  }

  get isEmpty(): boolean {
    return this.#byPath.size === 0
  }

  /** How many need this instance in memory because their workers must be heard of. */
  get heard(): number {
    let heard = 0
    for (const activity of this.#byPath.values()) if (isHeard(activity)) heard++
    return heard
  }

  /** How many take up this process. */
  get running(): number {
    let running = 0
    for (const activity of this.#byPath.values()) if (runsHere(activity)) running++
    return running
  }

  /**
   * The invocation, if it is current and does not wait for another attempt.
   *
   * @param addressee its incarnation; while it waits for a permit, the number of its claim
   */
  find(path: ActorPath, addressee: number): ActivityRecord | undefined {
    const activity = this.current(path, addressee)
    return activity?.retryAt === undefined ? activity : undefined
  }

  /** The same, also while it waits for another attempt. */
  current(path: ActorPath, addressee: number): ActivityRecord | undefined {
    const activity = this.#byPath.get(path)
    return activity !== undefined && addresseeOf(activity) === addressee ? activity : undefined
  }

  /** Whether the invocation is current. */
  has({ incarnation, path }: ActivityRecord): boolean {
    return this.#byPath.get(path)?.incarnation === incarnation
  }

  /** @param logic what it runs: children do the work when that says so, or a pool is asked */
  start(activity: ActivityRecord, logic: unknown): void {
    const asked = supervisor.asked(activity, activitySpecOf(logic))
    const delegated = this.#delegate(asked, logic)
    if (runsHere(delegated)) this.#begin(delegated, delegated.startedAt)
    else this.#byPath.set(activity.path, delegated)
  }

  /**
   * A pool has given what an invocation asked for. An attempt that has waited for it begins; answers whether it is the
   * machine that has.
   */
  grant(grant: GrantMessage, now: number): boolean {
    const activity = this.#permits.accept(grant, this.#byPath.get(grant.path))
    if (activity === undefined) return false
    const isAwaited = !isForPermit(activity)
    if (isAwaited) this.#begin(activity, now)
    else this.#byPath.set(activity.path, activity)
    return !isAwaited
  }

  /** Hands it an event. */
  deliver(path: ActorPath, event: EventObject): void {
    const incarnation = this.#byPath.get(path)?.incarnation
    if (incarnation !== undefined) this.#effects.add({ type: 'deliver', path, event, incarnation })
  }

  /** It says how far it is, or, without details, that its worker has begun. Answers whether that is news. */
  note(activity: ActivityRecord, details: unknown): 'accepted' | 'ignored' {
    const begun = this.#remotes.begun(activity)
    if (begun === activity && details === undefined) return 'ignored'
    this.#byPath.set(activity.path, details === undefined ? begun : { ...begun, lastHeartbeat: details })
    return 'accepted'
  }

  /** Waits for heartbeats of the workers that are at it. */
  hear(): void {
    for (const activity of this.#byPath.values()) this.#remotes.hear(activity)
  }

  /**
   * It has failed. Answers what came of it, if no other attempt follows.
   *
   * @param details of its last heartbeat, if they are news
   */
  fail(failed: ActivityRecord, error: unknown, details: unknown, now: number): supervisor.Over | undefined {
    const { path } = failed
    this.#remotes.ignore(failed)
    const activity = details === undefined ? failed : { ...failed, lastHeartbeat: details }
    const complain = (thrown: unknown) => this.#effects.add({ type: 'complaint', path, error: thrown })
    return this.#goOn(supervisor.failed(activity, error, this.#specOf(activity), now, complain), now)
  }

  /** Those for which the time is up. They still run, or wait. */
  expired(now: number): readonly supervisor.Over[] {
    let over: supervisor.Over[] | undefined
    for (const activity of this.#byPath.values()) {
      const { deadlineAt = Infinity } = activity
      const hasWaited = (waitEndsAt(activity) ?? Infinity) <= now
      if (!hasWaited && deadlineAt > now) continue
      over ??= []
      over.push(
        hasWaited
          ? { type: 'failed', activity, error: waitedInVain(activity) }
          : supervisor.expired(activity, this.#specOf(activity)),
      )
    }
    return over ?? none
  }

  /** Takes how a child of a bulk ended. Answers how the bulk ended, if that ended it. */
  settleItem(path: ActorPath, index: number, outcome: LeafOutcome): LeafOutcome | 'accepted' | 'ignored' {
    return this.#bulks.settle(path, index, outcome)
  }

  /** It is over. */
  end(path: ActorPath): void {
    const activity = this.#byPath.get(path)
    this.#byPath.delete(path)
    this.#bulks.stop(path)
    if (activity === undefined) return
    if (activity.remote !== undefined) this.#remotes.ignore(activity)
    this.#permits.release(activity)
  }

  /** It is no longer wanted. */
  stop(path: ActorPath): void {
    const activity = this.#byPath.get(path)
    if (activity === undefined) return
    this.#byPath.delete(path)
    const { child, incarnation, remote } = activity
    if (child !== undefined) this.#family.stop(child)
    else if (remote !== undefined) {
      this.#remotes.recall(activity)
      this.#remotes.ignore(activity)
    }
    // Of one that was started and stopped before any commit nobody need ever know.
    else if (
      !this.#bulks.stop(path) &&
      !this.#effects.withdrawActivity(incarnation) &&
      !isForPermit(activity)
    ) {
      this.#effects.add({ type: 'stopActivity', path, incarnation })
    }
    this.#permits.release(activity)
  }

  stopAll(): void {
    for (const path of this.#byPath.keys()) this.stop(path)
  }

  /** Stops what runs here, to be resumed. */
  halt(): void {
    this.#lost = none
    for (const activity of this.#byPath.values()) {
      const { path, incarnation } = activity
      this.#remotes.ignore(activity)
      const isUnknown = !runsHere(activity) || this.#effects.withdrawActivity(incarnation)
      if (!isUnknown) this.#effects.add({ type: 'stopActivity', path, incarnation })
    }
  }

  /**
   * Runs again what was halted, as another attempt. Those that do not go on are lost, until {@link restart}.
   *
   * @param ended the incarnation of an invocation that has already told how it ended
   */
  resume(now: number, ended?: number): void {
    this.hear()
    const halted = [...this.#byPath.values()].filter(
      activity => activity.incarnation !== ended && this.#mustRun(activity),
    )
    this.#lost = this.#runAgain(halted, now, false).map(({ activity }) => activity)
  }

  /**
   * Runs again what ran when the record was stored, as another attempt. Answers those that do not go on.
   *
   * @param isCounted whether the process in which they ran has ended
   */
  restart(now: number, isCounted: boolean): readonly supervisor.Over[] {
    // Some have settled since, and wait, or are gone, or have been started anew.
    const lost = this.#lost.filter(activity => this.#isLatest(activity))
    this.#lost = none
    return this.#runAgain(lost, now, isCounted)
  }

  /**
   * Runs again, as another attempt, what has been interrupted and is still wanted. Answers those that do not go on;
   * undefined when nothing of it is wanted.
   *
   * @param attempts by incarnation, the attempt that was interrupted
   */
  rerun(attempts: ReadonlyMap<number, number>, now: number): readonly supervisor.Over[] | undefined {
    const interrupted = [...this.#byPath.values()].filter(
      activity => runsHere(activity) && attempts.get(activity.incarnation) === activity.attempt,
    )
    return interrupted.length === 0 ? undefined : this.#runAgain(interrupted, now, false)
  }

  /** What asks a worker for an attempt. Undefined when it is no longer wanted. */
  taskOf(entry: TaskEntry): Effect | undefined {
    return this.#remotes.effectOf(entry, this.#byPath.get(entry.path))
  }

  /** Begins every attempt that is due. Answers whether there was one. */
  retryDue(now: number): boolean {
    let isAny = false
    for (const activity of this.#byPath.values()) {
      if (activity.retryAt === undefined || activity.retryAt > now) continue
      this.#begin(supervisor.waited(activity), now)
      isAny = true
    }
    return isAny
  }

  /** The attempts of workers that have taken too long. */
  overdue(now: number): readonly ActivityRecord[] {
    if (this.dueAt > now) return none
    return [...this.#byPath.values()].filter(
      ({ remote, retryAt }) => retryAt === undefined && remote?.dueAt !== undefined && remote.dueAt <= now,
    )
  }

  /** Takes an attempt back from the workers. False when it is no longer under way. */
  recall(activity: ActivityRecord): boolean {
    const isLatest = this.#isLatest(activity)
    if (!isLatest) return false
    const { path, incarnation } = activity
    if (runsHere(activity)) this.#effects.add({ type: 'stopActivity', path, incarnation })
    else this.#remotes.recall(activity)
    return true
  }

  /** All of them, to be stored. */
  list(): readonly ActivityRecord[] {
    if (this.#byPath.size === 0) return none
    return Array.from(this.#byPath.values(), activity => this.#bulks.recordOf(activity))
  }

  /** Whether nothing has become of it since. */
  #isLatest(activity: ActivityRecord): boolean {
    return this.#byPath.get(activity.path) === activity
  }

  #delegate(activity: ActivityRecord, logic: unknown): ActivityRecord {
    const pool = poolSpecOf(logic)
    if (pool !== undefined) return this.#permits.request(activity, pool)
    if (!this.#family.mayGrow) return activity
    const child = childSpecOf(logic)
    if (child !== undefined) return this.#family.start(activity, child)
    const bulk = bulkSpecOf(logic)
    return bulk === undefined ? activity : this.#bulks.start(activity, bulk)
  }

  #runAgain(
    activities: readonly ActivityRecord[],
    now: number,
    isCounted: boolean,
  ): readonly supervisor.Over[] {
    const overs = activities.map(activity =>
      this.#goOn(supervisor.lost(activity, this.#specOf(activity), now, isCounted), now),
    )
    return overs.filter(over => over !== undefined)
  }

  /** Does what its supervisor has decided, unless it is over: then it answers that. */
  #goOn(decision: supervisor.GoesOn | supervisor.Over, now: number): supervisor.Over | undefined {
    if (decision.type !== 'goesOn') return decision
    const { activity } = decision
    if (activity.retryAt === undefined) this.#begin(activity, now)
    // While it waits others may use what it held.
    else this.#byPath.set(activity.path, this.#permits.release(activity))
    return undefined
  }

  #specOf({ path }: ActivityRecord): ActivitySpec | undefined {
    return activitySpecOf(this.#logicOf(path))
  }

  /** Whether its work is done here, or would be: that of a bulk that is none any more fails at once. */
  #mustRun(activity: ActivityRecord): boolean {
    return runsHere(activity) || this.#bulks.isLost(activity.path)
  }

  /** Here or, where the machine says so, by a worker. With a pool it first has to have a permit. */
  #begin(activity: ActivityRecord, now: number): void {
    const pool = this.#specOf(activity)?.pool
    if (pool !== undefined && activity.permit === undefined) {
      const asking = this.#permits.requestAttempt(activity, pool, now)
      this.#byPath.set(asking.path, asking)
      // One that cannot ask fails at once.
      if (runsHere(asking)) this.#effects.add({ type: 'startActivity', activity: asking })
      return
    }
    const remote = this.#remotes.recordOf(activity.path, now)
    const begun = activity.remote === remote ? activity : { ...activity, remote }
    this.#byPath.set(begun.path, begun)
    if (remote === undefined) this.#effects.add({ type: 'startActivity', activity: begun })
    else this.#remotes.begin(begun)
  }
}

/**
 * One that waits for its next attempt or a permit does not, nor one that others do, or that stands for permits. A bulk
 * without children ends here.
 */
function runsHere(activity: ActivityRecord): boolean {
  const { bulk, child, remote, retryAt } = activity
  if (retryAt !== undefined || child !== undefined || remote !== undefined || isForPermit(activity))
    return false
  return bulk === undefined || bulk.total === 0
}
