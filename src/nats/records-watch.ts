/**
 * The commits of many instances, as they happen: first the newest record of each, then every later write.
 *
 * An ordered consumer without state: it is made anew from the last sequence seen whenever something may have been
 * lost. A record that this build cannot read is left out, so that one of them does not blind all watchers.
 */
import { AckPolicy, DeliverPolicy, nuid } from 'nats'
import type { ConsumerConfig, JsMsg } from 'nats'
import { isRuntimeError } from '../../actors/errors.ts'
import type { RecordListener, StoredRecord } from '../../actors/ports.ts'
import type { NatsConnection } from './connection.ts'
import { translate } from './errors.ts'
import { openFeed, type Feed } from './feed.ts'
import { storedRecord } from './record-entry.ts'
import { parseKey } from './subjects.ts'
import { pause } from './wait.ts'

/** How many records may be on their way or in memory. */
const prefetch = 500
const retryWaitMs = 250
/** The server removes the consumer of a watcher that has gone. */
const inactiveThresholdMs = 60_000

export interface RecordsWatchSource {
  readonly connection: NatsConnection
  /** Which subjects of the stream. */
  readonly filter: string
  readonly stream: string
}

export class RecordsWatch {
  readonly #source: RecordsWatchSource
  readonly #listener: RecordListener
  readonly #closing = new AbortController()
  #consumer: string | undefined
  #feed: Feed | undefined
  #lastSeq = 0

  constructor(source: RecordsWatchSource, listener: RecordListener) {
    this.#source = source
    this.#listener = listener
  }

  async open(): Promise<void> {
    const { connection, filter, stream } = this.#source
    try {
      const consumer = await connection.jsm.consumers.add(stream, this.#consumerConfig())
      this.#consumer = consumer.name
      const feed = await openFeed(connection, consumer, prefetch, {
        message: msg => this.#receive(msg),
        interrupted: () => {
          this.#removeConsumer()
          // Never rejects; nothing waits for it, because closing makes it stop.
          void this.#reopen()
        },
      })
      if (this.#closing.signal.aborted) feed.close()
      else this.#feed = feed
    } catch (error) {
      this.#removeConsumer()
      throw translate(error, { what: 'watch records', subject: filter })
    }
  }

  close(): void {
    this.#closing.abort()
    this.#feed?.close()
    this.#removeConsumer()
  }

  #consumerConfig(): Partial<ConsumerConfig> {
    return {
      name: `watch-${nuid.next()}`,
      ack_policy: AckPolicy.None,
      filter_subject: this.#source.filter,
      inactive_threshold: inactiveThresholdMs * 1e6,
      mem_storage: true,
      num_replicas: 1,
      ...(this.#lastSeq === 0
        ? { deliver_policy: DeliverPolicy.LastPerSubject }
        : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: this.#lastSeq + 1 }),
    }
  }

  #receive(msg: JsMsg): void {
    if (this.#closing.signal.aborted) return
    this.#lastSeq = msg.seq
    const stored = readRecord(msg)
    if (stored !== undefined) this.#listener.record(stored)
  }

  async #reopen(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        await this.open()
        return
      } catch (error) {
        if (signal.aborted) return
        if (!isRuntimeError(error) || !error.retryable) {
          this.#listener.ended(error as Error)
          return
        }
      }
      await pause(this.#source.connection.clock, retryWaitMs, signal).catch(() => {
        // Closed: the loop ends.
      })
    }
  }

  #removeConsumer(): void {
    const { connection, stream } = this.#source
    const name = this.#consumer
    this.#consumer = undefined
    if (name === undefined || connection.nc.isClosed()) return
    connection.jsm.consumers.delete(stream, name).catch(() => {
      // Then the server removes it by itself after a while.
    })
  }
}

function readRecord(msg: JsMsg): StoredRecord | undefined {
  const key = parseKey(msg.subject)
  if (key === undefined) return undefined
  try {
    return storedRecord({ data: msg.data, headers: msg.headers, seq: msg.seq }, key.address)
  } catch {
    return undefined
  }
}
