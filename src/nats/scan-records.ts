import type { ScannedRecord } from '../../actors/ports.ts'
import type { NatsConnection } from './connection.ts'
import { headersIn } from './headers.ts'
import type { Namespace } from './provision.ts'
import { scannedRecord } from './record-entry.ts'
import { scanStream, type ScanOptions } from './scan.ts'

/**
 * The summary of every record on those subjects, each at least once: one that is written meanwhile can come again.
 *
 * @throws as {@link scanStream}
 */
export async function* scanRecords(
  connection: NatsConnection,
  { subjects }: Namespace,
  options: Pick<ScanOptions, 'filters' | 'signal' | 'through'>,
): AsyncGenerator<ScannedRecord, void, undefined> {
  const scan = scanStream(connection, subjects.recordStream, { ...options, headersOnly: true })
  for await (const message of scan) {
    const { subject } = message.msg
    const headers = headersIn(message.msg)
    const sizeBytes = Number(headers?.get('Nats-Msg-Size'))
    const scanned = scannedRecord({ ...message, headers }, subject, sizeBytes)
    if (scanned !== undefined) yield scanned
  }
}
