import type { ScannedRecord } from '../../actors/ports.ts'
import type { NatsConnection } from './connection.ts'
import type { Namespace } from './provision.ts'
import { scannedRecord } from './record-entry.ts'
import { scanStream } from './scan.ts'

/**
 * The summary of every record on those subjects, each at least once: one that is written meanwhile can come again.
 *
 * @throws as {@link scanStream}
 */
export async function* scanRecords(
  connection: NatsConnection,
  { subjects }: Namespace,
  filters: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<ScannedRecord, void, undefined> {
  const options = { filters, headersOnly: true, signal }
  for await (const message of scanStream(connection, subjects.recordStream, options)) {
    const { headers, subject } = message.msg
    const sizeBytes = Number(headers?.get('Nats-Msg-Size'))
    const scanned = scannedRecord({ ...message, headers }, subject, sizeBytes)
    if (scanned !== undefined) yield scanned
  }
}
