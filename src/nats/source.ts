/**
 * An ordered source of outside messages: a stream that keeps them, and readers that take them one at a time.
 *
 * Positions are the sequences of the stream, from 1, without gaps. Whoever fills the source names the position it
 * writes, so that after any crash it goes on exactly where the stream ends and nothing is there twice. A reader's
 * progress is the acknowledged floor of a durable consumer. Each opening makes a consumer of its own, which
 * begins behind that floor, and deletes the older ones:
 *
 * - what the reader before had taken and not acknowledged comes at once, not after the server's patience;
 * - a reader that was thought dead and is not finds its consumer gone, and ends;
 * - a crash between the two steps leaves two consumers: the highest floor counts.
 *
 * The floor is written behind what it covers, so a message can come again after a crash. Take it for a repetition
 * by its position: see `SourcePosition`.
 */
import { AckPolicy, DeliverPolicy, nuid, RetentionPolicy, StorageType } from 'nats'
import type { ConsumerInfo, Msg } from 'nats'
import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'
import type { NatsConnection } from './connection.ts'
import { placeOf } from './delivery.ts'
import { apiErrorOf, apiErrors, translate } from './errors.ts'
import { Headers } from './headers.ts'
import { ensureStream } from './streams.ts'
import { pause, withSignal } from './wait.ts'

/** How long the server waits for an acknowledgement; a reader at work renews it. */
const ackWaitMs = 3_000
const renewEveryMs = 1_000
/** How long one request for a message waits at the server. */
const pullMs = 5_000
const firstRetryMs = 50
const longestRetryMs = 2_000
const ack = new TextEncoder().encode('+ACK')
const working = new TextEncoder().encode('+WPI')

export interface SourceOptions {
  /** Letters, digits, `_` and `-`: whose progress this is. */
  readonly reader: string
  /** Name of the stream, created unless it exists. */
  readonly stream: string
  /** What the stream keeps, when it is created. */
  readonly subjects: readonly string[]
}

/** A message as it is put into a source. */
export interface OutsideMessage {
  readonly headers: Readonly<Record<string, string>>
  readonly payload: Uint8Array
  readonly subject: string
}

/** A message as it is read from a source. */
export interface SourceMessage extends OutsideMessage {
  /** Its place in the source, from 1. */
  readonly position: number
}

export interface SourceProgress {
  /** The last position that is stored; 0 when there is none. */
  readonly stored: number
  /** The last position that was acknowledged, with all before it; 0 when there is none. */
  readonly taken: number
}

/**
 * Opens the source and makes this the only reader of its name.
 *
 * @throws RuntimeError `OPTIONS_INVALID` when a stream of that name cannot serve; `STORE_UNAVAILABLE`;
 * `PERMISSION_DENIED`
 */
export async function openSource(connection: NatsConnection, options: SourceOptions): Promise<Source> {
  const { reader, stream, subjects } = options
  await ensureStream(connection.jsm, {
    name: stream,
    subjects: [...subjects],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
  })
  try {
    return new Source(connection, stream, await takeOver(connection, stream, `${reader}_`))
  } catch (error) {
    throw translate(error, { what: `read stream '${stream}'`, subject: subjects.join(', ') })
  }
}

/** The consumer of this opening, beginning where the ones before it left off. */
async function takeOver(connection: NatsConnection, stream: string, prefix: string): Promise<ConsumerInfo> {
  const { consumers, streams } = connection.jsm
  const older: ConsumerInfo[] = []
  for await (const consumer of consumers.list(stream)) if (isOf(consumer.name, prefix)) older.push(consumer)
  const { last_seq: stored } = (await streams.info(stream)).state
  const taken = Math.min(stored, Math.max(0, ...older.map(floorOf)))
  const own = await consumers.add(stream, {
    durable_name: `${prefix}${nuid.next()}`,
    ack_policy: AckPolicy.Explicit,
    ack_wait: ackWaitMs * 1e6,
    deliver_policy: DeliverPolicy.StartSequence,
    // The next one is delivered when this one is acknowledged: a redelivery can not come after a later message.
    max_ack_pending: 1,
    max_deliver: -1,
    opt_start_seq: taken + 1,
  })
  for (const { name } of older) await consumers.delete(stream, name)
  return own
}

