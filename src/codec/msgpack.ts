/**
 * Values as bytes: msgpack that any library in any language can read.
 *
 * nil, booleans, strings, arrays, maps with string keys and bin are what they are in JavaScript: null,
 * booleans, strings, arrays, plain objects, Uint8Array. Whole numbers up to 32 bits are ints, all other
 * numbers float 64. Ints of 64 bits, which others write, are read as numbers up to 2^53 and as BigInt above.
 * What msgpack has no word for is an extension:
 *
 * | type | value         | content                                                                         |
 * | ---- | ------------- | ------------------------------------------------------------------------------- |
 * |   -1 | Date          | a timestamp as the msgpack specification has it                                 |
 * |    0 | undefined     | one byte, 0                                                                     |
 * |   20 | BigInt        | ASCII: an optional minus sign, then hexadecimal digits                          |
 * |   21 | Map           | a msgpack array: key, value, key, value, …                                      |
 * |   22 | Set           | a msgpack array of the members                                                  |
 * |   23 | Error         | a msgpack map, see ErrorForm: class, name, message, stack, cause, errors, fields |
 * |   24 | RegExp        | a msgpack array: source, flags                                                  |
 * |   25 | binary        | one byte for the kind, then the raw bytes, elements little-endian: 0 ArrayBuffer, |
 * |      |               | 1 DataView, 2 Buffer, 3 Uint8Clamped, 4 Int8, 5 Uint16, 6 Int16, 7 Uint32,       |
 * |      |               | 8 Int32, 9 BigUint64, 10 BigInt64, 11 Float32, 12 Float64                        |
 * |   26 | URL           | its href, a msgpack string                                                      |
 * |   27 | string        | UTF-16LE code units: text that has no UTF-8 form, or begins with a byte order mark |
 * |   28 | plain object  | a msgpack array: name, value, …; for objects with names that type 27 is for, and |
 * |      |               | `__proto__`, which readers treat in ways of their own                            |
 * |   29 | invalid Date  | nothing                                                                         |
 * |   30 | -0            | nothing                                                                         |
 *
 * Type 0 with one zero byte is what JavaScript libraries agree on. Content that is msgpack is a value of this
 * same format.
 *
 * Not kept: class identity (an instance comes back as a plain object of its own enumerable fields; errors see
 * ErrorForm), symbol keys, holes (they become undefined), two references to one object (they become two
 * objects), `lastIndex` of a RegExp, a null prototype.
 */
import { RuntimeError } from '../../actors/errors.ts'
import { makeBinary, takeBinary } from './binary-form.ts'
import { makeError, takeError } from './error-form.ts'
import type { ErrorForm } from './error-form.ts'
import { isOpaque, MAX_DEPTH, refusal } from './storable.ts'
import { extension, pack, unpack } from './wire.ts'
import type { Extension } from './wire.ts'

/**
 * Bytes of a value, the caller's to keep.
 *
 * @throws RuntimeError `VALUE_UNSUPPORTED`, naming the path to a function, symbol, promise, weak collection,
 * reference to an object around itself, or place deeper than 500 levels
 */
export function encodeValue(value: unknown): Uint8Array {
  try {
    return pack(prepare(value, 0))
  } catch (error) {
    throw refusal(value, error)
  }
}

/**
 * The value that {@link encodeValue}, or another msgpack library, wrote. Nothing in it refers to `bytes`.
 *
 * @throws RuntimeError `VALUE_MALFORMED` when the bytes are cut, followed by more, or not understood
 */
export function decodeValue(bytes: Uint8Array): unknown {
  try {
    return read(bytes)
  } catch (error) {
    throw new RuntimeError('VALUE_MALFORMED', `the bytes are not a readable value: ${String(error)}`, {
      cause: error,
      fields: { sizeBytes: bytes.length },
    })
  }
}

/** Content that is msgpack itself. It is read after the bytes around it, since msgpackr is not re-entrant. */
class Nested {
  readonly content: Uint8Array
  readonly make: (content: unknown) => unknown

  constructor(content: Uint8Array, make: (content: unknown) => unknown) {
    this.content = content
    this.make = make
  }
}

/** Set while reading when a Nested was met, so that all other trees need no second pass. */
let metNested = false

function nested(type: number, make: (content: unknown) => unknown): (content: unknown) => Extension {
  const wrap = extension(type, content => {
    metNested = true
    return new Nested(content, make)
  })
  return content => wrap(pack(content))
}

const bigint = extension(20, content => readBigInt(decodeText(content, 'latin1')))
const map = nested(21, content => new Map(pairsOf(content)))
const set = nested(22, content => new Set(listOf(content)))
const errorOf = nested(23, content => makeError(content as ErrorForm))
const regExp = nested(24, content => readRegExp(listOf(content)))
const binary = extension(25, makeBinary)
const url = nested(26, content => new URL(content as string))
const text = extension(27, content => decodeText(content, 'utf16le'))
const namedPairs = nested(28, content => Object.fromEntries(pairsOf(content)))
const invalidDate = extension(29, () => new Date(NaN))(new Uint8Array())
const negativeZero = extension(30, () => -0)(new Uint8Array())

