import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import {
  acquire,
  claimOf,
  emptyPool,
  mostWaiting,
  release,
  type Claim,
  type PermitHolder,
  type Pool,
  type PoolStep,
} from '../../actors/pool.ts'

const holder = (n: number): PermitHolder => ({
  address: { workflow: 'order', id: `o-${n}` },
  path: 'site',
  incarnation: n,
})
const claim = (n: number, permits = 1, priority = 3): Claim => claimOf(holder(n), permits, priority)
const numberOf = ([, , , incarnation]: Claim): number => incarnation
const permitsOf = (claims: readonly Claim[]): number => claims.reduce((sum, one) => sum + one[4], 0)

/** A pool, and everything it has said. */
class Told {
  pool: Pool = emptyPool
  readonly granted: number[] = []
  readonly refused: [number, string][] = []

  acquire(size: number, ...claims: Claim[]): this {
    for (const one of claims) this.#take(acquire(this.pool, one, size))
    return this
  }

  release(...ns: number[]): this {
    for (const n of ns) this.#take(release(this.pool, holder(n)))
    return this
  }

  #take({ pool, granted, refused }: PoolStep): void {
    this.pool = pool
    this.granted.push(...granted.map(numberOf))
    this.refused.push(...refused.map(({ claim: one, reason }): [number, string] => [numberOf(one), reason]))
  }
}

describe('a pool', () => {
  it('serves by priority, then by arrival', () => {
    const told = new Told().acquire(1, claim(1), claim(2, 1, 5), claim(3), claim(4), claim(5, 1, 1))

    told.release(1, 5, 3, 4, 2)

    expect(told.granted).toEqual([1, 5, 3, 4, 2])
    expect(told.pool).toEqual({ permits: 1, held: [], waiting: [] })
  })

  it('lets nobody overtake one that asks for many', () => {
    const told = new Told().acquire(3, claim(1), claim(2, 3), claim(3))
    expect(told.granted).toEqual([1])

    told.release(1)
    expect(told.granted).toEqual([1, 2])

    told.release(2)
    expect(told.granted).toEqual([1, 2, 3])
  })

  it('forgets one that waits, and goes on with those behind it', () => {
    const told = new Told().acquire(3, claim(1, 2), claim(2, 3), claim(3))

    told.release(2)

    expect(told.granted).toEqual([1, 3])
  })

  it('has as many permits as was said last', () => {
    const told = new Told().acquire(1, claim(1), claim(2), claim(3)).acquire(3, claim(4))
    expect(told.granted).toEqual([1, 2, 3])

    told.acquire(1, claim(5)).release(1, 2)
    expect(told.granted).toEqual([1, 2, 3])

    told.release(3)
    expect(told.granted).toEqual([1, 2, 3, 4])
  })

  it('refuses what it can never give, at once or once it has become too small', () => {
    const told = new Told().acquire(5, claim(1, 6), claim(2, 5), claim(3, 4)).acquire(3, claim(4)).release(2)

    expect(told.refused.map(([n]) => n)).toEqual([1, 3])
    expect(told.refused[1]![1]).toBe('4 permits are asked for, and it has 3')
    expect(told.granted).toEqual([2, 4])
  })

  it('refuses when too many wait, or their names are too long', () => {
    const many = new Told().acquire(1, ...Array.from({ length: mostWaiting + 2 }, (_, n) => claim(n)))
    expect(many.refused.map(([n]) => n)).toEqual([mostWaiting + 1])
    many.release(7).acquire(1, claim(-1))
    expect(many.refused).toHaveLength(1)

    const id = 'x'.repeat(256)
    const long = (n: number) => claimOf({ ...holder(n), address: { workflow: 'order', id } }, 1, 3)
    const named = new Told().acquire(1, ...Array.from({ length: 2_000 }, (_, n) => long(n)))
    expect(named.pool.waiting.length).toBe(Math.floor((512 * 1024) / (256 + 9)) - 1)
  })

  it('tells invocations apart by everything that names them', () => {
    const one = holder(1)
    const others: PermitHolder[] = [
      { ...one, incarnation: 2 },
      { ...one, path: 'other' },
      { ...one, address: { workflow: 'order', id: 'o-2' } },
      { ...one, address: { workflow: 'other', id: 'o-1' } },
    ]
    const told = new Told().acquire(5, ...[one, ...others].map(each => claimOf(each, 1, 3)))
    expect(told.granted).toHaveLength(5)

    const { pool } = release(told.pool, one)

    expect(pool.held).toEqual(others.map(each => claimOf(each, 1, 3)))
  })

  it('never gives more than it has, loses nobody, keeps the order, and takes everything twice', () => {
    const message = fc.oneof(
      fc.record({
        type: fc.constant('acquire' as const),
        n: fc.nat(30),
        permits: fc.integer({ min: 1, max: 4 }),
        priority: fc.integer({ min: 1, max: 5 }),
        size: fc.integer({ min: 1, max: 4 }),
      }),
      fc.record({ type: fc.constant('release' as const), n: fc.nat(30) }),
    )
    fc.assert(
      fc.property(fc.array(message, { maxLength: 120 }), fc.nat(3), (messages, repeats) => {
        const told = new Told()
        /** Those that have asked and not given back, in the order they asked. */
        const wanted: Claim[] = []
        for (const one of messages) {
          const before = told.pool
          const [granted, refused] = [told.granted.length, told.refused.length]
          const index = wanted.findIndex(each => numberOf(each) === one.n)
          if (one.type === 'acquire' && index < 0) wanted.push(claim(one.n, one.permits, one.priority))
          if (one.type === 'release' && index >= 0) wanted.splice(index, 1)
          for (let time = 0; time <= repeats; time++) {
            // A refused one is not known any more: said again, it would be refused again.
            if (one.type === 'release') told.release(one.n)
            else if (time === 0 || told.refused.length === refused) {
              told.acquire(one.size, claim(one.n, one.permits, one.priority))
            }
          }
          for (const [n] of told.refused.slice(refused)) {
            wanted.splice(
              wanted.findIndex(each => numberOf(each) === n),
              1,
            )
          }
          const { held, permits, waiting } = told.pool
          const served = told.granted.slice(granted)
          // Those it had given before it became smaller may be more.
          const used = permitsOf(held)
          expect(used <= permits || (served.length === 0 && used <= permitsOf(before.held))).toBe(true)
          // Nobody is lost, nobody is there twice.
          expect(new Set([...held, ...waiting].map(numberOf))).toEqual(new Set(wanted.map(numberOf)))
          expect(held.length + waiting.length).toBe(wanted.length)
          // Those that wait are in order, and those served stood before all of them.
          const inOrder = wanted.toSorted((a, b) => a[5] - b[5]).map(numberOf)
          const isWaiting = new Set(waiting.map(numberOf))
          expect(waiting.map(numberOf)).toEqual(inOrder.filter(n => isWaiting.has(n)))
          const stood = inOrder.filter(n => isWaiting.has(n) || served.includes(n))
          expect(stood.slice(0, served.length)).toEqual(served)
          // The first one waits for a reason.
          expect(waiting.length === 0 || waiting[0]![4] > permits - used).toBe(true)
        }
        told.release(...wanted.map(numberOf))
        expect(told.pool).toMatchObject({ held: [], waiting: [] })
      }),
      { numRuns: 300 },
    )
  })
})
