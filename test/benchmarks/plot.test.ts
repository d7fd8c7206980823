import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { plot, type Axis, type Line } from '../../benchmarks/contest/plot.ts'

const frame = { left: 72, right: 590, top: 48, bottom: 364 }

/** Every match's numbers. */
function numbersIn(svg: string, pattern: RegExp): readonly (readonly number[])[] {
  return [...svg.matchAll(pattern)].map(([, ...groups]) => groups.map(Number))
}

function inOrder(values: readonly number[]): readonly number[] {
  return values.toSorted((a, b) => a - b)
}

/** Between neighbours; Infinity where there are none. */
function leastDistance(values: readonly number[]): number {
  return Math.min(
    Infinity,
    ...inOrder(values).map((value, index, all) => value - (all[index - 1] ?? -Infinity)),
  )
}

const value = fc.double({ min: 0.001, max: 1e7, noNaN: true })
const axis = fc.constantFrom('linear', 'log').map((scale): Axis => ({ label: scale, scale }))
const lines = fc.array(
  fc
    .array(fc.tuple(value, value), { minLength: 2, maxLength: 6 })
    .map((points): Line => ({ colour: 0, name: 'line', points })),
  { minLength: 1, maxLength: 8 },
)

describe('a plot', () => {
  it('holds every point, and writes no name and no mark over another', () => {
    fc.assert(
      fc.property(axis, axis, lines, (x, y, given) => {
        const svg = plot({ title: 'title', x, y }, given)!

        const dots = numbersIn(svg, /<circle cx="([^"]+)" cy="([^"]+)"/g)
        const names = numbersIn(svg, /<path d="M602 ([\d.]+)h16"/g).flat()
        const marks = numbersIn(svg, /<path d="M([\d.]+) 48V364"/g).flat()

        expect(dots).toHaveLength(given.flatMap(({ points }) => points).length)
        for (const [across, up] of dots) {
          expect(across).toBeGreaterThanOrEqual(frame.left)
          expect(across).toBeLessThanOrEqual(frame.right)
          expect(up).toBeGreaterThanOrEqual(frame.top)
          expect(up).toBeLessThanOrEqual(frame.bottom)
        }
        expect(names).toHaveLength(given.length)
        expect(Math.max(...names)).toBeLessThanOrEqual(frame.bottom)
        expect(leastDistance(names)).toBeGreaterThanOrEqual(15.9)
        expect(leastDistance(marks)).toBeGreaterThanOrEqual(33.9)
      }),
    )
  })

  it('is none without a line of two points that can be drawn', () => {
    const axes = { title: '', x: { label: '', scale: 'log' }, y: { label: '', scale: 'log' } } as const
    const points = [
      [1, 5],
      [2, 0],
    ] as const

    expect(plot(axes, [{ colour: 0, name: '', points }])).toBeUndefined()
  })
})
