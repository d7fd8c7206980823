import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { addExtension } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { decodeValue, encodeValue } from '../../src/codec/msgpack.ts'
import { value as anyValue } from './arbitraries.ts'

const roundTrip = (value: unknown) => decodeValue(encodeValue(value))

class Money {
  readonly #cents = 1
  readonly amount = 12
  readonly currency = 'EUR'
  get cents(): number {
    return this.#cents
  }
}

describe('encodeValue and decodeValue', () => {
  it.each<[string, unknown]>([
    ['null', null],
    ['undefined', undefined],
    ['undefined in an object', { a: undefined, b: 1 }],
    ['undefined in an array', [undefined, 1, undefined]],
    ['true', true],
    ['false', false],
    ['zero', 0],
    ['minus zero', -0],
    ['minus zero inside', { list: [0, -0], z: -0 }],
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
    ['the smallest number', Number.MIN_VALUE],
    ['the largest number', Number.MAX_VALUE],
    ['a fraction', 0.1 + 0.2],
    ['2^31', 2 ** 31],
    ['2^32', 2 ** 32],
    ['-(2^31) - 1', -(2 ** 31) - 1],
    ['the largest safe integer', Number.MAX_SAFE_INTEGER],
    ['the smallest safe integer', Number.MIN_SAFE_INTEGER],
    ['2^60, beyond the safe integers', 2 ** 60],
    ['a small BigInt', 1n],
    ['BigInt zero', 0n],
    ['a negative BigInt', -1n],
    ['a BigInt beyond 64 bits', 2n ** 64n],
    ['a BigInt of 4,000 bits', 7n ** 1425n],
    ['a negative BigInt of 4,000 bits', -(7n ** 1425n)],
    ['empty text', ''],
    ['text with an emoji', 'a😀b'],
    ['text beyond 65,535 bytes', 'é'.repeat(40_000)],
    ['a lone high surrogate', 'a\ud800'],
    ['a lone low surrogate in long text', `${'x'.repeat(100)}\udc00`],
    ['text that begins with a byte order mark', `\ufeff${'é'.repeat(100)}`],
    ['an empty object', {}],
    ['an empty name', { '': 1 }],
    ['a field called constructor', { constructor: 'x' }],
    ['fields called like methods', { hasOwnProperty: 1, toJSON: 'x', toString: null, valueOf: [] }],
    ['a field called __proto__', JSON.parse('{"__proto__":{"admin":true},"a":1}')],
    ['a name with a lone surrogate', { '\udfff': 1 }],
    ['a name that begins with a byte order mark', { [`\ufeff${'é'.repeat(100)}`]: 1 }],
    [
      'an object of 70,000 fields',
      Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`f${i}`, i])),
    ],
    ['an empty array', []],
    ['an array of 70,000 items', Array.from({ length: 70_000 }, (_, i) => i)],
    ['a Date', new Date('2026-02-03T04:05:06Z')],
    ['a Date with milliseconds', new Date('2026-02-03T04:05:06.789Z')],
    ['a Date before 1970', new Date(-1)],
    ['the earliest Date', new Date(-8.64e15)],
    ['the latest Date', new Date(8.64e15)],
    ['an invalid Date', new Date(NaN)],
    ['an empty Map', new Map()],
    [
      'a Map with keys of any type',
      new Map<unknown, unknown>([
        [1, 'a'],
        ['1', 'b'],
        [null, 'c'],
        [{ k: 1 }, [2]],
      ]),
    ],
    ['a Map with a Map as key, in an array', [new Map([['a', new Map([[new Map([[1, 2]]), 3]])]])]],
    ['an empty Set', new Set()],
    ['a Set of anything', new Set<unknown>([1, 'a', undefined, { x: new Set([1n]) }])],
    ['a Uint8Array', Uint8Array.of(0, 127, 255)],
    ['a Buffer', Buffer.from('buffer')],
    ['an empty ArrayBuffer', new ArrayBuffer(0)],
    ['an ArrayBuffer', Uint8Array.of(1, 2, 3).buffer],
    ['a DataView', new DataView(Uint8Array.of(1, 2, 3).buffer)],
    ['a Uint8ClampedArray', Uint8ClampedArray.of(0, 255)],
    ['an Int8Array', Int8Array.of(-1, 1)],
    ['a Uint16Array', Uint16Array.of(1, 65535)],
    ['an Int16Array', Int16Array.of(-1, 1)],
    ['a Uint32Array', Uint32Array.of(1, 2 ** 32 - 1)],
    ['an Int32Array', Int32Array.of(-1, 1)],
    ['a BigUint64Array', BigUint64Array.of(1n, 2n ** 64n - 1n)],
    ['a BigInt64Array', BigInt64Array.of(-1n, 1n)],
    ['a Float32Array', Float32Array.of(-0, 1.5, NaN)],
    ['a Float64Array', Float64Array.of(-0, 0.1, Infinity)],
    ['part of a larger buffer', new Uint16Array(Uint16Array.of(1, 2, 3, 4).buffer, 2, 2)],
    ['a RegExp', /^a(?<b>[/\n]+)\u{1F600}$/gimsuy],
    ['a URL', new URL('https://user@example.org:8080/päth?q=1#f')],
  ])('gives back %s', (_, value) => {
    expect(roundTrip(value)).toStrictEqual(value)
    expect(roundTrip([{ nested: value }])).toStrictEqual([{ nested: value }])
  })

  it('gives back whatever can be stored', () => {
    fc.assert(
      fc.property(anyValue, value => {
        expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  it('writes a value it has read as the same bytes again', () => {
    fc.assert(
      fc.property(anyValue, value => {
        const bytes = encodeValue(value)
        expect(Buffer.from(encodeValue(decodeValue(bytes)))).toEqual(Buffer.from(bytes))
      }),
    )
  })

  it('turns holes into undefined', () => {
    // oxlint-disable-next-line no-sparse-arrays
    expect(roundTrip([1, , 3])).toStrictEqual([1, undefined, 3])
  })

  it('turns an instance into a plain object of its own enumerable fields', () => {
    const money = new Money()

    expect(roundTrip({ money })).toStrictEqual({ money: { amount: 12, currency: 'EUR' } })
    expect(money.cents).toBe(1)
  })

  it('turns an object without a prototype into a plain one', () => {
    const bare = Object.assign(Object.create(null) as object, { a: new Map([[1, 2]]) })

    expect(roundTrip(bare)).toStrictEqual({ a: new Map([[1, 2]]) })
  })

  it('tells a Buffer from a Uint8Array', () => {
    const [buffer, bytes] = roundTrip([Buffer.from('a'), Uint8Array.of(97)]) as unknown[]

    expect(Buffer.isBuffer(buffer)).toBe(true)
    expect(Buffer.isBuffer(bytes)).toBe(false)
  })

  it('leaves the value as it was', () => {
    const value = { list: [1n, new Map([['a', -0]])], error: new Error('x'), tags: new Set(['a']) }
    const { list, error, tags } = value

    encodeValue(value)

    expect(value.list).toBe(list)
    expect(value).toStrictEqual({ list: [1n, new Map([['a', -0]])], error, tags })
  })

  it('leaves an own field __proto__ an ordinary field', () => {
    const decoded = roundTrip(JSON.parse('{"a":{"__proto__":{"admin":true}}}')) as { a: { admin?: boolean } }

    expect(Object.keys(decoded.a)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(decoded.a)).toBe(Object.prototype)
    expect(decoded.a.admin).toBeUndefined()
  })

  it('hands out bytes that later calls do not touch and that keep no large memory alive', () => {
    const values = Array.from({ length: 500 }, (_, i) => ({ i, text: 'x'.repeat(i * 20) }))

    const encoded = values.map(encodeValue)

    expect(encoded.map(decodeValue)).toEqual(values)
    const kept = encoded.map(bytes => bytes.buffer.byteLength - bytes.length)
    expect(Math.max(...kept)).toBeLessThanOrEqual(Buffer.poolSize)
  })

  it('reads values that do not change with the bytes they were read from', () => {
    const bytes = encodeValue({ bin: Uint8Array.of(1, 2, 3), list: Uint16Array.of(1, 2), text: 'abc' })
    const decoded = decodeValue(bytes)

    bytes.fill(0)

    expect(decoded).toStrictEqual({ bin: Uint8Array.of(1, 2, 3), list: Uint16Array.of(1, 2), text: 'abc' })
  })

  it('reads from the middle of a larger buffer and leaves it alone', () => {
    const bytes = encodeValue({ a: [1, 'x', new Map([[1, 2]])] })
    const larger = Buffer.concat([Buffer.of(0xff), bytes, Buffer.of(0xff)])
    const view = larger.subarray(1, -1)

    expect(decodeValue(view)).toStrictEqual({ a: [1, 'x', new Map([[1, 2]])] })
    expect(Object.keys(view)).toHaveLength(view.length)
  })

  it('is not affected by what the program teaches msgpackr', () => {
    class Hijacked {}
    const hijack = { pack: () => Buffer.from('hijacked'), unpack: () => new Hijacked() }
    for (const Class of [Date, Set, Error, Uint8Array]) addExtension({ Class, type: 21, ...hijack })
    for (let type = 20; type <= 30; type++) addExtension({ type, unpack: hijack.unpack })
    const value = [new Date(5), new Set([1]), new Map([[1, -0]]), Uint8Array.of(1), 1n]

    expect(roundTrip(value)).toStrictEqual(value)
  })

  it('writes a repeated object twice', () => {
    const shared = { a: 1 }

    const [first, second] = roundTrip([shared, shared]) as object[]

    expect(first).toEqual(second)
    expect(first).not.toBe(second)
  })
})
