import { RuntimeError } from '../../actors/errors.ts'
import type { RecordSummary, ScannedRecord, Store, StoredRecord } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { decodeRecord, encodeRecord } from '../codec/record.ts'
import { formatAddress } from '../workflow/address.ts'
import type { MemoryNamespace, MemoryRecord } from './namespace.ts'

/** The records in memory. */
export class MemoryStore implements Store {
  readonly capacity: number
  readonly #namespace: MemoryNamespace

  constructor(namespace: MemoryNamespace) {
    this.#namespace = namespace
    this.capacity = namespace.capacity
  }

  async load(address: Address, signal?: AbortSignal): Promise<StoredRecord | undefined> {
    signal?.throwIfAborted()
    const stored = this.#namespace.records.get(formatAddress(address))
    return stored && decoded(stored)
  }

  async commit(
    record: InstanceRecord,
    summary: RecordSummary,
    expected: number,
    signal?: AbortSignal,
  ): Promise<number> {
    signal?.throwIfAborted()
    const namespace = this.#namespace
    const address = { workflow: record.workflow, id: record.id }
    const data = encodeRecord(record)
    namespace.requireFitting(`commit ${formatAddress(address)}`, data)
    return namespace.replaceRecord(address, data, summary, expected).revision
  }

  async *scanOwing(
    partitions: readonly number[],
    signal?: AbortSignal,
  ): AsyncGenerator<ScannedRecord, void, undefined> {
    signal?.throwIfAborted()
    const wanted = new Set(partitions)
    for (const stored of this.#namespace.records.values()) {
      signal?.throwIfAborted()
      const row = wanted.has(stored.partition) ? scanned(stored) : undefined
      if (row !== undefined && (row.summary.owes > 0 || row.summary.dueAt !== undefined)) yield row
    }
  }
}

/** @throws RuntimeError as `decodeRecord`; `RECORD_MALFORMED` when it is the record of another instance */
export function decoded({ address, data, revision, summary }: MemoryRecord): StoredRecord {
  const record = decodeRecord(data)
  if (record.workflow === address.workflow && record.id === address.id) {
    return { record, revision, commit: summary?.commit ?? '', event: summary?.event ?? '' }
  }
  const [found, place] = [formatAddress(record), formatAddress(address)]
  throw new RuntimeError('RECORD_MALFORMED', `the record stored for ${place} is that of ${found}`, {
    fields: { address, revision },
  })
}

/** The row of a scan; undefined for what no store has written. */
export function scanned({
  address,
  partition,
  revision,
  summary,
  time,
}: MemoryRecord): ScannedRecord | undefined {
  return summary && { address, partition, revision, summary, time }
}
