import { inspect } from 'node:util'

import { leastUrgent, type Place, type Priority } from '../../actors/activity-queue.ts'
import type { Queueing } from '../../actors/activity-slots.ts'
import { RuntimeError } from '../../actors/errors.ts'
import { messageOf } from '../../actors/plain-error.ts'
import type { Rate } from '../../actors/rate-window.ts'
import { durationProblem, parseDuration, type Duration } from './duration.ts'
import { unknownOptions } from './unknown-options.ts'

/**
 * How many attempts of an activity run, and which one is next where not all that want to can.
 *
 * Limits hold for all instances on one node together: everything made by one call of `activity()`. An attempt that
 * waits is already counted as running and is aborted like one; its attempt timeout begins with its work, and
 * `timeout.queue` bounds the wait. Waiting is not stored: after a crash all of them queue up again, and count as
 * restarted like those that ran.
 */
export interface QueueingOptions<TInput> {
  /**
   * How many attempts run at a time: a whole number from 1. One that is no longer wanted keeps its slot until it has
   * ended, so mind the `signal`. Default: as many as like, within what the node allows.
   */
  readonly concurrency?: number
  /**
   * A key for each input, say the customer: of attempts with the same priority the keys take turns, so that one with
   * many does not hold up the others. An answer that is no string fails the attempt with `OPTIONS_INVALID`.
   */
  readonly fairness?: (call: { readonly input: TInput }) => string
  /**
   * 1, the most urgent, to 5, or a function of the input. While an attempt waits it rises by one class every 10 s, so
   * the least urgent is as urgent as any after 40 s. While it waits for a permit of its `pool` it does not rise. A wrong
   * answer fails the attempt with `OPTIONS_INVALID`. Default 3.
   */
  readonly priority?: Priority | ((call: { readonly input: TInput }) => Priority)
  /** How many attempts begin within how much time. Default: as many as like. */
  readonly rate?: RateOptions
}

/** Within no span of that length do more begin, however they are spread. A node that starts begins anew. */
export interface RateOptions {
  /** A whole number from 1 to 100,000. */
  readonly limit: number
  /** Above 0. */
  readonly per: Duration
}

const defaultPriority = 3
const mostLimit = 100_000
const priorityRange = `a whole number from 1 to ${leastUrgent}`

export const queueingNames = ['concurrency', 'fairness', 'priority', 'rate']
const rateNames = ['limit', 'per']

/** Everything wrong with these options, each in one line. */
export function queueingProblems(options: QueueingOptions<never>): string[] {
  const { concurrency, fairness, priority, rate } = options
  const problems: string[] = []
  const check = (isValid: boolean, field: string, range: string, value: unknown) => {
    if (!isValid) problems.push(`${field} must be ${range}; got ${inspect(value, { depth: 1 })}`)
  }
  check(
    concurrency === undefined || isCount(concurrency),
    'concurrency',
    'a whole number from 1',
    concurrency,
  )
  check(fairness === undefined || typeof fairness === 'function', 'fairness', 'a function', fairness)
  const isPriorityGiven = priority !== undefined && typeof priority !== 'function'
  check(!isPriorityGiven || isPriority(priority), 'priority', `${priorityRange}, or a function`, priority)
  if (rate !== undefined) problems.push(...rateProblems(rate))
  return problems
}

/** How attempts wait, defaults filled in. Expects options without problems. */
export function resolveQueueing<TInput>(options: QueueingOptions<TInput>): Queueing {
  const { concurrency = Infinity, fairness, priority = defaultPriority, rate } = options
  return Object.freeze({
    concurrency,
    rate: rate && resolveRate(rate),
    placeOf: (input: unknown): Place => {
      const call = { input: input as TInput }
      return {
        priority: typeof priority === 'function' ? priorityOf(() => priority(call)) : priority,
        fairness: fairness && fairnessOf(() => fairness(call)),
      }
    },
  })
}

function rateProblems(rate: RateOptions): string[] {
  if (typeof rate !== 'object' || rate === null) {
    return [`rate must be an object with a limit and per; got ${inspect(rate)}`]
  }
  const problems = unknownOptions(rate, rateNames, 'rate.')
  if (!isCount(rate.limit) || rate.limit > mostLimit) {
    problems.push(`rate.limit must be a whole number from 1 to ${mostLimit}; got ${inspect(rate.limit)}`)
  }
  const problem = durationProblem(rate.per, 'rate.per')
  if (problem !== undefined) problems.push(problem)
  else if (parseDuration(rate.per, 'rate.per') === 0) problems.push('rate.per must be above 0')
  return problems
}

function resolveRate({ limit, per }: RateOptions): Rate {
  return Object.freeze({ limit, perMs: parseDuration(per, 'rate.per') })
}

function priorityOf(choose: () => unknown): Priority {
  const priority = answerOf('priority', choose)
  if (!isPriority(priority)) throw wrongAnswer('priority', priorityRange, priority)
  return priority
}

function fairnessOf(choose: () => unknown): string {
  const fairness = answerOf('fairness', choose)
  if (typeof fairness !== 'string') throw wrongAnswer('fairness', 'a string', fairness)
  return fairness
}

function answerOf(field: string, choose: () => unknown): unknown {
  try {
    return choose()
  } catch (cause) {
    const message = `${field} cannot be told from the input: ${messageOf(cause)}`
    throw new RuntimeError('OPTIONS_INVALID', message, { cause, fields: { field } })
  }
}

function wrongAnswer(field: string, range: string, value: unknown): RuntimeError {
  const message = `${field} must be ${range}; its function answered ${inspect(value, { depth: 1 })}`
  return new RuntimeError('OPTIONS_INVALID', message, { fields: { field, value } })
}

function isPriority(value: unknown): value is Priority {
  return isCount(value) && value <= leastUrgent
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1
}