/** Not `startsWith` alone: one reader's name may be the beginning of another's. */
function isOf(name: string, prefix: string): boolean {
  return name.startsWith(prefix) && name.length === prefix.length + nuid.next().length
}

function floorOf({ ack_floor, config }: ConsumerInfo): number {
  return Math.max(ack_floor.stream_seq, (config.opt_start_seq ?? 1) - 1)
}

/** An ordered source, made by {@link openSource}. */
export class Source {
  readonly #connection: NatsConnection
  readonly #stream: string
  readonly #consumer: string

  constructor(connection: NatsConnection, stream: string, consumer: ConsumerInfo) {
    this.#connection = connection
    this.#stream = stream
    this.#consumer = consumer.name
  }

  /**
   * How far the source is filled and read.
   *
   * @throws RuntimeError `STORE_UNAVAILABLE`
   */
  async progress(): Promise<SourceProgress> {
    const { consumers, streams } = this.#connection.jsm
    try {
      const stored = (await streams.info(this.#stream)).state.last_seq
      const taken = floorOf(await consumers.info(this.#stream, this.#consumer))
      return { stored, taken }
    } catch (error) {
      throw this.#translate(error, 'read the progress of', this.#stream)
    }
  }

  /**
   * Stores the message at position `index + 1`, once: done again with the same message it changes nothing.
   *
   * @throws RuntimeError `REVISION_CONFLICT` when that position holds another message, or the one before it is
   * missing; `PAYLOAD_TOO_LARGE`; `STORE_UNAVAILABLE` when the outcome is unknown: append it again
   */
  async append(index: number, message: OutsideMessage, signal?: AbortSignal): Promise<void> {
    const { headers, payload, subject } = message
    try {
      await this.#connection.publish(subject, payload, {
        headers: Headers.of({
          ...headers,
          'Nats-Expected-Stream': this.#stream,
          'Nats-Expected-Last-Sequence': String(index),
        }),
        signal,
      })
    } catch (error) {
      const what = `append message ${index + 1} to`
      const isThere =
        apiErrorOf(error) === apiErrors.wrongLastSequence &&
        (await this.#holds(index + 1, message).catch((unknown: unknown) => {
          throw this.#translate(unknown, what, subject)
        }))
      if (!isThere) throw this.#translate(error, what, subject)
    }
  }

  /**
   * Hands every message to the handler, in order, one at a time, from the first that was never acknowledged, and
   * acknowledges it when the handler is done. What the handler rejects with an error that is `retryable` is handed
   * to it again after a while, and nothing later before it. Ends quietly when the signal aborts.
   *
   * @throws what the handler rejects with, when it is not retryable: the message is the first of the next reader;
   * RuntimeError `REVISION_CONFLICT` when another reader of this name was opened; `STORE_UNAVAILABLE` when the
   * connection is closed
   */
  async consume(handler: (message: SourceMessage) => Promise<void>, signal: AbortSignal): Promise<void> {
    // What is asked of a connection that closes is never answered.
    const closing = new AbortController()
    const stopClosed = this.#connection.onClosed(error => closing.abort(error))
    try {
      await this.#read(handler, AbortSignal.any([signal, closing.signal]), closing.signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      stopClosed()
    }
  }

