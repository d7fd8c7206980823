import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { isRuntimeError } from '../../actors/errors.ts'
import { decodeValue, encodeValue } from '../../src/codec/msgpack.ts'
import { errorOf } from './error-of.ts'

const rich = {
  id: 'o-1',
  list: [1, -0, 2.5, 2n ** 70n, undefined, null, true],
  map: new Map<unknown, unknown>([[{ k: 1 }, new Set(['x', new Date(1.5e12)])]]),
  error: new TypeError('x', { cause: new RangeError('y') }),
  bin: [Uint8Array.of(1, 2), Uint16Array.of(1, 2), new URL('https://example.org'), /x/g],
  odd: { ['__proto__']: 'own', text: '\ud800' },
}

/** Reads bytes of any origin: a value or a typed error, and nothing else. */
function survives(bytes: Uint8Array): boolean {
  try {
    decodeValue(bytes)
    return true
  } catch (error) {
    return isRuntimeError(error, 'VALUE_MALFORMED')
  }
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('decodeValue', () => {
  it('refuses a value cut at any place', () => {
    const bytes = encodeValue(rich)

    for (let length = 0; length < bytes.length; length++) {
      expect(errorOf(() => decodeValue(bytes.subarray(0, length))).code).toBe('VALUE_MALFORMED')
    }
  })

  it('refuses a value followed by anything', () => {
    const bytes = Buffer.concat([encodeValue(rich), Buffer.of(0)])

    expect(errorOf(() => decodeValue(bytes)).code).toBe('VALUE_MALFORMED')
  })

  it('answers any bytes with a value or a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        expect(survives(bytes)).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })

  it('answers any damage to a value with a value or a typed error', () => {
    const bytes = encodeValue(rich)
    const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })

    fc.assert(
      fc.property(damage, changes => {
        const damaged = Uint8Array.from(bytes)
        for (const [at, byte] of changes) damaged[at] = byte
        expect(survives(damaged)).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })

  it.each([
    ['an array of 4 billion items', 'dd ffffffff 01'],
    ['an array of 65,535 items', 'dc ffff 01'],
    ['a map of 4 billion fields', 'df ffffffff a161 01'],
    ['a text of 4 GB', 'db ffffffff 61'],
    ['a bin of 4 GB', 'c6 ffffffff 00'],
    ['an extension of 4 GB', 'c9 ffffffff 14 00'],
    ['a Map whose content claims 4 billion items', 'c7 06 15 dd ffffffff 01'],
    ['arrays in arrays that each claim what is left', `${'dc 0040'.repeat(60)} 01`],
    ['an extension nobody defined', 'd4 63 00'],
    ['a BigInt that is no number', 'd4 14 78'],
    ['an empty BigInt', 'c7 00 14'],
    ['a Map with an odd number of items', 'd5 15 91 01'],
    ['a Map that is no array', 'd4 15 01'],
    ['a Set that is a map', 'd4 16 80'],
    ['an Error that is no map', 'd4 17 c0'],
    ['an Error without a message', 'd4 17 80'],
    ['a RegExp with a wrong flag', 'c7 05 18 92 a161 a17a'],
    ['a RegExp of one part', 'c7 03 18 91 a161'],
    ['a URL that is none', 'c7 02 1a a178'],
    ['a binary of an unknown kind', 'd4 19 63'],
    ['a binary without a kind', 'c7 00 19'],
    ['a Float64Array of 3 bytes', 'd6 19 0c 000000'],
    ['a reference of msgpackr to a value that contains it', 'd6 69 00000001 91 d6 70 00000001'],
    ['a Set of msgpackr', 'd4 73 00 91 01'],
    ['an error of msgpackr', 'd4 65 00 92 a161 a162'],
    ['a RegExp of msgpackr', 'd4 78 00 92 a161 a0'],
    ['a typed array of msgpackr', 'd5 74 01 02'],
    ['a BigInt of msgpackr', 'd4 42 05'],
    ['bundled strings of msgpackr', 'd6 62 00000004 a161 a162'],
    ['no bytes at all', ''],
  ])('refuses %s', (_, bytes) => {
    const error = errorOf(() => decodeValue(hex(bytes)))

    expect(error.code).toBe('VALUE_MALFORMED')
    expect(error.message).toMatch(/^the bytes are not a readable value: /)
  })

  it('does not set aside memory for a length it cannot have', () => {
    const before = process.memoryUsage().rss

    for (let turn = 0; turn < 1000; turn++) survives(hex('92 dd 0fffffff 01 dd 0fffffff'))

    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024)
  })

  it.each([
    ['arrays', Buffer.alloc(200_000, 0x91)],
    ['maps', Buffer.from('81a161'.repeat(100_000), 'hex')],
    ['Sets', nestedSets(20_000)],
  ])('refuses %s nested beyond any stack', (_, bytes) => {
    expect(errorOf(() => decodeValue(bytes)).code).toBe('VALUE_MALFORMED')
  })

  it('makes no prototype of a foreign field __proto__', () => {
    const inMap = decodeValue(hex('81 a9 5f5f70726f746f5f5f 81 a8 706f6c6c75746564 01')) as object
    const inPairs = decodeValue(encodeValue(JSON.parse('{"__proto__":{"polluted":1}}'))) as object

    expect(Object.keys(Object.prototype)).toEqual([])
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect(Object.getPrototypeOf(inMap)).toBe(Object.prototype)
    expect(Object.getPrototypeOf(inPairs)).toBe(Object.prototype)
  })

  it('makes no functions from what the bytes say', () => {
    const made = vi.spyOn(globalThis, 'Function')
    const bytes = hex(
      `dc 0010 d4 72 40 91 a9 ${Buffer.from('x:r(),y()').toString('hex')} 01 ${'40 01'.repeat(15)}`,
    )

    decodeValue(bytes)

    expect(made).not.toHaveBeenCalled()
    made.mockRestore()
  })

  it('reads well after it has refused something', () => {
    survives(hex('d4 72 40 91 a161 dd ffffffff'))

    expect(decodeValue(encodeValue([64, 65, { a: 1 }]))).toEqual([64, 65, { a: 1 }])
  })
})

/** A Set in a Set in a Set …, as extensions whose content is the next. */
function nestedSets(levels: number): Buffer {
  const parts: Buffer[] = [Buffer.of(0x90)]
  let size = 1
  for (let level = 0; level < levels; level++) {
    const head = Buffer.alloc(7)
    head[0] = 0xc9
    // the content is an array of one: its head, and everything inside
    head.writeUInt32BE(size + 1, 1)
    head[5] = 22
    head[6] = 0x91
    parts.push(head)
    size += 7
  }
  return Buffer.concat(parts.toReversed())
}
