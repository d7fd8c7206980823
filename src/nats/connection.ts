/**
 * The one connection of a process to NATS.
 *
 * It reconnects for ever: whatever is asked of it while there is no server times out, and is up to the caller to
 * repeat. The client library says only "timeout" then, so timeouts are short and outcomes are read back.
 */
import { Empty, NatsError } from 'nats'
import type { ApiError, JetStreamManager, Msg, NatsConnection as LibraryConnection } from 'nats'
import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'
import type { Clock } from '../../actors/ports.ts'
import { dial, type ConnectNatsOptions } from './dial.ts'
import { translate } from './errors.ts'
import type { Headers } from './headers.ts'
import { requireSupported } from './server-version.ts'
import { Requests } from './requests.ts'
import { withSignal } from './wait.ts'

export type { ConnectNatsOptions } from './dial.ts'

const defaults = Object.freeze({
  inboxPrefix: '_INBOX',
  requestTimeoutMs: 2_000,
})

/** Draining needs a server that answers; after this the connection is closed without. */
const drainTimeoutMs = 2_000

/**
 * Connects to NATS, and checks that the server is new enough and has JetStream.
 *
 * @throws RuntimeError `CONNECTION_FAILED`, `PERMISSION_DENIED`, `SERVER_UNSUPPORTED`, `JETSTREAM_DISABLED`
 */
export async function connectNats(options: ConnectNatsOptions): Promise<NatsConnection> {
  const nc = await dial(options)
  try {
    requireSupported(nc.info!)
    const {
      clock,
      inboxPrefix = defaults.inboxPrefix,
      requestTimeoutMs = defaults.requestTimeoutMs,
    } = options
    const jsm = await nc.jetstreamManager({ checkAPI: false, timeout: requestTimeoutMs })
    await requireJetStream(jsm)
    return new NatsConnection(nc, jsm, { clock, inboxPrefix, requestTimeoutMs })
  } catch (error) {
    await nc.close()
    throw error
  }
}

/** What a stream answered to a message. */
export interface Published {
  /** How many messages an atomic batch had, for its last; undefined for any other message. */
  readonly count?: number | undefined
  /** True when the stream had the message already, by its id. */
  readonly duplicate: boolean
  readonly seq: number
}

export interface RequestOptions {
  readonly headers?: Headers | undefined
  readonly signal?: AbortSignal | undefined
  /** Default: that of the connection. */
  readonly timeoutMs?: number | undefined
}

interface ConnectionSettings {
  readonly clock: Clock
  readonly inboxPrefix: string
  readonly requestTimeoutMs: number
}

/** The one connection of a process, made by {@link connectNats}. */
export class NatsConnection implements AsyncDisposable {
  readonly clock: Clock
  /** What the subjects begin with that answers to this connection come on. */
  readonly inboxPrefix: string
  /** The library's connection. For `src/nats` only. */
  readonly nc: LibraryConnection
  /** Administration of streams and consumers. For `src/nats` only. */
  readonly jsm: JetStreamManager
  readonly #requestTimeoutMs: number
  readonly #requests: Requests
  readonly #reconnected = new Set<() => void>()
  readonly #closed = new Set<(error: Error) => void>()
  #isUp = true
  #reconnections = 0
  #closing: Promise<void> | undefined
  #turn: Promise<void> | undefined
  #maxPayloadBytes: number

