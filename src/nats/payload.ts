import { RuntimeError } from '../../actors/errors.ts'
import type { NatsConnection } from './connection.ts'
import type { Attempted } from './errors.ts'
import type { Headers } from './headers.ts'

/**
 * Refuses what the server would not take, before it is sent.
 *
 * @param reservedBytes for headers that it may be given later
 * @throws RuntimeError `PAYLOAD_TOO_LARGE` with both sizes in bytes
 */
export function requireFitting(
  connection: Pick<NatsConnection, 'maxPayloadBytes'>,
  attempted: Attempted,
  data: Uint8Array,
  headers: Headers,
  reservedBytes = 0,
): void {
  const limitBytes = connection.maxPayloadBytes
  // Headers are counted only where they can matter: they are far smaller than this.
  if (data.length + 16_384 <= limitBytes) return
  const sizeBytes = data.length + headers.sizeBytes + reservedBytes
  if (sizeBytes <= limitBytes) return
  throw new RuntimeError(
    'PAYLOAD_TOO_LARGE',
    `cannot ${attempted.what}: it has ${sizeBytes} bytes, and this NATS takes ${limitBytes} at most (max_payload)`,
    { fields: { limitBytes, sizeBytes, subject: attempted.subject } },
  )
}
