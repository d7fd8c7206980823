import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRuntimeError, RuntimeError } from '../../src/index.ts'
import { parseDuration } from '../../src/workflow/duration.ts'
import { errorOf } from './error-of.ts'

describe('parseDuration', () => {
  it.each([
    [0, 0],
    [1500, 1500],
    ['250ms', 250],
    ['5s', 5_000],
    ['1.5m', 90_000],
    ['12h', 43_200_000],
    ['7d', 604_800_000],
    ['0s', 0],
    ['0.4ms', 0],
  ] as const)('reads %j as %d ms', (value, expected) => {
    expect(parseDuration(value, 'timeout')).toBe(expected)
  })

  it.each([
    -1,
    NaN,
    Infinity,
    1e300,
    '',
    '5',
    's',
    '-5s',
    '5 s',
    '5S',
    '1e3s',
    '0x10s',
    '.5s',
    '1h30m',
    '5w',
    `${'9'.repeat(30)}d`,
    '5s\n',
    null,
    undefined,
    true,
    [],
    5n,
  ])('refuses %s', value => {
    expect(errorOf(() => parseDuration(value, 'timeout')).code).toBe('OPTIONS_INVALID')
  })

  it('names the field, the value and the allowed forms when it refuses', () => {
    const error = errorOf(() => parseDuration('soon', 'retry.maxInterval'))

    expect(error.message).toBe(
      "retry.maxInterval must be milliseconds as a number, or text like '250ms', '5s', '1.5m', '12h' or '7d'; got 'soon'",
    )
    expect(error.fields).toEqual({ field: 'retry.maxInterval', value: 'soon' })
    expect(isRuntimeError(error, 'OPTIONS_INVALID')).toBe(true)
  })

  it('agrees with arithmetic for any amount of any unit', () => {
    const units = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 } as const
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100_000 }),
        fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])),
        (amount, unit) => {
          expect(parseDuration(`${amount}${unit}`, 'x')).toBe(amount * units[unit])
        },
      ),
    )
  })

  it('answers whole milliseconds or throws a RuntimeError, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything(), value => {
        expect(outcomeOf(value)).toSatisfy(
          outcome =>
            outcome instanceof RuntimeError || (Number.isSafeInteger(outcome) && Number(outcome) >= 0),
        )
      }),
    )
  })
})

function outcomeOf(value: unknown): unknown {
  try {
    return parseDuration(value, 'x')
  } catch (error) {
    return error
  }
}
