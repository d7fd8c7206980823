import { describe, expect, it } from 'vitest'

import { ownerOf, partitionsFor } from '../../actors/assignment.ts'
import { hash32 } from '../../actors/hash.ts'

const partitions = 512
const all = Array.from({ length: partitions }, (_, partition) => partition)

function owners(names: readonly string[]): readonly (string | undefined)[] {
  return all.map(partition => ownerOf(partition, names))
}

function shares(names: readonly string[]): readonly number[] {
  return names.map(name => partitionsFor(name, names, partitions).size)
}

/** As they come: one word and a number, a host and a random part, one character apart at the start or the end. */
const namings: readonly (readonly [string, (index: number) => string])[] = [
  ['a number at the end', index => `node-${index}`],
  ['a letter at the start', index => `${'abcdefgh'[index]}-worker`],
  ['one letter each', index => 'abcdefgh'[index]!],
  ['a random part at the end', index => `orders-7d9f8c5b4-${(index * 2_654_435_761).toString(36)}`],
  ['64 characters', index => `${'x'.repeat(63)}${index}`],
]

describe('the assignment of partitions', () => {
  it('is the same in whatever order the nodes are known', () => {
    const names = ['north', 'east', 'south', 'west']

    expect(owners(names.toReversed())).toEqual(owners(names))
    expect(owners(names.toSorted())).toEqual(owners(names))
  })

  it('is the same in every version: other nodes may run another', () => {
    const known = all.slice(0, 32).map(partition => ownerOf(partition, ['a', 'b', 'c']))

    expect(known.join('')).toBe('aabaaabacccbbcabaabccbcaaabacccb')
  })

  it('goes by name where two nodes have the same score', () => {
    const [first, second] = ['node-1fn76ng', 'node-pnjcao'] as const

    expect(hash32(`${first} 0`)).toBe(hash32(`${second} 0`))
    expect(ownerOf(0, [first, second])).toBe(first)
    expect(ownerOf(0, [second, first])).toBe(first)
  })

  it('gives each partition to one of the nodes', () => {
    const names = ['a', 'b', 'c']
    const given = names.flatMap(name => [...partitionsFor(name, names, partitions)])

    expect(given.toSorted((a, b) => a - b)).toEqual(all)
  })

  it('gives a node that is alone everything, one that is not alive nothing, and nobody a partition of nobody', () => {
    expect(partitionsFor('a', ['a'], partitions).size).toBe(partitions)
    expect(partitionsFor('b', ['a'], partitions).size).toBe(0)
    expect(ownerOf(0, [])).toBeUndefined()
  })

  it('hands what a node stays away from to the next in rank, and moves nothing else', () => {
    const names = ['a', 'b', 'c']
    const before = owners(names)
    const away = new Set(all.filter(partition => before[partition] === 'b').slice(0, 20))

    const after = all.map(partition => ownerOf(partition, names, new Map([['b', away]])))

    const expected = all.map(partition => ownerOf(partition, away.has(partition) ? ['a', 'c'] : names))
    expect(after).toEqual(expected)
    expect(partitionsFor('b', names, partitions, new Map([['b', away]]))).toEqual(
      new Set(all.filter(partition => before[partition] === 'b' && !away.has(partition))),
    )
  })

  it('gives nobody what all stay away from', () => {
    const away = new Set([3])

    expect(
      ownerOf(
        3,
        ['a', 'b'],
        new Map([
          ['a', away],
          ['b', away],
        ]),
      ),
    ).toBeUndefined()
    expect(
      ownerOf(
        4,
        ['a', 'b'],
        new Map([
          ['a', away],
          ['b', away],
        ]),
      ),
    ).toBeDefined()
  })

  it('moves to a node that joins only what it gets', () => {
    const names = ['a', 'b', 'c']
    const [before, after] = [owners(names), owners([...names, 'd'])]

    const moved = all.filter(partition => before[partition] !== after[partition])

    expect(moved.length).toBeGreaterThan(0)
    expect(moved.map(partition => after[partition])).toEqual(moved.map(() => 'd'))
  })

  it('moves from a node that leaves only what it had, to all the others', () => {
    const [before, after] = [owners(['a', 'b', 'c', 'd']), owners(['a', 'b', 'd'])]

    const moved = all.filter(partition => before[partition] !== after[partition])

    expect(moved.map(partition => before[partition])).toEqual(moved.map(() => 'c'))
    expect(new Set(moved.map(partition => after[partition]))).toEqual(new Set(['a', 'b', 'd']))
  })

  it.each(namings)('spreads partitions over 2 to 8 nodes whose names have %s', (_, nameOf) => {
    for (let count = 2; count <= 8; count++) {
      const names = Array.from({ length: count }, (_node, index) => nameOf(index))
      const fair = partitions / count

      // Four standard deviations of a fair draw: names as chance would have them stay within it.
      const bound = 4 * Math.sqrt(fair * (1 - 1 / count))
      for (const share of shares(names)) expect(Math.abs(share - fair)).toBeLessThan(bound)
    }
  })

  it('leaves no node without a partition when there are many more partitions than nodes', () => {
    const names = Array.from({ length: 8 }, (_, index) => `node-${index}`)

    expect(Math.min(...names.map(name => partitionsFor(name, names, 64).size))).toBeGreaterThan(0)
  })
})
