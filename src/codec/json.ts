/**
 * Values as JSON for people: snapshots in a terminal, a browser, a log. One direction only; what must come
 * back goes through `encodeValue`.
 *
 * | value                                  | shown as                                                     |
 * | -------------------------------------- | ------------------------------------------------------------ |
 * | undefined                              | null                                                         |
 * | NaN, Infinity, -Infinity               | "NaN", "Infinity", "-Infinity"                               |
 * | BigInt                                 | its decimal digits, a string                                 |
 * | Date                                   | ISO 8601, or "Invalid Date"                                  |
 * | Map                                    | an object when all keys are strings, else [[key, value], …]  |
 * | Set                                    | an array                                                     |
 * | Error                                  | name, message, its own fields, cause, errors, stack          |
 * | RegExp, URL                            | as written in code; its href                                 |
 * | Uint8Array, Buffer, ArrayBuffer, DataView | base64                                                    |
 * | other typed arrays                     | an array of numbers                                          |
 * | class instance                         | its own enumerable fields                                    |
 * | function, symbol                       | "[function name]", "Symbol(name)"                            |
 * | an object inside itself                | "[circular]"                                                 |
 */
import { types } from 'node:util'
import { takeError } from './error-form.ts'
import { MAX_DEPTH } from './storable.ts'

/** A value that JSON has words for throughout. Never throws: what cannot be shown is named in brackets. */
export function toJson(value: unknown): unknown {
  return show(value, new Set())
}

/** JSON text of {@link toJson}, with `space` as in `JSON.stringify`. */
export function stringify(value: unknown, space?: number | string): string {
  return JSON.stringify(toJson(value), null, space)
}

function show(value: unknown, ancestors: Set<object>): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'undefined':
      return null
    case 'number':
      // plus 0: JSON text knows no minus zero
      return Number.isFinite(value) ? value + 0 : String(value)
    case 'bigint':
    case 'symbol':
      return String(value)
    case 'function':
      return `[function ${value.name || 'without a name'}]`
    case 'object':
      return value === null ? null : showObject(value, ancestors)
  }
}

function showObject(object: object, ancestors: Set<object>): unknown {
  if (object instanceof Date) return Number.isNaN(object.getTime()) ? 'Invalid Date' : object.toISOString()
  if (object instanceof RegExp || object instanceof URL) return String(object)
  if (ArrayBuffer.isView(object) || types.isAnyArrayBuffer(object)) return showBinary(object)
  if (ancestors.has(object)) return '[circular]'
  if (ancestors.size >= MAX_DEPTH) return `[deeper than ${MAX_DEPTH} levels]`
  ancestors.add(object)
  try {
    return showParts(object, child => show(child, ancestors))
  } catch (error) {
    return `[unreadable: ${String(error)}]`
  } finally {
    ancestors.delete(object)
  }
}

function showParts(object: object, part: (child: unknown) => unknown): unknown {
  if (Array.isArray(object)) return Array.from(object, part)
  if (object instanceof Set) return Array.from(object, part)
  if (object instanceof Map) return showMap(object, part)
  if (object instanceof Error) return showFields(errorFields(object), part)
  return showFields(object, part)
}

function showMap(map: ReadonlyMap<unknown, unknown>, part: (child: unknown) => unknown): unknown {
  const entries = [...map]
  return entries.every(([key]) => typeof key === 'string')
    ? showFields(Object.fromEntries(entries), part)
    : entries.map(([key, value]) => [part(key), part(value)])
}

function showFields(fields: object, part: (child: unknown) => unknown): unknown {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, part(field)]))
}

function errorFields(error: Error): object {
  const { name, message, stack, fields, class: _class, ...rest } = takeError(error)
  return { name, message, ...fields, ...rest, ...(stack !== undefined && { stack }) }
}

function showBinary(value: ArrayBufferView | ArrayBufferLike): unknown {
  if (!ArrayBuffer.isView(value)) return Buffer.from(value).toString('base64')
  if (value instanceof Uint8Array || value instanceof DataView) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  }
  return Array.from(value as unknown as Iterable<bigint | number>, item => show(item, new Set()))
}
