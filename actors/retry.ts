/** When and how often a failed activity is tried again. All durations in milliseconds, already validated. */
export interface RetryPolicy {
  /** Attempts in all, the first included. 1 means no retry. */
  readonly maxAttempts: number
  /** Wait before the second attempt. */
  readonly initialIntervalMs: number
  /** Each wait is this many times the one before. */
  readonly backoff: number
  readonly maxIntervalMs: number
  /** Share of the wait that is spread at random, 0 to 1: 0.2 means ±20 %. */
  readonly jitter: number
  /** `name` or `code` of errors that another attempt cannot cure. */
  readonly nonRetryable: readonly string[]
}

/**
 * Milliseconds to wait before the next attempt, or undefined to give up.
 *
 * @param attempt the attempt that failed, from 1
 * @param spread a number in [0, 1) that decides the jitter; the same number gives the same delay
 */
export function retryDelay(
  policy: RetryPolicy,
  attempt: number,
  error: unknown,
  spread: number,
): number | undefined {
  if (attempt >= policy.maxAttempts || isNonRetryable(policy, error)) return undefined
  const exponential = policy.initialIntervalMs * policy.backoff ** (attempt - 1)
  const capped = Math.min(exponential, policy.maxIntervalMs)
  return Math.round(capped * (1 + policy.jitter * (2 * spread - 1)))
}

function isNonRetryable(policy: RetryPolicy, error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { name, code } = error as { name?: unknown; code?: unknown }
  return policy.nonRetryable.some(entry => entry === name || entry === code)
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
