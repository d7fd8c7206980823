import type {
  RecordFilter,
  RecordListener,
  ScannedRecord,
  Snapshots,
  StoredRecord,
  WatchFilter,
} from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import { formatAddress, partitionOf } from '../workflow/address.ts'
import type { NatsConnection } from './connection.ts'
import { readEntryNearby, type Entry } from './entry.ts'
import { translate } from './errors.ts'
import { InstanceWatch } from './instance-watch.ts'
import type { Namespace } from './provision.ts'
import { scannedRecord, storedRecord } from './record-entry.ts'
import { RecordsWatch } from './records-watch.ts'
import { scanRecords } from './scan-records.ts'

/** The records for those who only look: any server of a cluster answers, and no node has to be alive. */
export class NatsSnapshots implements Snapshots {
  readonly #connection: NatsConnection
  readonly #namespace: Namespace

  constructor(connection: NatsConnection, namespace: Namespace) {
    this.#connection = connection
    this.#namespace = namespace
  }

  async get(address: Address, signal?: AbortSignal): Promise<StoredRecord | undefined> {
    return storedRecord(await this.#read(address, signal), address)
  }

  async peek(address: Address, signal?: AbortSignal): Promise<ScannedRecord | undefined> {
    const entry = await this.#read(address, signal)
    return entry && scannedRecord(entry, this.#subjectOf(address), entry.data.length)
  }

  async watch(filter: WatchFilter, listener: RecordListener): Promise<() => void> {
    const { onlyFinal = false, workflow, id } = filter
    if (workflow === undefined || id === undefined) {
      const { recordStream, records } = this.#namespace.subjects
      const watch = new RecordsWatch(
        { connection: this.#connection, filter: records({ workflow }), onlyFinal, stream: recordStream },
        listener,
      )
      await watch.open()
      return () => watch.close()
    }
    const address = { workflow, id }
    const partition = partitionOf(address, this.#namespace.partitions)
    const watch = new InstanceWatch(
      {
        address,
        connection: this.#connection,
        onlyFinal,
        read: () => this.#read(address),
        subject: this.#namespace.subjects.snapshot(partition, address),
      },
      listener,
    )
    await watch.open()
    return () => watch.close()
  }

  async *list(filter: RecordFilter, signal?: AbortSignal): AsyncGenerator<ScannedRecord, void, undefined> {
    const { workflow, id } = filter
    if (workflow !== undefined && id !== undefined) {
      const only = await this.peek({ workflow, id }, signal)
      if (only !== undefined) yield only
      return
    }
    const filters = [this.#namespace.subjects.records({ workflow })]
    // One that changes meanwhile comes again.
    const told = new Set<string>()
    for await (const row of scanRecords(this.#connection, this.#namespace, { filters, signal })) {
      const key = formatAddress(row.address)
      if (told.has(key)) continue
      told.add(key)
      yield row
    }
  }

  async #read(address: Address, signal?: AbortSignal): Promise<Entry | undefined> {
    const subject = this.#subjectOf(address)
    try {
      signal?.throwIfAborted()
      return await readEntryNearby(this.#connection, this.#namespace.subjects.recordStream, subject, signal)
    } catch (error) {
      throw translate(error, { what: `read ${formatAddress(address)}`, subject })
    }
  }

  #subjectOf(address: Address): string {
    return this.#namespace.subjects.record(partitionOf(address, this.#namespace.partitions), address)
  }
}
