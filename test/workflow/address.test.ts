import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkInstanceId, formatAddress, parseAddress, partitionOf } from '../../src/workflow/address.ts'
import { errorOf } from './error-of.ts'

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/)
const id = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 80 })
  .filter(text => Buffer.byteLength(text) <= 256)

describe('an address', () => {
  it('survives being written and read', () => {
    fc.assert(
      fc.property(name, id, (workflow, instance) => {
        const address = { workflow, id: instance }

        expect(parseAddress(formatAddress(address))).toEqual(address)
      }),
    )
  })

  it('is split at the first slash, so that ids may contain slashes', () => {
    expect(parseAddress('pull-request/octo/repo#7')).toEqual({ workflow: 'pull-request', id: 'octo/repo#7' })
  })

  it.each(['', 'order', '/o-1', 'or der/o-1', '-order/o-1', `${'a'.repeat(65)}/o-1`, 'order\n/o-1'])(
    'is refused without a proper workflow name: %j',
    text => {
      const error = errorOf(() => parseAddress(text))

      expect(error.code).toBe('ID_INVALID')
      expect(error.fields).toEqual({ field: 'address', value: text })
    },
  )

  it('is refused without an id', () => {
    expect(errorOf(() => parseAddress('order/')).code).toBe('ID_INVALID')
  })
})

describe('checkInstanceId', () => {
  it('takes any text of 1 to 256 bytes of UTF-8', () => {
    fc.assert(
      fc.property(id, text => {
        expect(checkInstanceId(text)).toBe(text)
      }),
    )
    expect(checkInstanceId('ż'.repeat(128))).toHaveLength(128)
    expect(checkInstanceId('a b.*>/\n\u0000')).toBe('a b.*>/\n\u0000')
  })

  it.each([
    ['', 'got an empty one'],
    ['a'.repeat(257), 'this one has 257'],
    ['ż'.repeat(129), 'this one has 258'],
    ['a\ud83e', 'this one contains half a surrogate pair'],
    ['\udd16b', 'this one contains half a surrogate pair'],
    [7, 'got number'],
    [null, 'got null'],
    [undefined, 'got undefined'],
  ])('refuses %j and names the limits', (value, reason) => {
    const error = errorOf(() => checkInstanceId(value))

    expect(error.code).toBe('ID_INVALID')
    expect(error.message).toBe(`an instance id must be 1 to 256 bytes of UTF-8; ${reason}`)
    expect(error.fields).toEqual({ field: 'id', minBytes: 1, maxBytes: 256 })
  })
})

/** CRC-32 straight from its definition, bit by bit, to check that the one in use is the one documented. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

describe('partitionOf', () => {
  // Made with another language's CRC-32; the doc of partitionOf shows the same table.
  it.each([
    ['order/o-1', 0xe55ae026, 6, 6],
    ['order/42', 0x5473d2b0, 16, 0],
    ['pull-request/Codertocat/Hello-World#2', 0x381feffd, 29, 4],
    ['order/zażółć', 0x6ee1e02c, 12, 2],
    ['invoice/🧾', 0x67e50079, 25, 3],
  ])('puts %s where every client puts it', (text, crc, of32, of7) => {
    const address = parseAddress(text)

    expect(partitionOf(address, 2 ** 32)).toBe(crc)
    expect(partitionOf(address, 32)).toBe(of32)
    expect(partitionOf(address, 7)).toBe(of7)
  })

  it('is the CRC-32 of the UTF-8 address modulo the number of partitions', () => {
    fc.assert(
      fc.property(name, id, fc.integer({ min: 1, max: 4096 }), (workflow, instance, partitions) => {
        const bytes = Buffer.from(`${workflow}/${instance}`, 'utf8')

        expect(partitionOf({ workflow, id: instance }, partitions)).toBe(crc32(bytes) % partitions)
      }),
    )
  })

  it('spreads instances over all partitions', () => {
    const counts = Array.from({ length: 32 }, () => 0)
    for (let n = 0; n < 32_000; n++) counts[partitionOf({ workflow: 'order', id: `o-${n}` }, 32)]! += 1

    expect(Math.min(...counts)).toBeGreaterThan(800)
    expect(Math.max(...counts)).toBeLessThan(1200)
  })

  it.each([0, -1, 1.5, NaN, Infinity])('refuses %d partitions', partitions => {
    expect(errorOf(() => partitionOf({ workflow: 'order', id: '1' }, partitions)).code).toBe(
      'OPTIONS_INVALID',
    )
  })
})
