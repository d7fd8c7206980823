/**
 * What an instance says to the pools whose permits it wants: see pool.ts.
 *
 * `pool()` stands for permits: its machine is told when it has them. An activity with a pool wants one for each attempt:
 *
 * ```
 *                asks             granted           done, failed for good, no longer wanted: gives it back
 *   is to begin ───────▶ waits ─────────────▶ attempt ────────────────────────────────────────────────────▶ over
 *     ▲                    │                   ▲ │ │                                                         ▲
 *     │                    │      lost: as the └─┘ │ failed: gives it back                                   │
 *     │ due                │      next one         ▼                                                         │
 *     └────────────────────┼──────────────── waits for `retryAt`                                             │
 *                          └──────── timeout, or no longer wanted: gives up its place ───────────────────────┘
 * ```
 *
 * What happens when the process dies
 *
 * - before the record that asks is stored: nothing has been said, and the next owner asks;
 * - after that: the next owner finds the request in the outbox. The instance waits without an attempt, so nothing of it is
 *   lost or counted as a restart;
 * - before the record with the granted permit is stored: the grant comes again;
 * - after that, whether or not the attempt has begun: it is lost like any other, and the next one begins under the same
 *   permit, which was never given back;
 * - before the record is stored that an attempt has ended in: the same;
 * - after that: the next owner finds the release in the outbox. It names a claim that never comes again, so however late it
 *   arrives, it takes no permit from the next attempt.
 */
import type { ActorPath, Address } from './address.ts'
import type { GrantMessage } from './envelope.ts'
import { RuntimeError } from './errors.ts'
import { momentAfter } from './moment.ts'
import type { Outbox } from './outbox.ts'
import { plainError } from './plain-error.ts'
import { poolWorkflow, type PoolSpec } from './pool.ts'
import type { ActivityRecord } from './record.ts'

export class Permits {
  readonly #address: Address
  readonly #outbox: Outbox
  readonly #nextNumber: () => number

  /** @param address of the instance */
  constructor(address: Address, outbox: Outbox, nextNumber: () => number) {
    this.#address = address
    this.#outbox = outbox
    this.#nextNumber = nextNumber
  }

  /** Asks for what an invocation of `pool()` wants. Of one that wants what cannot be, the record says so. */
  request(activity: ActivityRecord, spec: PoolSpec): ActivityRecord {
    const { incarnation, startedAt } = activity
    return this.#ask(activity, incarnation, spec, timeoutMs => {
      const waiting = { ...activity, permit: { pool: spec.name, isHeld: false } }
      return timeoutMs === undefined ? waiting : { ...waiting, deadlineAt: momentAfter(startedAt, timeoutMs) }
    })
  }

  /** Asks for what an attempt needs before it begins. Of one that wants what cannot be, the record says so. */
  requestAttempt(activity: ActivityRecord, spec: PoolSpec, now: number): ActivityRecord {
    const claim = this.#nextNumber()
    // What was said of an earlier attempt by a worker is over.
    const { remote: _, ...asking } = activity
    return this.#ask(asking, claim, spec, timeoutMs => {
      const permit = { pool: spec.name, isHeld: false, claim, askedAt: now }
      if (timeoutMs === undefined) return { ...asking, permit }
      return { ...asking, permit: { ...permit, dueAt: momentAfter(now, timeoutMs) } }
    })
  }

  /**
   * Takes what a pool has given, or gives it back when nobody wants it.
   *
   * @param activity the invocation at that path, if there is one
   * @returns the invocation, if it has waited for that: it waits no longer
   */
  accept(
    { pool, path, incarnation }: GrantMessage,
    activity: ActivityRecord | undefined,
  ): ActivityRecord | undefined {
    if (activity?.permit === undefined || claimNumberOf(activity) !== incarnation) {
      this.#giveBack(pool, path, incarnation)
      return undefined
    }
    return activity.permit.isHeld ? undefined : granted(activity)
  }

  /** The invocation, without what it has asked for or been given. */
  release(activity: ActivityRecord): ActivityRecord {
    if (activity.permit === undefined) return activity
    const { permit, ...others } = activity
    this.#giveBack(permit.pool, activity.path, claimNumberOf(activity))
    return others
  }

  #giveBack(pool: string, path: ActorPath, claimNumber: number): void {
    const holder = { address: this.#address, path, incarnation: claimNumber }
    this.#outbox.post(addressOf(pool), { type: 'release', holder })
  }

  /** @param waiting what the record says once it has asked */
  #ask(
    activity: ActivityRecord,
    claimNumber: number,
    { name, permits: size, request }: PoolSpec,
    waiting: (timeoutMs: number | undefined) => ActivityRecord,
  ): ActivityRecord {
    const { input, path } = activity
    try {
      const { permits, priority, timeoutMs } = request(input)
      const holder = { address: this.#address, path, incarnation: claimNumber }
      this.#outbox.post(addressOf(name), { type: 'acquire', holder, permits, priority, size })
      return waiting(timeoutMs)
    } catch (error) {
      return { ...activity, lastError: error instanceof RuntimeError ? error : plainError(error) }
    }
  }
}

/** Whether it waits for a permit, and for nothing else. */
export function isWaiting({ permit }: Pick<ActivityRecord, 'permit'>): boolean {
  return permit?.isHeld === false
}

/** Whether it stands for permits, or waits for one: no attempt of it is under way. */
export function isForPermit({ permit }: ActivityRecord): boolean {
  return permit !== undefined && (permit.claim === undefined || !permit.isHeld)
}

/** Of an invocation that has a permit or waits for one. */
function claimNumberOf({ incarnation, permit }: ActivityRecord): number {
  return permit?.claim ?? incarnation
}

/** Under which number it is told how it ended: by its pool while it waits for a permit, else by whoever does the work. */
export function addresseeOf(activity: ActivityRecord): number {
  return isWaiting(activity) ? claimNumberOf(activity) : activity.incarnation
}

/** It has the permit, and waits no longer. */
function granted({ permit, ...activity }: ActivityRecord): ActivityRecord {
  const { claim, pool } = permit!
  // The deadline of `pool()` is for its wait, that of an activity for all its attempts.
  return claim === undefined
    ? { ...activity, deadlineAt: undefined, permit: { pool, isHeld: true } }
    : { ...activity, permit: { pool, isHeld: true, claim } }
}

/** When the wait of an invocation for a permit has been too long. */
export function waitEndsAt({ deadlineAt, permit }: ActivityRecord): number | undefined {
  return permit?.claim === undefined ? permit && deadlineAt : permit.dueAt
}

/** The error of an invocation that has waited too long. */
export function waitedInVain(activity: ActivityRecord): RuntimeError {
  const { askedAt = activity.startedAt, claim, pool } = activity.permit!
  const waitedMs = (waitEndsAt(activity) ?? askedAt) - askedAt
  const error = new RuntimeError(
    'POOL_TIMEOUT',
    `no permit of pool '${pool}' was free within ${waitedMs} ms`,
    {
      fields: { pool, waitedMs },
      retryable: claim === undefined,
    },
  )
  // No retry policy brings another attempt: that would only queue up behind those that wait already.
  return claim === undefined ? error : Object.assign(error, { nonRetryable: true })
}

/** Where a pool lives. */
function addressOf(pool: string): Address {
  return { workflow: poolWorkflow, id: pool }
}
