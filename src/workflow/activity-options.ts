import { inspect } from 'node:util'
import type { ActivityContext } from '../../actors/activity.ts'
import type { ActivitySpec } from '../../actors/activity.ts'
import type { RestartPolicy } from '../../actors/restart.ts'
import type { RetryPolicy } from '../../actors/retry.ts'
import { pooledProblems, type PooledOptions } from './activity-pool.ts'
import { isName, nameForm } from './address.ts'
import { durationProblem, parseDuration } from './duration.ts'
import type { Duration } from './duration.ts'
import { queueingNames, queueingProblems, type QueueingOptions } from './queueing-options.ts'
import { unknownOptions } from './unknown-options.ts'

export interface ActivityOptions<TInput, TOutput> extends QueueingOptions<TInput>, PooledOptions {
  /** What logs, metrics and idempotency keys call it: letters, digits, underscores and hyphens. */
  readonly name: string
  /**
   * What becomes of an attempt that was running when its process ended, or its instance changed nodes. `'transient'`, the
   * default: it runs again, as often as the default of {@link RestartOptions} allows. `'temporary'`: it does not; the
   * machine is told an error with code `ACTIVITY_LOST`, also after a pause.
   */
  readonly restart?: 'temporary' | 'transient' | RestartOptions
  /** When to try again. Absent: one attempt, and its error goes to the machine, as in XState. */
  readonly retry?: RetryOptions
  /**
   * The work. Each attempt calls it once; the machine sees the result of the first attempt that succeeds, or
   * the error of the last. It may run more than once, after a crash too: hand `idempotencyKey` to whatever it
   * changes outside, and stop when `signal` is aborted.
   */
  readonly run: (context: ActivityContext<TInput>) => Promise<TOutput>
  readonly timeout?: TimeoutOptions
}

/** When and how often a failed activity is tried again. The waits survive a restart. */
export interface RetryOptions {
  /** Each wait is this many times the one before. From 1; default 2. */
  readonly backoff?: number
  /** Wait before the second attempt. Default 1 s. */
  readonly initialInterval?: Duration
  /** Share of each wait that is spread at random, 0 to 1. Default 0.2, which means ±20 %. */
  readonly jitter?: number
  /**
   * Attempts in all, the first included: a whole number from 1, or Infinity. Those lost with their process are not
   * counted here but by {@link RestartOptions}. Default 5.
   */
  readonly maxAttempts?: number
  /** No wait is longer, jitter aside. At least the initial interval; default 100 times that. */
  readonly maxInterval?: Duration
  /**
   * Errors that another attempt cannot cure: their `name` or `code`, or a function that answers true for them. If that
   * throws, the error counts as one that can be cured, and the log says so. Default none.
   */
  readonly nonRetryable?: readonly string[] | ((error: unknown) => boolean)
}

/**
 * How often an activity may be restarted because its process has ended, or its instance changed nodes, before the
 * instance is suspended with the incident `RESTARTS_EXCEEDED`. With `onError: 'fail'` the machine has that error instead.
 * Retries are not counted here.
 */
export interface RestartOptions {
  /** Restarts within the period: a whole number from 0 to 1000, or Infinity, which needs no counting. Default 10. */
  readonly intensity?: number
  /** Above 0. Default 5 min. */
  readonly period?: Duration
}

/** When one is met, the error has the code `ACTIVITY_TIMEOUT`, and fields that say which; for `pool` it is `POOL_TIMEOUT`. */
export interface TimeoutOptions {
  /** How long one attempt may take, above 0. Then its signal is aborted and the attempt fails. Default for ever. */
  readonly attempt?: Duration
  /** How long an attempt may go without a call of `heartbeat`, above 0. Then it ends like that. Default for ever. */
  readonly heartbeat?: Duration
  /**
   * How long an attempt may wait for a permit of the activity's `pool`, above 0. Then the activity has failed, whatever
   * `retry` says. The moment is stored; each wait counts for itself. Default for ever.
   */
  readonly pool?: Duration
  /**
   * How long an attempt may wait for a slot before it begins, above 0; see {@link QueueingOptions}. Then the activity has
   * failed, whatever `retry` says. Each wait in a queue counts for itself: that of another attempt begins anew, and so
   * does that of an attempt that has lost its process. Default for ever.
   */
  readonly queue?: Duration
  /**
   * How long all attempts and the waits between them may take, above 0, counted from the moment the activity is asked for,
   * also while nothing runs. Then the activity has failed. No retry is waited for that could not begin before: the error
   * of the attempt is told instead. Default for ever.
   */
  readonly total?: Duration
}

