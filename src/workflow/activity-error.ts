import { parseDuration } from './duration.ts'
import type { Duration } from './duration.ts'

export interface ActivityErrorOptions {
  /** The error that led to this one. */
  readonly cause?: unknown
  /** What programs call it: `nonRetryable` of an activity and the machine can match on it. */
  readonly code?: string
  /** True when another attempt cannot cure it. Default false. */
  readonly nonRetryable?: boolean
  /** When the next attempt begins, instead of the interval of the retry policy: exactly, however long. */
  readonly retryAfter?: Duration
}

/**
 * An error of an activity that says itself how to go on. Not needed for that: any error with a `retryAfterMs` of 0 or more,
 * or with `nonRetryable` true, is understood alike. Neither grants an attempt beyond `maxAttempts`.
 *
 * @throws RuntimeError `OPTIONS_INVALID` when `retryAfter` is no duration
 */
export class ActivityError extends Error {
  override readonly name = 'ActivityError'
  readonly code: string | undefined
  readonly nonRetryable: boolean
  readonly retryAfterMs: number | undefined

  constructor(message: string, options: ActivityErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    const { code, nonRetryable = false, retryAfter } = options
    this.code = code
    this.nonRetryable = nonRetryable
    this.retryAfterMs = retryAfter === undefined ? undefined : parseDuration(retryAfter, 'retryAfter')
  }
}