/** The value as msgpackr can write it: the same one where it already can, else a copy with extensions. */
function prepare(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return isPlainText(value) ? value : text(Buffer.from(value, 'utf16le'))
    case 'number':
      return value === 0 && 1 / value < 0 ? negativeZero : value
    case 'boolean':
    case 'undefined':
      return value
    case 'object':
      return value === null ? value : prepareObject(value, depth + 1)
    case 'bigint':
      return bigint(Buffer.from(value.toString(16)))
    case 'function':
    case 'symbol':
      throw new TypeError(`a ${typeof value} cannot be encoded`)
  }
}

/** @param depth of what the object contains */
function prepareObject(object: object, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new RangeError('nested too deeply')
  // by far the most frequent, and all that follows can be skipped
  if (Object.getPrototypeOf(object) === Object.prototype) return prepareFields(object, depth)
  if (Array.isArray(object)) return prepareList(object, depth)
  if (object instanceof Map) return map(prepareList([...object].flat(), depth))
  if (object instanceof Set) return set(prepareList([...object], depth))
  if (object instanceof Date) return Number.isNaN(object.getTime()) ? invalidDate : object
  if (object instanceof Error) return errorOf(prepareFields(takeError(object), depth))
  if (object instanceof RegExp) return regExp(prepareList([object.source, object.flags], depth))
  if (object instanceof URL) return url(object.href)
  const form = takeBinary(object)
  if (form !== undefined) return binary(form)
  if (object instanceof Uint8Array) return object
  if (isOpaque(object)) throw new TypeError('content that cannot be looked at cannot be encoded')
  return prepareFields(object, depth)
}

/** Copies only from the first change on: most lists and objects need none. */
function prepareList(list: readonly unknown[], depth: number): readonly unknown[] {
  let copy: unknown[] | undefined
  for (let index = 0; index < list.length; index++) {
    const before = list[index]
    const after = prepare(before, depth)
    if (!Object.is(before, after)) {
      copy ??= [...list]
      copy[index] = after
    }
  }
  return copy ?? list
}

function prepareFields(object: object, depth: number): object {
  const fields = object as Record<string, unknown>
  let copy: Record<string, unknown> | undefined
  for (const name of Object.keys(fields)) {
    if (name === '__proto__' || !isPlainText(name)) {
      return namedPairs(prepareList(Object.entries(fields).flat(), depth))
    }
    const before = fields[name]
    const after = prepare(before, depth)
    if (!Object.is(before, after)) {
      copy ??= { ...fields }
      copy[name] = after
    }
  }
  return copy ?? fields
}

/** ES2024, in every Node we run on, not yet in the library types we compile against. */
interface Text {
  isWellFormed(): boolean
}

/** True for text that comes back from UTF-8 unchanged: no lone surrogates, no mark that decoders strip. */
function isPlainText(value: string): boolean {
  return (value as unknown as Text).isWellFormed() && value.charCodeAt(0) !== 0xfeff
}

function read(bytes: Uint8Array): unknown {
  metNested = false
  const value = unpack(bytes)
  return metNested ? revive(value) : value
}

/** Replaces every Nested in a tree fresh from msgpackr, in place. */
function revive(value: unknown): unknown {
  if (value instanceof Nested) return value.make(read(value.content))
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) value[index] = revive(item)
  } else if (
    value !== null &&
    typeof value === 'object' &&
    Object.getPrototypeOf(value) === Object.prototype
  ) {
    const fields = value as Record<string, unknown>
    for (const [name, field] of Object.entries(fields)) fields[name] = revive(field)
  }
  return value
}

function decodeText(content: Uint8Array, encoding: BufferEncoding): string {
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString(encoding)
}

function readBigInt(digits: string): bigint {
  if (!/^-?[0-9a-f]+$/i.test(digits)) throw new SyntaxError('a BigInt is written in hexadecimal digits')
  return digits.startsWith('-') ? -BigInt(`0x${digits.slice(1)}`) : BigInt(`0x${digits}`)
}

function readRegExp([source, flags]: readonly unknown[]): RegExp {
  if (typeof source !== 'string' || typeof flags !== 'string') {
    throw new TypeError('a RegExp is written as two strings')
  }
  return new RegExp(source, flags)
}

function listOf(content: unknown): unknown[] {
  if (!Array.isArray(content)) throw new TypeError('the content of this extension must be an array')
  return content
}

function pairsOf(content: unknown): [string, unknown][] {
  const list = listOf(content)
  if (list.length % 2 !== 0) throw new TypeError('pairs must come in twos')
  return Array.from({ length: list.length / 2 }, (_, index) => [
    list[index * 2] as string,
    list[index * 2 + 1],
  ])
}
