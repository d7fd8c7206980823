import { inspect } from 'node:util'
import { RuntimeError } from '../../actors/errors.ts'

/** A length of time as options take it: milliseconds, or a decimal number with a unit, like `'5s'` or `'1.5h'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const allowedForms = "milliseconds as a number, or text like '250ms', '5s', '1.5m', '12h' or '7d'"

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/**
 * Reads a duration into whole milliseconds; parts of a millisecond are rounded.
 *
 * @param field the option it was given for, named in the error
 * @throws RuntimeError `OPTIONS_INVALID` when it is negative, not finite, or in none of the allowed forms
 */
export function parseDuration(value: unknown, field: string): number {
  const ms = milliseconds(value)
  if (ms === undefined) {
    throw new RuntimeError('OPTIONS_INVALID', durationProblem(value, field)!, { fields: { field, value } })
  }
  return ms
}

/** What is wrong with a duration, in one line; undefined when nothing is. For callers that report several at once. */
export function durationProblem(value: unknown, field: string): string | undefined {
  return milliseconds(value) === undefined
    ? `${field} must be ${allowedForms}; got ${inspect(value)}`
    : undefined
}

function milliseconds(value: unknown): number | undefined {
  const ms = typeof value === 'number' ? value : typeof value === 'string' ? fromText(value) : NaN
  const whole = Math.round(ms)
  return ms >= 0 && Number.isSafeInteger(whole) ? whole : undefined
}

function fromText(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  return match ? Number(match[1]) * unitsMs[match[2]!]! : NaN
}
