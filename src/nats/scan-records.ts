import type { ScannedRecord } from '../../actors/ports.ts'
import type { NatsConnection } from './connection.ts'
import { headersIn, type HeaderReader } from './headers.ts'
import type { Namespace } from './provision.ts'
import { scannedRecord } from './record-entry.ts'
import { scanBatches, type ScanOptions } from './scan.ts'

export interface ScanRecordsOptions extends Pick<ScanOptions, 'filters' | 'signal'> {
  /** Looks at what most are left out for, before all else is read. Default: all are wanted. */
  readonly isWanted?: (headers: HeaderReader) => boolean
  /** Called when the scan begins: answers the sequence of a message that it must come to. */
  readonly mark?: () => Promise<number>
  /** The partitions that are wanted. Default all. */
  readonly partitions?: ReadonlySet<number>
}

/**
 * The summary of every record on those subjects that is wanted, each at least once: one that is written meanwhile can come
 * again.
 *
 * @throws as `scanStream`; what `mark` throws
 */
export async function* scanRecords(
  connection: NatsConnection,
  { subjects }: Namespace,
  { filters, isWanted, mark, partitions, signal }: ScanRecordsOptions,
): AsyncGenerator<ScannedRecord, void, undefined> {
  const options = { filters, headersOnly: true, signal, through: await mark?.() }
  for await (const batch of scanBatches(connection, subjects.recordStream, options)) {
    for (const { msg, place } of batch) {
      const headers = headersIn(msg)
      if (headers === undefined || isWanted?.(headers) === false) continue
      const sizeBytes = Number(headers.get('Nats-Msg-Size'))
      const { seq, time } = place
      const scanned = scannedRecord({ headers, seq, time }, msg.subject, sizeBytes)
      if (scanned === undefined || partitions?.has(scanned.partition) === false) continue
      yield scanned
      signal?.throwIfAborted()
    }
  }
}