const defaults = Object.freeze({
  backoff: 2,
  initialInterval: '1s' as Duration,
  jitter: 0.2,
  maxAttempts: 5,
  /** Times the initial interval. */
  maxIntervalFactor: 100,
  nonRetryable: Object.freeze([]) as readonly string[],
  intensity: 10,
  period: '5m' as Duration,
})

const mostIntensity = 1000
const optionNames = [...queueingNames, 'name', 'pool', 'restart', 'retry', 'run', 'timeout'].toSorted()
const restartNames = ['intensity', 'period']
const retryNames = ['backoff', 'initialInterval', 'jitter', 'maxAttempts', 'maxInterval', 'nonRetryable']
const timeoutNames = ['attempt', 'heartbeat', 'pool', 'queue', 'total'] as const

/** The retry policy asked for, defaults filled in. Expects options without problems. */
export function resolveRetry(retry: RetryOptions | undefined): RetryPolicy {
  const initialIntervalMs = parseDuration(
    retry?.initialInterval ?? defaults.initialInterval,
    'retry.initialInterval',
  )
  return Object.freeze({
    maxAttempts: retry === undefined ? 1 : (retry.maxAttempts ?? defaults.maxAttempts),
    initialIntervalMs,
    backoff: retry?.backoff ?? defaults.backoff,
    maxIntervalMs:
      retry?.maxInterval === undefined
        ? initialIntervalMs * defaults.maxIntervalFactor
        : parseDuration(retry.maxInterval, 'retry.maxInterval'),
    jitter: retry?.jitter ?? defaults.jitter,
    nonRetryable:
      typeof retry?.nonRetryable === 'function'
        ? retry.nonRetryable
        : Object.freeze([...(retry?.nonRetryable ?? defaults.nonRetryable)]),
  })
}

/** The restart policy asked for, defaults filled in. Expects options without problems. */
export function resolveRestart(restart: ActivityOptions<never, unknown>['restart']): RestartPolicy {
  if (restart === 'temporary') return restart
  const { intensity = defaults.intensity, period = defaults.period } = isObject(restart) ? restart : {}
  return Object.freeze({ intensity, periodMs: parseDuration(period, 'restart.period') })
}

/** The limits asked for, but that of the pool; undefined: none. Expects options without problems. */
export function resolveTimeouts(
  timeout: TimeoutOptions = {},
): Pick<ActivitySpec, 'attemptTimeoutMs' | 'heartbeatTimeoutMs' | 'queueTimeoutMs' | 'totalTimeoutMs'> {
  const limit = (name: (typeof timeoutNames)[number]) =>
    timeout[name] === undefined ? undefined : parseDuration(timeout[name], `timeout.${name}`)
  return {
    attemptTimeoutMs: limit('attempt'),
    heartbeatTimeoutMs: limit('heartbeat'),
    queueTimeoutMs: limit('queue'),
    totalTimeoutMs: limit('total'),
  }
}

