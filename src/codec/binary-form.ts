/**
 * Binary values other than a plain Uint8Array, as one byte that says the kind, then the raw bytes. Elements
 * are in the order of the machine, which is little-endian wherever Holdfast is tested.
 */
import { types } from 'node:util'

type Make = (buffer: ArrayBuffer) => unknown

/** The position in this list is the kind on the wire: append only. */
const kinds: readonly (readonly [(value: unknown) => boolean, Make])[] = [
  [value => types.isAnyArrayBuffer(value), buffer => buffer],
  [value => value instanceof DataView, buffer => new DataView(buffer)],
  // before Uint8Array, of which it is a subclass
  [value => Buffer.isBuffer(value), buffer => Buffer.from(buffer)],
  [value => value instanceof Uint8ClampedArray, buffer => new Uint8ClampedArray(buffer)],
  [value => value instanceof Int8Array, buffer => new Int8Array(buffer)],
  [value => value instanceof Uint16Array, buffer => new Uint16Array(buffer)],
  [value => value instanceof Int16Array, buffer => new Int16Array(buffer)],
  [value => value instanceof Uint32Array, buffer => new Uint32Array(buffer)],
  [value => value instanceof Int32Array, buffer => new Int32Array(buffer)],
  [value => value instanceof BigUint64Array, buffer => new BigUint64Array(buffer)],
  [value => value instanceof BigInt64Array, buffer => new BigInt64Array(buffer)],
  [value => value instanceof Float32Array, buffer => new Float32Array(buffer)],
  [value => value instanceof Float64Array, buffer => new Float64Array(buffer)],
]

/** The kind byte and the bytes, or undefined when the value is not binary or of no kind known here. */
export function takeBinary(value: unknown): Uint8Array | undefined {
  const kind = kinds.findIndex(([matches]) => matches(value))
  if (kind < 0) return undefined
  const content = ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value as ArrayBuffer)
  const form = new Uint8Array(content.length + 1)
  form[0] = kind
  form.set(content, 1)
  return form
}

/**
 * The value of such bytes, in memory of its own.
 *
 * @throws RangeError when the kind is unknown or the length does not fit it
 */
export function makeBinary(form: Uint8Array): unknown {
  const kind = kinds[form[0] ?? -1]
  if (kind === undefined) throw new RangeError(`binary kind ${form[0]} is unknown`)
  // a copy in its own ArrayBuffer, so that elements are aligned
  return kind[1](new Uint8Array(form.subarray(1)).buffer)
}
