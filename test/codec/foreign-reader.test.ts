import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeValue, encodeValue } from '../../src/codec/msgpack.ts'
import { plainValue, value as anyValue } from './arbitraries.ts'
import { readMsgpack } from './msgpack-reader.ts'
import type { ReadExtension, ReadMap } from './msgpack-reader.ts'

const readBack = (value: unknown) => readMsgpack(encodeValue(value))

/** Maps as objects, for values that have none but plain ones. */
function asObjects(read: unknown): unknown {
  if (Array.isArray(read)) return read.map(asObjects)
  if (typeof read !== 'object' || read === null) return read
  return Object.fromEntries(
    (read as ReadMap).pairs.map(([name, field]) => [name as string, asObjects(field)]),
  )
}

const ascii = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))

describe('a msgpack library that knows nothing of us', () => {
  it('reads plain values as they are', () => {
    fc.assert(
      fc.property(plainValue, value => {
        expect(asObjects(readBack(value))).toEqual(value)
      }),
      { numRuns: 300 },
    )
  })

  it('reads every value to its last byte, texts being valid UTF-8', () => {
    fc.assert(
      fc.property(anyValue, value => {
        expect(() => readBack(value)).not.toThrow()
      }),
      { numRuns: 300 },
    )
  })

  it.each<[string, unknown, number, Uint8Array]>([
    ['undefined', undefined, 0, Uint8Array.of(0)],
    ['a Date', new Date(1_700_000_000_000), -1, Uint8Array.of(0x65, 0x53, 0xf1, 0x00)],
    ['a BigInt', 255n, 20, ascii('ff')],
    ['a negative BigInt', -(2n ** 64n), 20, ascii('-10000000000000000')],
    ['an ArrayBuffer', Uint8Array.of(7, 8).buffer, 25, Uint8Array.of(0, 7, 8)],
    ['a DataView', new DataView(Uint8Array.of(7).buffer), 25, Uint8Array.of(1, 7)],
    ['a Buffer', Buffer.of(7), 25, Uint8Array.of(2, 7)],
    ['a Uint8ClampedArray', Uint8ClampedArray.of(7), 25, Uint8Array.of(3, 7)],
    ['an Int8Array', Int8Array.of(-1), 25, Uint8Array.of(4, 255)],
    ['a Uint16Array', Uint16Array.of(1), 25, Uint8Array.of(5, 1, 0)],
    ['an Int16Array', Int16Array.of(-2), 25, Uint8Array.of(6, 254, 255)],
    ['a Uint32Array', Uint32Array.of(1), 25, Uint8Array.of(7, 1, 0, 0, 0)],
    ['an Int32Array', Int32Array.of(1), 25, Uint8Array.of(8, 1, 0, 0, 0)],
    ['a BigUint64Array', BigUint64Array.of(1n), 25, Uint8Array.of(9, 1, 0, 0, 0, 0, 0, 0, 0)],
    ['a BigInt64Array', BigInt64Array.of(1n), 25, Uint8Array.of(10, 1, 0, 0, 0, 0, 0, 0, 0)],
    ['a Float32Array', Float32Array.of(1), 25, Uint8Array.of(11, 0, 0, 128, 63)],
    ['a Float64Array', Float64Array.of(1), 25, Uint8Array.of(12, 0, 0, 0, 0, 0, 0, 240, 63)],
    ['text that is no UTF-8', 'a\ud800', 27, Uint8Array.of(0x61, 0, 0, 0xd8)],
    ['an invalid Date', new Date(NaN), 29, Uint8Array.of()],
    ['minus zero', -0, 30, Uint8Array.of()],
  ])('reads %s as the documented extension', (_, value, type, content) => {
    expect(readBack(value)).toEqual({ type, content })
  })

  it.each<[string, unknown, number, unknown]>([
    ['a Map', new Map([['a', 1]]), 21, ['a', 1]],
    ['a Set', new Set(['a', 2]), 22, ['a', 2]],
    ['a RegExp', /a+/gi, 24, ['a+', 'gi']],
    ['a URL', new URL('https://example.org/a'), 26, 'https://example.org/a'],
    ['an object with a field __proto__', JSON.parse('{"__proto__":1,"a":2}'), 28, ['__proto__', 1, 'a', 2]],
  ])('reads %s as the documented extension of msgpack', (_, value, type, content) => {
    const read = readBack(value) as ReadExtension

    expect(read.type).toBe(type)
    expect(readMsgpack(read.content)).toEqual(content)
  })

  it('reads an Error as the documented map', () => {
    const error = Object.assign(new TypeError('bad', { cause: 'why' }), { code: 'E_BAD', stack: 'the stack' })

    const read = readBack(error) as ReadExtension

    expect(read.type).toBe(23)
    expect(asObjects(readMsgpack(read.content))).toEqual({
      class: 'TypeError',
      name: 'TypeError',
      message: 'bad',
      stack: 'the stack',
      cause: 'why',
      fields: { code: 'E_BAD' },
    })
  })

  it('reads a Uint8Array as bin', () => {
    expect(readBack(Uint8Array.of(1, 2))).toEqual(Uint8Array.of(1, 2))
  })

  it('writes 64-bit ints that are read as numbers while exact, then as BigInt', () => {
    expect(decodeValue(Buffer.from('cf0000019a5b1c8800', 'hex'))).toBe(0x19a5b1c8800)
    expect(decodeValue(Buffer.from('d3fffffffffffffffe', 'hex'))).toBe(-2)
    expect(decodeValue(Buffer.from('cf0020000000000001', 'hex'))).toBe(2n ** 53n + 1n)
    expect(decodeValue(Buffer.from('d38000000000000000', 'hex'))).toBe(-(2n ** 63n))
  })

  it('writes other forms than ours that are understood', () => {
    expect(decodeValue(Buffer.from('ca3fc00000', 'hex'))).toBe(1.5)
    expect(decodeValue(Buffer.from('d90161', 'hex'))).toBe('a')
    expect(decodeValue(Buffer.from('de0001a16101', 'hex'))).toEqual({ a: 1 })
    expect(decodeValue(Buffer.from('8101a178', 'hex'))).toEqual({ 1: 'x' })
  })
})
