import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digest } from '../../src/codec/digest.ts'
import { decodeValue, encodeValue } from '../../src/codec/msgpack.ts'
import { plainValue, value as anyValue } from './arbitraries.ts'
import { errorOf } from './error-of.ts'

/** The same value with the fields of all objects in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, field]) => [name, reversed(field)]),
  )
}

describe('digest', () => {
  it('is 22 characters that need no escaping anywhere', () => {
    expect(digest({ a: 1 })).toMatch(/^[\w-]{22}$/)
  })

  it('stays the same for ever, since records hold it', () => {
    expect(digest(undefined)).toBe('3wJ0zzZ4uXXaRj3s6EpjbJ')
    expect(digest({ order: 'o-1', lines: [{ sku: 'a', n: 2 }], at: new Date(5), big: 10n })).toBe(
      'PyCUoMjojSGxz9UJbf24E9',
    )
  })

  it('does not depend on the order of fields', () => {
    fc.assert(
      fc.property(plainValue, value => {
        expect(digest(reversed(value))).toBe(digest(value))
      }),
    )
  })

  it('is the same for a value and its copy from bytes', () => {
    fc.assert(
      fc.property(anyValue, value => {
        expect(digest(decodeValue(encodeValue(value)))).toBe(digest(value))
      }),
    )
  })

  it('is the same for JSON and for what JSON was made from', () => {
    const input = { lines: [{ n: 1, sku: 'a' }], note: undefined, total: 9.5 }

    expect(digest(JSON.parse(JSON.stringify(input)))).toBe(digest(input))
  })

  it('does not depend on the order of Map entries and Set members', () => {
    const one = [
      new Map<unknown, unknown>([
        [{ a: 1, b: 2 }, 1],
        ['k', new Set([1, 'x', { y: 1 }])],
      ]),
    ]
    const other = [
      new Map<unknown, unknown>([
        ['k', new Set([{ y: 1 }, 'x', 1])],
        [{ b: 2, a: 1 }, 1],
      ]),
    ]

    expect(digest(one)).toBe(digest(other))
  })

  it('leaves out the stack of an error and nothing else of it', () => {
    const error = (message: string, code: string) => Object.assign(new Error(message), { code })

    expect(digest(error('a', 'X'))).toBe(digest(Object.assign(error('a', 'X'), { stack: 'elsewhere' })))
    expect(digest(error('a', 'X'))).not.toBe(digest(error('b', 'X')))
    expect(digest(error('a', 'X'))).not.toBe(digest(error('a', 'Y')))
  })

  it('tells different values apart', () => {
    const values = [
      undefined,
      null,
      0,
      -0,
      1,
      1n,
      '1',
      '',
      [],
      {},
      [1],
      ['1'],
      [[1]],
      [1, undefined],
      { a: 1 },
      { a: '1' },
      { b: 1 },
      { a: { b: 1 } },
      { a: null },
      new Map(),
      new Map([['a', 1]]),
      new Map([[1, 'a']]),
      new Set(),
      new Set(['a', 1]),
      new Date(1),
      new Date(2),
      Uint8Array.of(1),
      Uint8Array.of(2),
      Int8Array.of(1),
      /a/,
      /a/g,
      new URL('https://example.org/a'),
      new URL('https://example.org/b'),
      [1, 2],
      [2, 1],
      true,
      false,
      NaN,
    ]

    expect(new Set(values.map(value => digest(value))).size).toBe(values.length)
  })

  it('refuses what cannot be stored, naming the path', () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic

    expect(errorOf(() => digest({ b: 1, a: [() => {}] })).fields['path']).toBe('a[0]')
    expect(errorOf(() => digest(cyclic))).toMatchObject({
      code: 'VALUE_UNSUPPORTED',
      fields: { path: 'self' },
    })
    expect(errorOf(() => digest(cyclic, 'input')).fields['path']).toBe('input.self')
  })
})
