/**
 * The commits of many instances, as they happen: first the newest record of each, then every later write.
 *
 * An ordered consumer without state: it is made anew from the last sequence seen whenever something may have been
 * lost. A record that this build cannot read is left out, so that one of them does not blind all watchers.
 */
import { AckPolicy, DeliverPolicy, nuid } from 'nats'
import type { ConsumerConfig, JsMsg } from 'nats'
import type { RecordListener, StoredRecord } from '../../actors/ports.ts'
import type { NatsConnection } from './connection.ts'
import { LastingFeed } from './lasting-feed.ts'
import { storedRecord } from './record-entry.ts'
import { isUnfinished } from './record-headers.ts'
import { parseKey } from './subjects.ts'

/** How many records may be on their way or in memory. */
const prefetch = 500
/** The server removes the consumer of a watcher that has gone. */
const inactiveThresholdMs = 60_000

export interface RecordsWatchSource {
  readonly connection: NatsConnection
  /** Which subjects of the stream. */
  readonly filter: string
  readonly onlyFinal: boolean
  readonly stream: string
}

export class RecordsWatch {
  readonly #filter: string
  readonly #onlyFinal: boolean
  readonly #listener: RecordListener
  readonly #feed: LastingFeed
  #lastSeq = 0

  constructor({ connection, filter, onlyFinal, stream }: RecordsWatchSource, listener: RecordListener) {
    this.#filter = filter
    this.#onlyFinal = onlyFinal
    this.#listener = listener
    this.#feed = new LastingFeed({
      attempted: { what: 'watch records', subject: filter },
      connection,
      prefetch,
      removesConsumers: true,
      makeConsumer: () => connection.jsm.consumers.add(stream, this.#consumerConfig()),
      message: msg => this.#receive(msg),
      ended: error => listener.ended(error),
    })
  }

  open(): Promise<void> {
    return this.#feed.open()
  }

  close(): void {
    // Never rejects, and there is nothing to wait for.
    void this.#feed.close()
  }

  #consumerConfig(): Partial<ConsumerConfig> {
    return {
      name: `watch-${nuid.next()}`,
      ack_policy: AckPolicy.None,
      filter_subject: this.#filter,
      inactive_threshold: inactiveThresholdMs * 1e6,
      mem_storage: true,
      num_replicas: 1,
      ...(this.#lastSeq === 0
        ? { deliver_policy: DeliverPolicy.LastPerSubject }
        : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: this.#lastSeq + 1 }),
    }
  }

  #receive(msg: JsMsg): void {
    this.#lastSeq = msg.seq
    const stored = readRecord(msg, this.#onlyFinal)
    if (stored !== undefined) this.#listener.record(stored)
  }
}

function readRecord({ data, headers, seq, subject }: JsMsg, onlyFinal: boolean): StoredRecord | undefined {
  const key = parseKey(subject)
  if (key === undefined || (onlyFinal && isUnfinished(headers))) return undefined
  try {
    return storedRecord({ data, headers, seq }, key.address)
  } catch {
    return undefined
  }
}
