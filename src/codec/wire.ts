/**
 * The private msgpack instance under the codec.
 *
 * msgpackr keeps one table of extensions per loaded copy. Its build without generated code is a copy of its
 * own, so that an `addExtension` of the program around us cannot change how records are read or written. Two
 * more reasons for that build: it creates no functions from what the bytes say, and it never hands untrusted
 * bytes to native code.
 */
import { addExtension, Packr, RESET_BUFFER_MODE } from 'msgpackr/index-no-eval'
import type { Options } from 'msgpackr'

/** msgpackr's `auto`, which its own types leave out: a number while that is exact, else a bigint. */
const int64AsType = 'auto' as 'number'

const options: Options = {
  // bin payloads must not keep the message they came in alive, nor change with it
  copyBuffers: true,
  int64AsType,
  // plain msgpack maps: the record extension of msgpackr can only be read by msgpackr
  useRecords: false,
  // a field that happens to be called toJSON is a field
  useToJSON: false,
  // sizes in front as msgpack wants them, and no limit of 65,535 fields
  variableMapSize: true,
}

const packr = new Packr(options)

/**
 * What msgpackr would read besides: its bigints, bundled strings, errors, references, sets, typed arrays and
 * regular expressions. Nobody writes them to us, some go on past the end of their extension, and none would
 * come back as it was.
 */
for (const type of [0x42, 0x62, 0x65, 0x69, 0x70, 0x73, 0x74, 0x78]) {
  addExtension({ type, unpack: refuse })
}

function refuse(): never {
  throw new TypeError('an extension that only msgpackr knows')
}

/** Above this the scratch buffer is given back, so that one large record does not stay in memory for ever. */
const SCRATCH_LIMIT_BYTES = 1 << 20

/**
 * Bytes of a value that consists of what msgpack knows and of what {@link extension} made. They are a copy: the
 * scratch buffer is overwritten by the next call, and a view would keep all of it alive.
 */
export function pack(value: unknown): Uint8Array {
  const view = packr.pack(value, RESET_BUFFER_MODE)
  // From Node's pool, which for most records takes half the time of memory of its own.
  const copy = Buffer.allocUnsafe(view.length)
  copy.set(view)
  const bytes = new Uint8Array(copy.buffer, copy.byteOffset, copy.length)
  if (view.buffer.byteLength > SCRATCH_LIMIT_BYTES) packr.useBuffer(Buffer.allocUnsafeSlow(8192))
  return bytes
}

/**
 * The value in `bytes`, extensions read by their functions.
 *
 * @throws whatever msgpackr or such a function throws; the caller translates it
 */
export function unpack(bytes: Uint8Array): unknown {
  // A view of our own: msgpackr leaves a property on what it reads, and a Buffer would turn bin into Buffers.
  return packr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
}

/** Stands for a value in the tree given to {@link pack}: written as an extension with this content. */
export interface Extension {
  readonly content: Uint8Array
}

/** Defines extension `type` and answers what makes values of it. `read` gets a view of the content. */
export function extension(
  type: number,
  read: (content: Uint8Array) => unknown,
): (content: Uint8Array) => Extension {
  class TypedExtension implements Extension {
    readonly content: Uint8Array

    constructor(content: Uint8Array) {
      this.content = content
    }
  }
  addExtension({
    Class: TypedExtension,
    type,
    pack: (value: TypedExtension) => value.content,
    unpack: read,
  })
  return content => new TypedExtension(content)
}
