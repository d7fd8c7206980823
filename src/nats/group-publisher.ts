/**
 * Stores the messages of many callers together.
 *
 * ```
 *              few wait                     many wait
 *  (idle) ───────────────▶ singly (≤ 8) ───────────────▶ one atomic batch
 *    ▲ ▲                        │ ▲                        │        │ refused
 *    │ └────────────────────────┘ └── more wait            │        ▼
 *    │        answered              stored, or no answer   │   each singly
 *    └─────────────────────────────────────────────────────┴────────┘
 * ```
 *
 * While messages are on their way the next ones gather, and so do those of one turn of the event loop: what an answer
 * brings about for many instances goes together. A message alone goes at the end of that turn, so a quiet system waits
 * for nothing; many go as one atomic batch (ADR-50), which costs server and client a fraction of as many single
 * writes, but more than a few of them. With one replica the server makes files for each batch and removes them again,
 * which takes as much of its processor time as a hundred messages. So few that have gathered during a batch wait for what
 * the answer to that brings about: fewer and larger batches are worth more than a server that is never idle, the more so
 * the more nodes write. Many go at once, before the answers are heard: the server works while those are worked on.
 *
 * A batch is all or nothing: one message that the server refuses, for its revision or its id, refuses all. So does a
 * server that has too many batches open already, or a leader that was elected in the middle and has seen only the end.
 * Then each goes singly, and only the one that deserves it fails.
 *
 * Messages leave in the order they came, and nothing leaves while a batch is under way, so the messages of one sender
 * are stored in its order. An answer that does not come leaves the outcome of the whole batch unknown, which callers
 * must be able to find out, as with single writes.
 */
import { RuntimeError } from '../../actors/errors.ts'
import { countFitting, isRefused, publishBatch, type BatchMessage } from './batch.ts'
import type { NatsConnection, Published } from './connection.ts'
import { apiErrorOf, apiErrors } from './errors.ts'
import type { Headers } from './headers.ts'
import { withSignal } from './wait.ts'

/** What stores single messages: a connection, or a group of them. */
export interface Publisher {
  publish(subject: string, payload: Uint8Array, options: MessageOptions): Promise<Published>
}

interface MessageOptions {
  readonly headers: Headers
  readonly signal?: AbortSignal | undefined
}

interface Waiting extends BatchMessage {
  readonly resolve: (published: Published) => void
  readonly reject: (error: unknown) => void
}

/** Below this many a batch costs more than single writes. */
const leastTogether = 16
const mostTogether = 512
/** From so many on the server has more to do with them than with the batch as such. */
const manyTogether = 128
/** How many single writes may be on their way before the next ones gather. */
const mostSingly = 8

export class GroupPublisher implements Publisher {
  readonly #connection: NatsConnection
  readonly #queue: Waiting[] = []
  #singly = 0
  #isBatchUnderWay = false
  #isScheduled = false
  #takesBatches = true

  /** @param connection to a server that knows atomic batches; a stream that takes none is noticed */
  constructor(connection: NatsConnection) {
    this.#connection = connection
  }

  /**
   * Stores a message, alone or together with others. The signal ends the waiting, not the storing.
   *
   * @throws as `NatsConnection.publish`
   */
  publish(subject: string, payload: Uint8Array, { headers, signal }: MessageOptions): Promise<Published> {
    const published = new Promise<Published>((resolve, reject) => {
      this.#queue.push({ subject, payload, headers, resolve, reject })
    })
    this.#schedule()
    return withSignal(published, signal)
  }

  /**
   * What is published within one turn of the event loop is looked at together: all that comes of one answer, however many
   * promises it takes.
   */
  #schedule(): void {
    if (this.#isScheduled || this.#isBatchUnderWay) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#send()
    })
  }

  #send(): void {
    const together = this.#countTogether()
    if (together >= leastTogether) {
      void this.#sendTogether(this.#queue.splice(0, together))
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

  /** How many of those that have waited longest may go as one batch. */
  #countTogether(): number {
    return this.#takesBatches ? countFitting(this.#queue, mostTogether) : 0
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
      const { count, seq: last } = await publishBatch(this.#connection, batch)
      if (count !== batch.length) throw this.#wasTakenApart()
      this.#batchIsOver()
      const first = last - batch.length + 1
      for (const [index, { resolve }] of batch.entries()) resolve({ duplicate: false, seq: first + index })
    } catch (error) {
      if (apiErrorOf(error) === apiErrors.batchesDisabled) this.#takesBatches = false
      // Without a refusal nobody knows what is stored.
      if (isRefused(error)) await Promise.all(batch.map(waiting => this.#sendAlone(waiting)))
      else for (const { reject } of batch) reject(error)
      this.#batchIsOver()
    }
  }

  #batchIsOver(): void {
    this.#isBatchUnderWay = false
    if (this.#queue.length >= manyTogether) this.#send()
    else if (this.#queue.length > 0) this.#schedule()
  }

  /**
   * A server that knows no batches has taken each message for itself, and said nothing of those before the last. It
   * may come to lead the stream while a cluster of mixed versions is upgraded.
   */
  #wasTakenApart(): RuntimeError {
    this.#takesBatches = false
    return new RuntimeError(
      'STORE_UNAVAILABLE',
      'the server took the messages of a batch one by one, so what became of each is unknown',
      { retryable: true },
    )
  }
}
