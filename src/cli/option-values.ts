import { durationProblem, parseDuration } from '../workflow/duration.ts'
import { usage } from './arguments.ts'

/**
 * Reads an option that is a length of time, into milliseconds.
 *
 * @throws RuntimeError `USAGE`
 */
export function parseDurationOption(name: string, value: string): number {
  const duration = value === '0' ? 0 : value
  if (durationProblem(duration, name) !== undefined) {
    throw usage(`--${name} must be a number with a unit, like 250ms, 5s, 1.5m, 12h or 7d; got '${value}'`)
  }
  return parseDuration(duration, name)
}

/**
 * Reads an option that is a whole number.
 *
 * @throws RuntimeError `USAGE`
 */
export function parseWholeOption(name: string, value: string, least: number, most: number): number {
  const number = /^\d+$/.test(value) ? Number(value) : NaN
  if (number >= least && number <= most) return number
  throw usage(`--${name} must be a whole number from ${least} to ${most}; got '${value}'`)
}
