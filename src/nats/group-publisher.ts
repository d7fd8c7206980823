/**
 * Stores the messages of many callers together.
 *
 * ```
 *              few wait                     many wait
 *  (idle) ───────────────▶ singly (≤ 8) ───────────────▶ one atomic batch
 *    ▲ ▲                        │ ▲                        │        │ refused
 *    │ └────────────────────────┘ └── more wait            │        ▼
 *    │        answered                       stored        │   each singly
 *    └─────────────────────────────────────────────────────┴────────┘
 * ```
 *
 * While messages are on their way the next ones gather. A message alone goes at once, so a quiet system waits for
 * nothing; many go as one atomic batch (ADR-50), which costs server and client a fraction of as many single
 * writes, but more than a few of them. A batch is all or nothing: one message that the server refuses, for its
 * revision or its id, refuses all. Then each goes singly, and only the one that deserves it fails.
 *
 * Messages leave in the order they came, and nothing leaves while a batch is under way, so the messages of one sender
 * are stored in its order. An answer that does not come leaves the outcome of the whole batch unknown, which callers
 * must be able to find out, as with single writes.
 */
import { nuid } from 'nats'
import type { MsgHdrs } from 'nats'
import type { NatsConnection, Published, RequestOptions } from './connection.ts'
import { apiErrorOf } from './errors.ts'
import { withSignal } from './wait.ts'

/** What stores single messages: a connection, or a group of them. */
export type Publisher = Pick<NatsConnection, 'publish'>

interface Waiting {
  readonly subject: string
  readonly payload: Uint8Array
  readonly headers: MsgHdrs
  readonly resolve: (published: Published) => void
  readonly reject: (error: unknown) => void
}

/** Below this many a batch costs more than single writes. */
const leastTogether = 16
const mostTogether = 400
/** How many single writes may be on their way before the next ones gather. */
const mostSingly = 8

export class GroupPublisher implements Publisher {
  readonly #connection: NatsConnection
  readonly #queue: Waiting[] = []
  #singly = 0
  #isBatchUnderWay = false
  #isScheduled = false

  /** @param connection to a server whose stream takes atomic batches: see `allow_atomic` in streams.ts */
  constructor(connection: NatsConnection) {
    this.#connection = connection
  }

  /**
   * Stores a message, alone or together with others. The signal ends the waiting, not the storing.
   *
   * @throws as `NatsConnection.publish`
   */
  publish(subject: string, payload: Uint8Array, options: RequestOptions = {}): Promise<Published> {
    const { headers, signal } = options
    if (headers === undefined) return this.#connection.publish(subject, payload, options)
    const published = new Promise<Published>((resolve, reject) => {
      this.#queue.push({ subject, payload, headers, resolve, reject })
    })
    this.#schedule()
    return withSignal(published, signal)
  }

  /** What is published within one turn of the event loop is looked at together. */
  #schedule(): void {
    if (this.#isScheduled || this.#isBatchUnderWay) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#send()
    })
  }

  #send(): void {
    if (this.#isBatchUnderWay) return
    if (this.#queue.length >= leastTogether) {
      void this.#sendTogether(this.#queue.splice(0, mostTogether))
      return
    }
    while (this.#singly < mostSingly && this.#queue.length > 0) {
      this.#singly++
      void this.#sendAlone(this.#queue.shift()!).then(() => {
        this.#singly--
        if (this.#queue.length > 0) this.#schedule()
      })
    }
  }

  /** Never rejects. */
  async #sendAlone({ subject, payload, headers, resolve, reject }: Waiting): Promise<void> {
    try {
      resolve(await this.#connection.publish(subject, payload, { headers }))
    } catch (error) {
      reject(error)
    }
  }

  /** Never rejects. */
  async #sendTogether(batch: readonly Waiting[]): Promise<void> {
    this.#isBatchUnderWay = true
    try {
      const last = await this.#publishBatch(batch)
      const first = last - batch.length + 1
      for (const [index, { resolve }] of batch.entries()) resolve({ duplicate: false, seq: first + index })
    } catch (error) {
      // Refused by the server: nothing of it is stored. Otherwise nobody knows.
      if (apiErrorOf(error) === undefined) for (const { reject } of batch) reject(error)
      else await Promise.all(batch.map(waiting => this.#sendAlone(waiting)))
    }
    this.#isBatchUnderWay = false
    if (this.#queue.length > 0) this.#schedule()
  }

  /** Answers the sequence of the last message; those before it have the ones before. */
  async #publishBatch(batch: readonly Waiting[]): Promise<number> {
    const id = nuid.next()
    for (const [index, { headers }] of batch.entries()) {
      headers.set('Nats-Batch-Id', id)
      headers.set('Nats-Batch-Sequence', String(index + 1))
    }
    const last = batch.at(-1)!
    last.headers.set('Nats-Batch-Commit', '1')
    try {
      for (const { subject, payload, headers } of batch.slice(0, -1)) {
        this.#connection.nc.publish(subject, payload, { headers })
      }
      const { seq } = await this.#connection.publish(last.subject, last.payload, { headers: last.headers })
      return seq
    } finally {
      for (const { headers } of batch) {
        headers.delete('Nats-Batch-Id')
        headers.delete('Nats-Batch-Sequence')
      }
      last.headers.delete('Nats-Batch-Commit')
    }
  }
}
