import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { RateWindow, type Rate } from '../../actors/rate-window.ts'

const rates: fc.Arbitrary<Rate> = fc.record({
  limit: fc.integer({ min: 1, max: 8 }),
  perMs: fc.integer({ min: 1, max: 50 }),
})

/** When each of those that wanted to begin at these moments did. */
function begin(rate: Rate, wantedAt: readonly number[]): number[] {
  const window = new RateWindow(rate)
  let now = 0
  return wantedAt.map(at => {
    now = Math.max(now, at, window.opensAt)
    window.count(now)
    return now
  })
}

describe('a rate window', () => {
  it('never lets more than its limit begin within its time, however they are spread', () => {
    const gaps = fc.array(fc.oneof(fc.constant(0), fc.nat({ max: 60 })), { maxLength: 100 })
    fc.assert(
      fc.property(rates, gaps, (rate, between) => {
        let at = 0
        const begunAt = begin(
          rate,
          between.map(gap => (at += gap)),
        )

        // Each beginning opens a window of the half-open kind.
        for (const from of begunAt) {
          const within = begunAt.filter(moment => moment >= from && moment < from + rate.perMs)
          expect(within.length).toBeLessThanOrEqual(rate.limit)
        }
      }),
    )
  })

  it('holds nothing back for longer than that takes', () => {
    const gaps = fc.array(fc.oneof(fc.constant(0), fc.nat({ max: 60 })), { maxLength: 100 })
    fc.assert(
      fc.property(rates, gaps, (rate, between) => {
        let at = 0
        const wantedAt = between.map(gap => (at += gap))

        const begunAt = begin(rate, wantedAt)

        const earliest = begunAt.map((_, index) =>
          Math.max(
            wantedAt[index]!,
            begunAt[index - 1] ?? 0,
            (begunAt[index - rate.limit] ?? -Infinity) + rate.perMs,
          ),
        )
        expect(begunAt).toEqual(earliest)
      }),
    )
  })
})
