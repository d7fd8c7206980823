/**
 * Headers of messages. The library's own check and copy every name letter by letter, and look through all of them for each
 * one that is asked for: a record has a dozen, and that cost more than the step that it was written for. Here those that
 * are sent are text from the first, and of those that come only what is asked for is looked up.
 */
import type { JsMsg, Msg, MsgHdrs } from 'nats'

const firstLine = 'NATS/1.0'

/** Headers to be sent. */
export class Headers {
  /** Each line with its end. */
  readonly #lines: string

  private constructor(lines: string) {
    this.#lines = lines
  }

  /**
   * From names and values that are fit for headers.
   *
   * @throws TypeError for a value of more than one line
   */
  static of(values: Readonly<Record<string, string>>): Headers {
    return new Headers('').with(values)
  }

  /**
   * These and more. A name that is there already has two values then, of which a server takes the first.
   *
   * @throws TypeError for a value of more than one line
   */
  with(values: Readonly<Record<string, string>>): Headers {
    let lines = this.#lines
    for (const name in values) lines += lineOf(name, values[name]!)
    return new Headers(lines)
  }

  /** The same, where a name may come several times. */
  withAll(pairs: Iterable<readonly [name: string, value: string]>): Headers {
    let lines = this.#lines
    for (const [name, value] of pairs) lines += lineOf(name, value)
    return new Headers(lines)
  }

  /** On the wire. */
  get sizeBytes(): number {
    return firstLine.length + Buffer.byteLength(this.#lines) + 4
  }

  encode(): Uint8Array {
    // Out of a pool: a TextEncoder makes a buffer of its own for each, which takes four times as long.
    return Buffer.from(`${firstLine}\r\n${this.#lines}\r\n`)
  }

  /** For the library, which asks nothing of headers that it sends but their bytes. */
  get forLibrary(): MsgHdrs {
    return this as unknown as MsgHdrs
  }
}

/** Headers that have come, whoever reads them. */
export type HeaderReader = Pick<MsgHdrs, 'code' | 'description' | 'get' | 'last'> &
  Iterable<[name: string, values: string[]]>

/** Headers that have come, as text. A value that is not there is empty. */
export class ReceivedHeaders implements HeaderReader {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** What the server says of itself; 0 in a message that somebody has sent. */
  get code(): number {
    return Number(this.#status.slice(0, 3)) || 0
  }

  get description(): string {
    return this.#status.slice(4)
  }

  get(name: string): string {
    return this.#valueAt(this.#text.indexOf(`\r\n${name}:`), name)
  }

  /** The value that was added last: the server adds its own to those of the sender. */
  last(name: string): string {
    return this.#valueAt(this.#text.lastIndexOf(`\r\n${name}:`), name)
  }

  *[Symbol.iterator](): Iterator<[string, string[]]> {
    for (const line of this.#text.split('\r\n').slice(1)) {
      const colon = line.indexOf(':')
      if (colon > 0) yield [line.slice(0, colon), [line.slice(colon + 1).trim()]]
    }
  }

  get #status(): string {
    return this.#text.slice(firstLine.length, this.#text.indexOf('\r\n')).trim()
  }

  #valueAt(at: number, name: string): string {
    if (at === -1) return ''
    const from = at + name.length + 3
    const to = this.#text.indexOf('\r\n', from)
    return this.#text.slice(from, to === -1 ? undefined : to).trim()
  }
}

/**
 * The headers of a message; undefined when it has none.
 *
 * The library hands out the payload as a view on what has come, right behind the headers. Should that ever change, its own
 * reading is right.
 */
export function headersIn(msg: Msg | JsMsg): HeaderReader | undefined {
  // The library's types tell neither that a message of JetStream wraps another, nor that one knows its size.
  const received = ((msg as { readonly msg?: Msg }).msg ?? msg) as Msg & { readonly size?: () => number }
  const { data, reply = '', subject } = received
  const allBytes = received.size?.() ?? 0
  const sizeBytes = allBytes - Buffer.byteLength(subject) - Buffer.byteLength(reply) - data.length
  const from = data.byteOffset - sizeBytes
  if (sizeBytes < firstLine.length || from < 0) return readByLibrary(msg)
  const text = Buffer.from(data.buffer, from, sizeBytes).toString()
  const isAll = text.startsWith(firstLine) && text.endsWith('\r\n\r\n')
  return isAll ? new ReceivedHeaders(text) : readByLibrary(msg)
}

/** It throws at names and values that are not as they should be: then there are none. */
function readByLibrary(msg: Msg | JsMsg): HeaderReader | undefined {
  try {
    return msg.headers
  } catch {
    return undefined
  }
}

function lineOf(name: string, value: string): string {
  if (/[\r\n]/.test(value))
    throw new TypeError(`header ${name} must be one line, but is ${JSON.stringify(value)}`)
  return `${name}: ${value}\r\n`
}
