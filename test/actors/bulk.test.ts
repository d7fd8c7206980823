import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { Bulk, chunkNameOf, resultsKeyOf, type BulkRecord, type BulkResult } from '../../actors/bulk.ts'
import { roughSize } from '../../actors/rough-size.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'

const done = (output: unknown): LeafOutcome => ({ status: 'done', output })
const failed = (error: unknown): LeafOutcome => ({ status: 'error', error })

/** Starts as many children as may run, and answers their indexes. */
function startAll(bulk: Bulk, concurrency: number): number[] {
  const started: number[] = []
  for (let index = bulk.startNext(concurrency); index !== undefined; index = bulk.startNext(concurrency)) {
    started.push(index)
  }
  return started
}

/** As another process finds it. */
function reread(bulk: Bulk): Bulk {
  return new Bulk(structuredClone(bulk.record()))
}

describe('a bulk', () => {
  it('lets as many children run as may, in order, and the next one as soon as one is over', () => {
    const bulk = Bulk.of('square', 5)

    expect(startAll(bulk, 3)).toEqual([0, 1, 2])
    bulk.settle(1, done(1))
    expect(startAll(bulk, 3)).toEqual([3])
    bulk.settle(3, done(9))
    bulk.settle(0, done(0))
    expect(startAll(bulk, 3)).toEqual([4])
    expect([...bulk.running]).toEqual([2, 4])
  })

  it('takes no child twice, and none that was never started, told of in whatever order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 0, max: 70 }), { maxLength: 400 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 10 }),
        (total, concurrency, told, crashes) => {
          let bulk = Bulk.of('square', total)
          const results: BulkResult[] = []
          const running = new Set(startAll(bulk, concurrency))
          const tell = (index: number) => {
            expect(bulk.settle(index, index % 3 === 0 ? failed(index) : done(index))).toBe(running.has(index))
            running.delete(index)
            for (const next of startAll(bulk, concurrency)) running.add(next)
            expect(running.size).toBeLessThanOrEqual(concurrency)
            results.push(...(bulk.takeChunk()?.results ?? []))
          }

          for (const [turn, index] of told.entries()) {
            tell(index)
            if (crashes[turn % crashes.length] === true) bulk = reread(bulk)
          }
          while (running.size > 0) for (const index of running) tell(index)

          expect(bulk.isOver).toBe(true)
          expect(results.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual([
            ...Array(total).keys(),
          ])
          const failures = Math.ceil(total / 3)
          expect(bulk.outcome('k')).toMatchObject({ total, failed: failures, succeeded: total - failures })
        },
      ),
    )
  })

  it('has a record that does not grow with the number of its children', () => {
    const bulk = Bulk.of('square', 100_000)
    let largest = 0
    startAll(bulk, 100)
    for (let index = 0; index < 100_000; index++) {
      bulk.settle(index, done(index))
      startAll(bulk, 100)
      bulk.takeChunk()
      if (index % 997 === 0) largest = Math.max(largest, JSON.stringify(bulk.record()).length)
    }

    expect(largest).toBeLessThan(150_000)
    expect(bulk.isOver).toBe(true)
  })

  it('hands out its results in chunks of a bounded size, every one of them once', () => {
    const bulk = Bulk.of('square', 1000)
    const chunks: { number: number; results: readonly BulkResult[]; sizeBytes: number }[] = []
    for (const index of startAll(bulk, 1000)) {
      bulk.settle(index, done('x'.repeat(index)))
      const chunk = bulk.takeChunk()
      if (chunk !== undefined) chunks.push(chunk)
    }

    expect(chunks.map(({ number }) => number)).toEqual([...chunks.keys()])
    expect(chunks.flatMap(({ results }) => results).map(({ index }) => index)).toEqual([
      ...Array(1000).keys(),
    ])
    for (const { sizeBytes } of chunks.slice(0, -1)) {
      expect(sizeBytes).toBeGreaterThanOrEqual(32 * 1024)
      expect(sizeBytes).toBeLessThan(34 * 1024)
    }
    expect(bulk.outcome('k').results).toEqual({ key: 'k', chunks: chunks.length })
  })

  it('shows its progress in its record', () => {
    const bulk = Bulk.of('square', 10)
    startAll(bulk, 4)
    bulk.settle(2, done(4))
    bulk.settle(0, failed('no'))

    expect(bulk.record()).toEqual<BulkRecord>({
      workflow: 'square',
      total: 10,
      started: 4,
      completed: 2,
      failed: 1,
      running: [1, 3],
      results: [
        { index: 2, status: 'done', output: 4 },
        { index: 0, status: 'failed', error: 'no' },
      ],
      chunks: 0,
    })
  })

  it('names its results by its parent and invocation, and each chunk of them', () => {
    expect(resultsKeyOf({ workflow: 'order', id: 'a/b' }, 7)).toBe('order/a/b/7')
    expect(chunkNameOf(7, 0)).toBe('bulk-7-0')
  })
})

describe('the rough size of a value', () => {
  const endless: unknown[] = [1]
  endless.push(endless, endless)

  it.each<[string, unknown, number, number]>([
    ['nothing', undefined, 1, 10],
    ['a number', 5, 1, 10],
    ['a text', 'x'.repeat(1000), 1000, 1010],
    ['an object', { a: 'x'.repeat(100), b: { c: 'x'.repeat(100) } }, 200, 250],
    ['a Map', new Map([['a', 'x'.repeat(100)]]), 100, 150],
    ['bytes', new Uint8Array(5000), 5000, 5010],
    ['an error', Object.assign(new Error('x'.repeat(100)), { code: 'x'.repeat(100) }), 200, 10_000],
    ['a large array', Array.from({ length: 200_000 }, () => 1), 64 * 1024, 70_000],
    ['what refers to itself', endless, 64 * 1024, 70_000],
  ])('of %s is about right', (_, value, least, most) => {
    expect(roughSize(value)).toBeGreaterThanOrEqual(least)
    expect(roughSize(value)).toBeLessThanOrEqual(most)
  })
})