  /** @param closing ends even the acknowledgement of what has been handled */
  async #read(
    handler: (message: SourceMessage) => Promise<void>,
    signal: AbortSignal,
    closing: AbortSignal,
  ): Promise<never> {
    let taken = 0
    for (;;) {
      const msg = await this.#persist(() => this.#pull(signal), signal)
      if (msg === undefined) continue
      const { seq: position } = placeOf(msg.reply!)
      // Its acknowledgement was lost, not its handling.
      if (position > taken) await this.#handle(msg, () => handler(toSourceMessage(msg, position)), signal)
      taken = Math.max(taken, position)
      await this.#acknowledge(msg, closing)
    }
  }

  /** The next message; undefined when none came for a while. */
  async #pull(signal: AbortSignal): Promise<Msg | undefined> {
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${this.#consumer}`
    const request = new TextEncoder().encode(JSON.stringify({ batch: 1, expires: pullMs * 1e6 }))
    try {
      // Without the library's shared inbox: it tells answers apart by their subject, and this one keeps its own.
      const asked = this.#connection.nc.request(subject, request, { noMux: true, timeout: pullMs + 1_000 })
      const msg = await withSignal(asked, signal)
      const code = msg.headers?.code ?? 0
      if (code === 0) return msg
      // 408: none came. Everything else says that the consumer is going, or has gone.
      if (code !== 408) await this.#requireConsumer()
      return undefined
    } catch (error) {
      if (!signal.aborted) await this.#requireConsumer()
      throw this.#translate(error, 'read', subject)
    }
  }

  async #handle(msg: Msg, handle: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const renew = () => {
      this.#connection.send(msg.reply!, working)
      timer = this.#connection.clock.setTimer(renewEveryMs, renew)
    }
    let timer = this.#connection.clock.setTimer(renewEveryMs, renew)
    try {
      await this.#persist(handle, signal)
    } finally {
      timer.cancel()
    }
  }

  /**
   * Waits until the acknowledgement has arrived, or seems lost: a server that was killed may know nothing of the
   * delivery, and then never answers. It delivers the message again.
   */
  async #acknowledge(msg: Msg, signal: AbortSignal): Promise<void> {
    try {
      await this.#connection.request(msg.reply!, ack, { signal })
    } catch (error) {
      const translated = this.#translate(error, 'acknowledge a message of', msg.reply!)
      if (!isRuntimeError(translated) || !translated.retryable) throw translated
    }
  }

  /** Does it again, after ever longer waits, for as long as it fails with an error that may pass. */
  async #persist<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let waitMs = firstRetryMs; ; waitMs = Math.min(2 * waitMs, longestRetryMs)) {
      signal.throwIfAborted()
      try {
        return await act()
      } catch (error) {
        if (!isRuntimeError(error) || !error.retryable) throw error
      }
      await pause(this.#connection.clock, waitMs, signal)
    }
  }

  async #requireConsumer(): Promise<void> {
    try {
      await this.#connection.jsm.consumers.info(this.#stream, this.#consumer)
    } catch (error) {
      // Anything else shows again in the next request.
      if (apiErrorOf(error) !== apiErrors.consumerNotFound) return
      throw new RuntimeError(
        'REVISION_CONFLICT',
        `another reader took over stream '${this.#stream}'; run one reader of a name at a time`,
        { cause: error, fields: { stream: this.#stream } },
      )
    }
  }

  async #holds(position: number, { headers, payload, subject }: OutsideMessage): Promise<boolean> {
    try {
      const found = await this.#connection.jsm.streams.getMessage(this.#stream, { seq: position })
      const sameHeaders = Object.entries(headers).every(([name, value]) => found.header.get(name) === value)
      return found.subject === subject && sameHeaders && Buffer.compare(found.data, payload) === 0
    } catch (error) {
      if (apiErrorOf(error) === apiErrors.messageNotFound) return false
      throw error
    }
  }

  #translate(error: unknown, what: string, subject: string): Error {
    return translate(error, { what: `${what} stream '${this.#stream}'`, subject })
  }
}

function toSourceMessage(msg: Msg, position: number): SourceMessage {
  const headers: Record<string, string> = {}
  for (const name of msg.headers?.keys() ?? []) headers[name] = msg.headers!.get(name)
  return { headers, payload: msg.data, position, subject: msg.subject }
}
