import type { Envelope } from '../../actors/envelope.ts'
import type { InboxListener, InboxMessage, RecordListener, StoredRecord } from '../../actors/ports.ts'
import { until } from './until.ts'

/** An inbox listener that keeps what it hears. */
export class HeardMessages implements InboxListener {
  readonly messages: InboxMessage[] = []
  error: Error | undefined

  message(message: InboxMessage): void {
    this.messages.push(message)
  }

  ended(error: Error): void {
    this.error = error
  }

  /** What was sent as the number of the event, message by message; undefined for one that is malformed. */
  get numbers(): readonly unknown[] {
    return this.messages.map(({ content }) =>
      'malformed' in content ? undefined : numberOf(content.envelope),
    )
  }

  get seqs(): readonly number[] {
    return this.messages.map(message => message.content.seq)
  }

  /** Waits until that many messages were heard. */
  async count(wanted: number): Promise<void> {
    await until(() => this.messages.length >= wanted)
  }

  async end(): Promise<Error> {
    await until(() => this.error !== undefined)
    return this.error!
  }
}

function numberOf(envelope: Envelope): unknown {
  return envelope.type === 'send' ? envelope.event['number'] : undefined
}

/** A listener to records that keeps what it hears. */
export class HeardRecords implements RecordListener {
  readonly records: StoredRecord[] = []
  error: Error | undefined

  record(stored: StoredRecord): void {
    this.records.push(stored)
  }

  ended(error: Error): void {
    this.error = error
  }

  get counters(): readonly number[] {
    return this.records.map(stored => stored.record.counter)
  }

  get ids(): readonly string[] {
    return this.records.map(stored => stored.record.id)
  }

  get revisions(): readonly number[] {
    return this.records.map(stored => stored.revision)
  }

  /** Waits until that many records were heard. */
  async count(wanted: number): Promise<void> {
    await until(() => this.records.length >= wanted)
  }

  /** Waits until a record with that counter was heard. */
  async counter(wanted: number): Promise<void> {
    await until(() => this.records.at(-1)?.record.counter === wanted)
  }

  async end(): Promise<Error> {
    await until(() => this.error !== undefined)
    return this.error!
  }
}
