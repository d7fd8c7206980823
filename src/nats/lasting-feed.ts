/**
 * A feed that lasts: whenever it is interrupted, it is opened anew on another consumer.
 *
 * ```
 *            open               interrupted
 *  (new) ───────────▶ feeding ───────────────▶ reopening ─┐ NATS does not answer
 *    │                 │   ▲                    │   │  ▲  │
 *    │ fails           │   └────────────────────┘   │  └──┘
 *    ▼                 │ close                      │ an error that will not go away
 *  (thrown)            ▼                            ▼
 *                    closed                       ended
 * ```
 *
 * What may have been lost between two consumers is for their maker to know: each must begin where nothing is missed. The
 * first opening is not repeated, so that whoever asks for a feed hears at once that there can be none.
 */
import type { ConsumerInfo, JsMsg } from 'nats'
import { isRuntimeError } from '../../actors/errors.ts'
import type { NatsConnection } from './connection.ts'
import { translate, type Attempted } from './errors.ts'
import { openFeed, type Feed } from './feed.ts'
import { pause } from './wait.ts'

const retryWaitMs = 250

export interface LastingFeedSource {
  /** For the errors of opening. */
  readonly attempted: Attempted
  readonly connection: NatsConnection
  /** How many messages may be on their way or in memory. */
  readonly prefetch: number
  /** Whether a consumer is removed as soon as it is no longer read. Otherwise `makeConsumer` sees to that. */
  readonly removesConsumers: boolean
  /** Makes the next consumer. The one before it is no longer read. */
  makeConsumer(): Promise<ConsumerInfo>
  /** A message, in the order of the consumer made last. Must not throw. */
  message(msg: JsMsg): void
  /** Nothing more comes, although it was not closed. */
  ended(error: Error): void
}

export class LastingFeed {
  readonly #source: LastingFeedSource
  readonly #closing = new AbortController()
  #consumer: ConsumerInfo | undefined
  #feed: Feed | undefined
  #reopening: Promise<void> | undefined

  constructor(source: LastingFeedSource) {
    this.#source = source
  }

  /**
   * Resolved when the first feed stands. Call it once.
   *
   * @throws what `makeConsumer` throws, translated; RuntimeError when the consumer cannot be reached
   */
  async open(): Promise<void> {
    const { attempted, connection, prefetch } = this.#source
    const { signal } = this.#closing
    try {
      const consumer = await this.#source.makeConsumer()
      this.#consumer = consumer
      const feed = await openFeed(connection, consumer, prefetch, {
        message: msg => {
          if (!signal.aborted) this.#source.message(msg)
        },
        interrupted: () => {
          this.#removeConsumer()
          this.#reopening = this.#reopen()
        },
      })
      this.#feed = feed
      // It was closed meanwhile.
      if (signal.aborted) this.#stop()
    } catch (error) {
      this.#removeConsumer()
      throw translate(error, attempted)
    }
  }

  /**
   * Nothing more is told.
   *
   * @returns settles, never rejects, when no consumer is being made any more
   */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#stop()
    await this.#reopening
  }

  /** Goes on until there is a feed again, or none can be. Never rejects. */
  async #reopen(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        await this.open()
        return
      } catch (error) {
        if (signal.aborted) return
        if (!isRuntimeError(error) || !error.retryable) {
          this.#source.ended(error as Error)
          return
        }
      }
      await pause(this.#source.connection.clock, retryWaitMs, signal).catch(() => {
        // Closed: the loop ends.
      })
    }
  }

  #stop(): void {
    this.#feed?.close()
    this.#removeConsumer()
  }

  #removeConsumer(): void {
    const { connection, removesConsumers } = this.#source
    const consumer = this.#consumer
    this.#consumer = undefined
    if (consumer === undefined || !removesConsumers || connection.nc.isClosed()) return
    connection.jsm.consumers.delete(consumer.stream_name, consumer.name).catch(() => {
      // Then the server removes it by itself after a while.
    })
  }
}
