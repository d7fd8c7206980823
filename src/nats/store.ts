import type { RecordSummary, ScannedRecord, Store, StoredRecord } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { encodeRecord } from '../codec/record.ts'
import { formatAddress, partitionOf } from '../workflow/address.ts'
import type { NatsConnection } from './connection.ts'
import { isRemoved, readEntry, readEntryNearby } from './entry.ts'
import { isConflict, translate } from './errors.ts'
import type { Publisher } from './group-publisher.ts'
import { Headers } from './headers.ts'
import { requireFitting } from './payload.ts'
import type { Namespace } from './provision.ts'
import { storedRecord } from './record-entry.ts'
import { isOwing, recordHeaders } from './record-headers.ts'
import { scanRecords } from './scan-records.ts'
import { isAtLeast } from './server-version.ts'

/**
 * Up to this many partitions the server filters a scan; above, it is quicker to read all and filter here: the
 * server walks the same blocks either way.
 */
const mostFilters = 8

/** With more at a time nothing is stored sooner, and what an answer brings about holds up the event loop for longer. */
const capacity = 128

export interface NatsStoreOptions {
  /** Whether there is but one copy of the records. Default false. */
  readonly hasOneCopy?: boolean | undefined
  /** Stores the records, maybe several together. Default the connection. */
  readonly publisher?: Publisher | undefined
}

/** The records in their bucket. The server refuses a write that is not at the expected revision. */
export class NatsStore implements Store {
  readonly capacity = capacity
  readonly #connection: NatsConnection
  readonly #namespace: Namespace
  readonly #publisher: Publisher
  readonly #read: typeof readEntry

  constructor(connection: NatsConnection, namespace: Namespace, options: NatsStoreOptions = {}) {
    this.#connection = connection
    this.#publisher = options.publisher ?? connection
    this.#namespace = namespace
    // Asking the leader takes twice as long. Should one copy become several while this runs, what is stale is refused
    // when it is written.
    this.#read = options.hasOneCopy === true ? readEntryNearby : readEntry
  }

  async load(address: Address, signal?: AbortSignal): Promise<StoredRecord | undefined> {
    const subject = this.#subjectOf(address)
    try {
      const { recordStream } = this.#namespace.subjects
      return storedRecord(await this.#read(this.#connection, recordStream, subject, signal), address)
    } catch (error) {
      throw translate(error, { what: `load ${formatAddress(address)}`, subject })
    }
  }

  async commit(
    record: InstanceRecord,
    summary: RecordSummary,
    expected: number,
    signal?: AbortSignal,
  ): Promise<number> {
    const subject = this.#subjectOf(record)
    const attempted = { what: `commit ${formatAddress(record)}`, subject }
    const data = encodeRecord(record)
    const headers = recordHeaders(summary, expected)
    requireFitting(this.#connection, attempted, data, headers)
    try {
      signal?.throwIfAborted()
      return (await this.#publisher.publish(subject, data, { headers, signal })).seq
    } catch (error) {
      const marker = expected === 0 ? await this.#removalMarker(subject, error, signal) : undefined
      if (marker !== undefined) return this.commit(record, summary, marker, signal)
      throw translate(error, attempted)
    }
  }

  /**
   * In a cluster whichever replica serves the scan may lag behind. So a mark is written first: once the replica comes to
   * it, it has told everything that was committed before the scan began.
   */
  scanOwing(partitions: readonly number[], signal?: AbortSignal): AsyncIterable<ScannedRecord> {
    const { records, allRecords, scanMark } = this.#namespace.subjects
    if (partitions.length === 0) return nothing()
    const isSelective =
      partitions.length <= mostFilters && isAtLeast(this.#connection.serverVersion, [2, 10, 0])
    const filters = isSelective
      ? [...partitions.map(partition => records(partition)), scanMark]
      : [allRecords]
    return scanRecords(this.#connection, this.#namespace, {
      filters,
      isWanted: isOwing,
      mark: () => this.#mark(signal),
      partitions: new Set(partitions),
      signal,
    })
  }

  /** Answers the sequence of the mark. To readers of the bucket it is a key that was deleted. */
  async #mark(signal?: AbortSignal): Promise<number> {
    const subject = this.#namespace.subjects.scanMark
    const headers = Headers.of({ 'KV-Operation': 'DEL' })
    try {
      return (await this.#connection.publish(subject, new Uint8Array(0), { headers, signal })).seq
    } catch (error) {
      throw translate(error, { what: 'begin a scan of the records', subject })
    }
  }

  #subjectOf(address: Address): string {
    return this.#namespace.subjects.record(partitionOf(address, this.#namespace.partitions), address)
  }

  /** A key that was removed still has a revision: that of its marker, which a new record must follow. */
  async #removalMarker(subject: string, error: unknown, signal?: AbortSignal): Promise<number | undefined> {
    if (!isConflict(error)) return undefined
    try {
      const entry = await readEntry(this.#connection, this.#namespace.subjects.recordStream, subject, signal)
      return entry !== undefined && isRemoved(entry.data.length) ? entry.seq : undefined
    } catch {
      // The conflict is true whatever the marker says.
      return undefined
    }
  }
}

async function* nothing(): AsyncGenerator<never, void, undefined> {}
