import type { ActivitySpec } from './activity.ts'
import { bulkSpecOf } from './bulk.ts'
import type { Bulks } from './bulks.ts'
import { childSpecOf } from './child-workflow.ts'
import type { Family } from './family.ts'
import type { PendingEffects } from './pending-effects.ts'
import type { ActorPath } from './address.ts'
import type { EventObject } from './event.ts'
import type { ActivityRecord } from './record.ts'
import { retryDelay, spreadOf } from './retry.ts'
import type { LeafOutcome } from './leaf-outcome.ts'

const none: readonly never[] = Object.freeze([])

export interface InvocationsContext {
  readonly bulks: Bulks
  readonly effects: PendingEffects
  readonly family: Family
}

/** The activities that an instance wants: running, waiting for another attempt, or done by child instances. */
export class Invocations {
  readonly #bulks: Bulks
  readonly #effects: PendingEffects
  readonly #family: Family
  readonly #byPath = new Map<ActorPath, ActivityRecord>()

  constructor({ bulks, effects, family }: InvocationsContext, activities: readonly ActivityRecord[]) {
    this.#bulks = bulks
    this.#effects = effects
    this.#family = family
    for (const activity of activities) this.#byPath.set(activity.path, activity)
  }

  /** When the earliest retry is due; Infinity when none waits. */
  get dueAt(): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { retryAt } of this.#byPath.values()) earliest = Math.min(earliest, retryAt ?? earliest)
    return earliest
  }

  /** How many take up this process. */
  get running(): number {
    let running = 0
    for (const activity of this.#byPath.values()) if (runsHere(activity)) running++
    return running
  }

  /** The invocation, if it is current and does not wait for another attempt. */
  find(path: ActorPath, incarnation: number): ActivityRecord | undefined {
    const activity = this.#byPath.get(path)
    return activity?.incarnation === incarnation && activity.retryAt === undefined ? activity : undefined
  }

  /** @param logic what it runs: children do the work when that says so */
  start(activity: ActivityRecord, logic: unknown): void {
    const delegated = this.#family.mayGrow ? this.#delegate(activity, logic) : activity
    if (runsHere(delegated)) this.#begin(delegated)
    else this.#byPath.set(activity.path, delegated)
  }

  /** Hands it an event. */
  deliver(path: ActorPath, event: EventObject): void {
    const incarnation = this.#byPath.get(path)?.incarnation
    if (incarnation !== undefined) this.#effects.add({ type: 'deliver', path, event, incarnation })
  }

  /** It has failed. Answers whether another attempt follows. */
  fail(activity: ActivityRecord, error: unknown, { retry }: ActivitySpec, now: number): boolean {
    const delay = retryDelay(retry, activity.attempt, error, spreadOf(activity))
    if (delay === undefined) return false
    this.#byPath.set(activity.path, { ...activity, retryAt: now + delay, lastError: error })
    return true
  }

  /** Takes how a child of a bulk ended. Answers how the bulk ended, if that ended it. */
  settleItem(path: ActorPath, index: number, outcome: LeafOutcome): LeafOutcome | 'accepted' | 'ignored' {
    return this.#bulks.settle(path, index, outcome)
  }

  /** It is over. */
  end(path: ActorPath): void {
    this.#byPath.delete(path)
    this.#bulks.stop(path)
  }

  /** It is no longer wanted. */
  stop(path: ActorPath): void {
    const activity = this.#byPath.get(path)
    if (activity === undefined) return
    this.#byPath.delete(path)
    const { child, incarnation } = activity
    if (child !== undefined) this.#family.stop(child)
    // Of one that was started and stopped before any commit nobody need ever know.
    else if (!this.#bulks.stop(path) && !this.#effects.withdrawActivity(incarnation)) {
      this.#effects.add({ type: 'stopActivity', path, incarnation })
    }
  }

  stopAll(): void {
    for (const path of this.#byPath.keys()) this.stop(path)
  }

  /** Stops what runs here, to be resumed. */
  halt(): void {
    for (const activity of this.#byPath.values()) {
      const { path, incarnation } = activity
      const isUnknown = !runsHere(activity) || this.#effects.withdrawActivity(incarnation)
      if (!isUnknown) this.#effects.add({ type: 'stopActivity', path, incarnation })
    }
  }

  /**
   * Runs again what ran when the record was stored, or was halted, as another attempt.
   *
   * @param ended the incarnation of an invocation that has already told how it ended
   */
  resume(ended?: number): void {
    for (const activity of this.#byPath.values()) {
      if (activity.incarnation === ended) continue
      const isWanted = runsHere(activity) || this.#bulks.isLost(activity.path)
      if (isWanted) this.#begin({ ...activity, attempt: activity.attempt + 1 })
    }
  }

  /**
   * Runs again, as another attempt, what has been interrupted and is still wanted. Answers whether there was any.
   *
   * @param attempts by incarnation, the attempt that was interrupted
   */
  rerun(attempts: ReadonlyMap<number, number>): boolean {
    let isAny = false
    for (const activity of this.#byPath.values()) {
      if (!runsHere(activity) || attempts.get(activity.incarnation) !== activity.attempt) continue
      this.#begin({ ...activity, attempt: activity.attempt + 1 })
      isAny = true
    }
    return isAny
  }

  /** Begins every attempt that is due. Answers whether there was one. */
  retryDue(now: number): boolean {
    let isAny = false
    for (const activity of this.#byPath.values()) {
      if (activity.retryAt === undefined || activity.retryAt > now) continue
      this.#begin({ ...activity, attempt: activity.attempt + 1, retryAt: undefined })
      isAny = true
    }
    return isAny
  }

  /** All of them, to be stored. */
  list(): readonly ActivityRecord[] {
    if (this.#byPath.size === 0) return none
    return Array.from(this.#byPath.values(), activity => this.#bulks.recordOf(activity))
  }

  #delegate(activity: ActivityRecord, logic: unknown): ActivityRecord {
    const child = childSpecOf(logic)
    if (child !== undefined) return this.#family.start(activity, child)
    const bulk = bulkSpecOf(logic)
    return bulk === undefined ? activity : this.#bulks.start(activity, bulk)
  }

  #begin(activity: ActivityRecord): void {
    this.#byPath.set(activity.path, activity)
    this.#effects.add({ type: 'startActivity', activity })
  }
}

/** One that waits for its next attempt does not, nor one that children do. A bulk without children ends here. */
function runsHere({ bulk, child, retryAt }: ActivityRecord): boolean {
  return retryAt === undefined && child === undefined && (bulk === undefined || bulk.total === 0)
}
