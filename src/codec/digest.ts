import { createHash } from 'node:crypto'
import { types } from 'node:util'
import { takeError } from './error-form.ts'
import { encodeValue } from './msgpack.ts'
import { refusal } from './storable.ts'

/** Characters of a digest: 132 bits, so that nobody finds two inputs with the same one. */
const LENGTH = 22

/**
 * A short name for a value: SHA-256 of its bytes in a canonical order, base64url, 22 characters. Equal for
 * deeply equal values: the order of fields, of Map entries and of Set members does not matter, fields that
 * are undefined count as absent, and the stack of an error is left out.
 *
 * @param name what the value is called in an error
 * @throws RuntimeError `VALUE_UNSUPPORTED` like `encodeValue`
 */
export function digest(value: unknown, name = ''): string {
  return createHash('sha256').update(canonicalBytes(value, name)).digest('base64url').slice(0, LENGTH)
}

function canonicalBytes(value: unknown, name: string): Uint8Array {
  try {
    return encodeValue(canonical(value))
  } catch (error) {
    throw refusal(value, error, name)
  }
}

function canonical(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || isAtom(value)) return value
  if (Array.isArray(value)) return value.map(canonical)
  if (value instanceof Map) return new Map(ordered([...value], ([key]) => key).map(canonicalPair))
  if (value instanceof Set) return new Set(ordered([...value], member => member).map(canonical))
  if (value instanceof Error) return canonical({ ...takeError(value), stack: undefined })
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(canonicalPair),
  )
}

/** True for objects without an order of their own. */
function isAtom(value: object): boolean {
  return (
    ArrayBuffer.isView(value) ||
    types.isAnyArrayBuffer(value) ||
    value instanceof Date ||
    value instanceof RegExp ||
    value instanceof URL
  )
}

function canonicalPair<T>([key, value]: readonly [T, unknown]): [T, unknown] {
  return [canonical(key) as T, canonical(value)]
}

/** Sorted by the canonical bytes of what `rank` answers. */
function ordered<T>(items: readonly T[], rank: (item: T) => unknown): readonly T[] {
  return items
    .map(item => ({ bytes: encodeValue(canonical(rank(item))), item }))
    .toSorted((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ item }) => item)
}