  constructor(nc: LibraryConnection, jsm: JetStreamManager, settings: ConnectionSettings) {
    this.nc = nc
    this.jsm = jsm
    this.clock = settings.clock
    this.inboxPrefix = settings.inboxPrefix
    this.#requestTimeoutMs = settings.requestTimeoutMs
    this.#maxPayloadBytes = nc.info!.max_payload
    this.#requests = new Requests(nc, settings.clock, settings.inboxPrefix)
    // Neither rejects. When the connection closes, the library leaves the first waiting, for nothing to hold it.
    void this.#follow()
    void nc.closed().then(error => this.#ended(error ?? undefined))
  }

  /** The largest message the server takes, headers included. */
  get maxPayloadBytes(): number {
    // While disconnected there is no answer: the last one holds.
    this.#maxPayloadBytes = this.nc.info?.max_payload ?? this.#maxPayloadBytes
    return this.#maxPayloadBytes
  }

  /** Of the server connected to; empty while there is none. */
  get serverVersion(): string {
    return this.nc.info?.version ?? ''
  }

  /** How often the connection was lost and came back: a server that was restarted may have forgotten what it can. */
  get reconnections(): number {
    return this.#reconnections
  }

  /** Calls back after every reconnection: what was under way then may be lost. Answers how to stop that. */
  onReconnected(listener: () => void): () => void {
    this.#reconnected.add(listener)
    return () => this.#reconnected.delete(listener)
  }

  /** Calls back once when the connection has closed for good. Answers how to stop that. */
  onClosed(listener: (error: Error) => void): () => void {
    this.#closed.add(listener)
    return () => this.#closed.delete(listener)
  }

  /**
   * Resolves at the end of this turn of the event loop: what those ask that have waited for it goes out in one write. A
   * write for each of many reads costs a sixth of all that is done for them.
   */
  turnEnds(): Promise<void> {
    return (this.#turn ??= new Promise(resolve => {
      setImmediate(() => {
        this.#turn = undefined
        resolve()
      })
    }))
  }

  /**
   * Asks and waits for one answer.
   *
   * @throws what the library throws, for the caller to translate; the signal's reason on abort
   */
  request(subject: string, payload: Uint8Array = Empty, options: RequestOptions = {}): Promise<Msg> {
    const timeoutMs = options.timeoutMs ?? this.#requestTimeoutMs
    return withSignal(this.#requests.ask(subject, payload, timeoutMs, options.headers), options.signal)
  }

  /**
   * Stores a message in the stream bound to the subject, once: after an error the outcome may be unknown.
   *
   * @throws as {@link request}
   */
  async publish(subject: string, payload: Uint8Array, options: RequestOptions = {}): Promise<Published> {
    const answer = parseAnswer(await this.request(subject, payload, options)) as Partial<Published>
    return { count: answer.count, duplicate: answer.duplicate ?? false, seq: answer.seq! }
  }

  /**
   * Asks the JetStream API, for what the library has no call.
   *
   * @throws as {@link request}
   */
  async askApi(subject: string, question: object): Promise<object> {
    return parseAnswer(await this.request(subject, new TextEncoder().encode(JSON.stringify(question))))
  }

  /** Sends without waiting, at most once. Does nothing when the connection is closed. */
  send(subject: string, payload: Uint8Array): void {
    if (!this.nc.isClosed() && !this.nc.isDraining()) this.nc.publish(subject, payload)
  }

  /** Delivers what has been sent, then closes. May be called again. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    // The library never ends a drain that began without a server.
    if (this.#isUp && !this.nc.isClosed()) await this.#drain()
    await this.nc.close()
  }

  async #drain(): Promise<void> {
    const giveUp = new AbortController()
    const timer = this.clock.setTimer(drainTimeoutMs, () => giveUp.abort())
    try {
      await withSignal(this.nc.drain(), giveUp.signal)
    } catch {
      // Whatever could not be delivered: the connection is closed next, with or without.
    }
    timer.cancel()
  }

  async #follow(): Promise<void> {
    for await (const status of this.nc.status()) {
      if (String(status.type) === 'disconnect') this.#isUp = false
      const refused = status.permissionContext
      if (refused?.operation === 'publish') this.#requests.refused(refused.subject)
      if (String(status.type) !== 'reconnect') continue
      this.#isUp = true
      this.#reconnections += 1
      this.#requests.reconnected()
      for (const listener of this.#reconnected) listener()
    }
  }

  #ended(cause: Error | undefined): void {
    const error = new RuntimeError('STORE_UNAVAILABLE', 'the connection to NATS is closed', { cause })
    this.#requests.closed()
    for (const listener of this.#closed) listener(error)
    this.#closed.clear()
    this.#reconnected.clear()
  }
}

/** JetStream answers in JSON, errors included. */
function parseAnswer(msg: Msg): object {
  const answer = msg.json<{ readonly error?: ApiError }>()
  if (answer.error === undefined) return answer
  const error = new NatsError(answer.error.description, String(answer.error.code))
  error.api_error = answer.error
  throw error
}

async function requireJetStream(jsm: JetStreamManager): Promise<void> {
  try {
    await jsm.getAccountInfo()
  } catch (error) {
    const translated = translate(error, { what: 'use JetStream', subject: '$JS.API.INFO' })
    // Who may not ask this may still read and send; what else is missing shows where it is needed.
    if (isRuntimeError(translated, 'PERMISSION_DENIED')) return
    if (isRuntimeError(translated, 'STORE_UNAVAILABLE') && translated.fields['natsCode'] === '503') {
      throw new RuntimeError(
        'JETSTREAM_DISABLED',
        'this NATS has no JetStream; start nats-server with -js, or enable it in its configuration',
        { cause: error },
      )
    }
    throw translated
  }
}
