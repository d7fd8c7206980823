/** When and how often a failed activity is tried again. All durations in milliseconds, already validated. */
export interface RetryPolicy {
  /** Attempts in all, the first included, without those lost with their process. 1 means no retry. */
  readonly maxAttempts: number
  /** Wait before the second attempt. */
  readonly initialIntervalMs: number
  /** Each wait is this many times the one before. */
  readonly backoff: number
  readonly maxIntervalMs: number
  /** Share of the wait that is spread at random, 0 to 1: 0.2 means ±20 %. */
  readonly jitter: number
  /** Errors that another attempt cannot cure: their `name` or `code`, or who knows them. */
  readonly nonRetryable: readonly string[] | ((error: unknown) => boolean)
}

/**
 * Milliseconds to wait before the next attempt, or undefined to give up. An error that names its own delay has it to the
 * millisecond, whatever the policy says about intervals.
 *
 * @param failures how many attempts have failed, this one included
 * @param spread a number in [0, 1) that decides the jitter; the same number gives the same delay
 * @param complain told what `nonRetryable` has thrown; the error then counts as one that another attempt may cure
 */
export function retryDelay(
  policy: RetryPolicy,
  failures: number,
  error: unknown,
  spread: number,
  complain: (thrown: unknown) => void,
): number | undefined {
  if (failures >= policy.maxAttempts || isNonRetryable(policy, error, complain)) return undefined
  const { retryAfterMs } = (error ?? {}) as { retryAfterMs?: unknown }
  if (typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs) && retryAfterMs >= 0) {
    return Math.round(retryAfterMs)
  }
  // So many times nothing is nothing, also when the times are more than a number can hold.
  const times = Math.min(policy.backoff ** (failures - 1), Number.MAX_VALUE)
  const exponential = policy.initialIntervalMs * times
  const capped = Math.min(exponential, policy.maxIntervalMs)
  return Math.round(capped * (1 + policy.jitter * (2 * spread - 1)))
}

function isNonRetryable(
  { nonRetryable }: RetryPolicy,
  error: unknown,
  complain: (thrown: unknown) => void,
): boolean {
  const facts = (error ?? {}) as { name?: unknown; code?: unknown; nonRetryable?: unknown }
  if (facts.nonRetryable === true) return true
  if (typeof nonRetryable !== 'function') {
    return nonRetryable.some(entry => entry === facts.name || entry === facts.code)
  }
  try {
    return nonRetryable(error)
  } catch (thrown) {
    complain(thrown)
    return false
  }
}

/** A number in [0, 1) for the jitter: it differs between invocations and attempts, but not between processes. */
export function spreadOf(activity: {
  readonly attempt: number
  readonly incarnation: number
  readonly startedAt: number
}): number {
  const { attempt, incarnation, startedAt } = activity
  let mixed = Math.imul(incarnation ^ startedAt, 0x9e3779b1) + attempt
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca77)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae3d)
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32
}
