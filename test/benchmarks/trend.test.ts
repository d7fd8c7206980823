import { describe, expect, it } from 'vitest'

import { trendOf } from '../../benchmarks/trend.ts'
import { randomFrom } from '../support/random.ts'

describe('a trend', () => {
  it('is the line itself when nothing is off it', () => {
    const trend = trendOf([2, 4, 9].map(x => [x, 3 * x + 1]))

    expect(trend.slope).toBeCloseTo(3)
    expect(trend.growth).toBeCloseTo(21)
    expect(trend.error).toBeCloseTo(0)
  })

  it('does not rise where nothing does', () => {
    expect(trendOf([1, 2, 3].map(x => [x, 24]))).toEqual({ growth: 0, error: 0, slope: 0 })
  })

  it('tells how sure it is: three errors hold what chance makes of no rise', () => {
    const random = randomFrom(7)
    const chances = Array.from({ length: 500 }, () => {
      const { growth, error } = trendOf(Array.from({ length: 60 }, (_, x) => [x, random()]))
      return Math.abs(growth) / error
    })

    const beyond = (errors: number) => chances.filter(chance => chance > errors).length

    // Of 500, 32 % are expected beyond one error and 0.4 % beyond three.
    expect(beyond(1)).toBeGreaterThan(100)
    expect(beyond(1)).toBeLessThan(220)
    expect(beyond(3)).toBeLessThan(10)
  })
})
