import type { ScannedRecord } from '../../actors/ports.ts'
import type { NatsConnection } from './connection.ts'
import { headersIn } from './headers.ts'
import type { Namespace } from './provision.ts'
import { scannedRecord } from './record-entry.ts'
import { scanBatches, type ScanOptions } from './scan.ts'

export interface ScanRecordsOptions extends Pick<ScanOptions, 'filters' | 'signal'> {
  /** Called when the scan begins: answers the sequence of a message that it must come to. */
  readonly mark?: () => Promise<number>
  /** The partitions that are wanted. Default all. */
  readonly partitions?: ReadonlySet<number>
}

/**
 * The summary of every record on those subjects, each at least once: one that is written meanwhile can come again.
 *
 * @throws as `scanStream`; what `mark` throws
 */
export async function* scanRecords(
  connection: NatsConnection,
  { subjects }: Namespace,
  { filters, mark, partitions, signal }: ScanRecordsOptions,
): AsyncGenerator<ScannedRecord, void, undefined> {
  const options = { filters, headersOnly: true, signal, through: await mark?.() }
  for await (const batch of scanBatches(connection, subjects.recordStream, options)) {
    for (const { msg, place } of batch) {
      const headers = headersIn(msg)
      const sizeBytes = Number(headers?.get('Nats-Msg-Size'))
      const scanned = scannedRecord({ ...place, headers }, msg.subject, sizeBytes)
      if (scanned === undefined || partitions?.has(scanned.partition) === false) continue
      yield scanned
      signal?.throwIfAborted()
    }
  }
}
