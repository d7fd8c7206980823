import { inspect } from 'node:util'
import type { ActivityContext } from '../../actors/activity.ts'
import type { RetryPolicy } from '../../actors/retry.ts'
import { isName, nameForm } from './address.ts'
import { durationProblem, parseDuration } from './duration.ts'
import type { Duration } from './duration.ts'
import { queueingNames, queueingProblems, type QueueingOptions } from './queueing-options.ts'

export interface ActivityOptions<TInput, TOutput> extends QueueingOptions<TInput> {
  /** What logs, metrics and idempotency keys call it: letters, digits, underscores and hyphens. */
  readonly name: string
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
  /** Attempts in all, the first included: a whole number from 1, or Infinity. Default 5. */
  readonly maxAttempts?: number
  /** No wait is longer, jitter aside. At least the initial interval; default 100 times that. */
  readonly maxInterval?: Duration
  /** `name` or `code` of errors that another attempt cannot cure. Default none. */
  readonly nonRetryable?: readonly string[]
}

export interface TimeoutOptions {
  /** How long one attempt may take, above 0. Then its signal is aborted and the attempt fails. Default for ever. */
  readonly attempt?: Duration
}

const defaults = Object.freeze({
  backoff: 2,
  initialInterval: '1s' as Duration,
  jitter: 0.2,
  maxAttempts: 5,
  /** Times the initial interval. */
  maxIntervalFactor: 100,
  nonRetryable: Object.freeze([]) as readonly string[],
})

const optionNames = [...queueingNames, 'name', 'retry', 'run', 'timeout'].toSorted()
const retryNames = ['backoff', 'initialInterval', 'jitter', 'maxAttempts', 'maxInterval', 'nonRetryable']
const timeoutNames = ['attempt']

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
    nonRetryable: Object.freeze([...(retry?.nonRetryable ?? defaults.nonRetryable)]),
  })
}

/** Milliseconds one attempt may take; undefined: as long as it likes. Expects options without problems. */
export function resolveAttemptTimeout(timeout: TimeoutOptions | undefined): number | undefined {
  return timeout?.attempt === undefined ? undefined : parseDuration(timeout.attempt, 'timeout.attempt')
}

/** Everything wrong with the options of an activity, each in one line. */
export function optionProblems(options: ActivityOptions<never, unknown>): string[] {
  if (!isObject(options)) return ['options must be an object with a name and a run function']
  const problems = unknownNames(options, optionNames, '')
  if (!isName(options.name)) problems.push(`name must be ${nameForm}; got ${show(options.name)}`)
  if (typeof options.run !== 'function') problems.push(`run must be a function; got ${show(options.run)}`)
  if (options.retry !== undefined) problems.push(...retryProblems(options.retry))
  if (options.timeout !== undefined) problems.push(...timeoutProblems(options.timeout))
  problems.push(...queueingProblems(options))
  return problems
}

function retryProblems(retry: RetryOptions): string[] {
  if (!isObject(retry)) return [`retry must be an object; got ${show(retry)}`]
  const problems = unknownNames(retry, retryNames, 'retry.')
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
    Array.isArray(nonRetryable) && nonRetryable.every(name => typeof name === 'string' && name !== '')
  check(areNames, 'nonRetryable', 'a list of error names or codes', nonRetryable)
  return problems
}

function timeoutProblems(timeout: TimeoutOptions): string[] {
  if (!isObject(timeout)) return [`timeout must be an object; got ${show(timeout)}`]
  const problems = unknownNames(timeout, timeoutNames, 'timeout.')
  if (timeout.attempt === undefined) return problems
  const problem = durationProblem(timeout.attempt, 'timeout.attempt')
  if (problem !== undefined) problems.push(problem)
  else if (parseDuration(timeout.attempt, '') === 0) problems.push('timeout.attempt must be above 0')
  return problems
}

/** Anything misspelt or not supported is refused: an option that silently does nothing is a trap. */
function unknownNames(options: object, known: readonly string[], prefix: string): string[] {
  return Object.keys(options)
    .filter(key => !known.includes(key))
    .map(key => `${prefix}${key} is not an option; there are ${known.join(', ')}`)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function show(value: unknown): string {
  return inspect(value, { breakLength: Infinity, depth: 1 })
}