/** Everything wrong with the options of an activity, each in one line. */
export function optionProblems(options: ActivityOptions<never, unknown>): string[] {
  if (!isObject(options)) return ['options must be an object with a name and a run function']
  const problems = unknownOptions(options, optionNames)
  if (!isName(options.name)) problems.push(`name must be ${nameForm}; got ${show(options.name)}`)
  if (typeof options.run !== 'function') problems.push(`run must be a function; got ${show(options.run)}`)
  if (options.restart !== undefined) problems.push(...restartProblems(options.restart))
  if (options.retry !== undefined) problems.push(...retryProblems(options.retry))
  if (options.timeout !== undefined) problems.push(...timeoutProblems(options.timeout))
  problems.push(...queueingProblems(options), ...pooledProblems(options, options.timeout?.pool))
  return problems
}

function restartProblems(restart: unknown): string[] {
  if (restart === 'temporary' || restart === 'transient') return []
  if (!isObject(restart)) {
    return [`restart must be 'temporary', 'transient' or an object; got ${show(restart)}`]
  }
  const problems = unknownOptions(restart, restartNames, 'restart.')
  const { intensity = defaults.intensity, period = defaults.period } = restart as RestartOptions
  const isCount = Number.isSafeInteger(intensity) && intensity >= 0 && intensity <= mostIntensity
  if (!isCount && intensity !== Infinity) {
    const range = `a whole number from 0 to ${mostIntensity}, or Infinity`
    problems.push(`restart.intensity must be ${range}; got ${show(intensity)}`)
  }
  problems.push(...lengthProblems(period, 'restart.period'))
  return problems
}

function retryProblems(retry: RetryOptions): string[] {
  if (!isObject(retry)) return [`retry must be an object; got ${show(retry)}`]
  const problems = unknownOptions(retry, retryNames, 'retry.')
  const {
    backoff = defaults.backoff,
    initialInterval = defaults.initialInterval,
    jitter = defaults.jitter,
    maxAttempts = defaults.maxAttempts,
    maxInterval,
    nonRetryable = defaults.nonRetryable,
  } = retry
  const check = (valid: boolean, field: string, range: string, value: unknown) => {
    if (!valid) problems.push(`retry.${field} must be ${range}; got ${show(value)}`)
  }

  const initialProblem = durationProblem(initialInterval, 'retry.initialInterval')
  const maxProblem = maxInterval === undefined ? undefined : durationProblem(maxInterval, 'retry.maxInterval')
  problems.push(...[initialProblem, maxProblem].filter(problem => problem !== undefined))
  if (maxInterval !== undefined && initialProblem === undefined && maxProblem === undefined) {
    const isOrdered = parseDuration(maxInterval, '') >= parseDuration(initialInterval, '')
    check(isOrdered, 'maxInterval', `at least the initial interval (${initialInterval})`, maxInterval)
  }
  check(Number.isFinite(backoff) && backoff >= 1, 'backoff', 'a number from 1', backoff)
  check(Number.isFinite(jitter) && jitter >= 0 && jitter <= 1, 'jitter', 'a number from 0 to 1', jitter)
  check(
    maxAttempts === Infinity || (Number.isSafeInteger(maxAttempts) && maxAttempts >= 1),
    'maxAttempts',
    'a whole number from 1, or Infinity',
    maxAttempts,
  )
  const areNames =
    typeof nonRetryable === 'function' ||
    (Array.isArray(nonRetryable) && nonRetryable.every(name => typeof name === 'string' && name !== ''))
  check(areNames, 'nonRetryable', 'a list of error names or codes, or a function', nonRetryable)
  return problems
}

function timeoutProblems(timeout: TimeoutOptions): string[] {
  if (!isObject(timeout)) return [`timeout must be an object; got ${show(timeout)}`]
  const problems = unknownOptions(timeout, timeoutNames, 'timeout.')
  for (const name of timeoutNames) {
    if (timeout[name] !== undefined) problems.push(...lengthProblems(timeout[name], `timeout.${name}`))
  }
  return problems
}

function lengthProblems(duration: Duration, field: string): string[] {
  const problem = durationProblem(duration, field)
  if (problem !== undefined) return [problem]
  return parseDuration(duration, field) === 0 ? [`${field} must be above 0`] : []
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function show(value: unknown): string {
  return inspect(value, { breakLength: Infinity, depth: 1 })
}
