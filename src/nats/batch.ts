/**
 * Several messages for one stream, stored all or none (ADR-50). A server keeps them aside until the last has come.
 */
import { ErrorCode, NatsError, nuid } from 'nats'
import type { NatsConnection, Published } from './connection.ts'
import { apiErrorOf } from './errors.ts'
import type { Headers } from './headers.ts'

/** A message of a batch. */
export interface BatchMessage {
  readonly headers: Headers
  readonly payload: Uint8Array
  readonly subject: string
}

/**
 * Stores them together. Answers for the last message; those before it have the sequences before. A server that knows no
 * batches has taken each for itself, and says so by the count that it answers.
 *
 * @param batch at least one message
 * @throws as `NatsConnection.publish`
 */
export async function publishBatch(
  connection: NatsConnection,
  batch: readonly BatchMessage[],
): Promise<Published> {
  const id = nuid.next()
  const inBatch = (headers: Headers, sequence: number) =>
    headers.with({ 'Nats-Batch-Id': id, 'Nats-Batch-Sequence': String(sequence) })
  for (const [index, { subject, payload, headers }] of batch.slice(0, -1).entries()) {
    connection.nc.publish(subject, payload, { headers: inBatch(headers, index + 1).forLibrary })
  }
  const { subject, payload, headers } = batch.at(-1)!
  const last = inBatch(headers, batch.length).with({ 'Nats-Batch-Commit': '1' })
  return connection.publish(subject, payload, { headers: last })
}

/** True when nothing of a batch is stored: the server refused it, or a message of it and so never had it whole. */
export function isRefused(error: unknown): boolean {
  if (apiErrorOf(error) !== undefined) return true
  if (!(error instanceof NatsError)) return false
  // Batch headers may be what makes a message too large.
  const isTooLarge = error.code === String(ErrorCode.MaxPayloadExceeded)
  return isTooLarge || error.permissionContext?.operation === 'publish'
}

/** How many of the first payloads may go as one batch: all of it must come within the server's time-out. */
export function countFitting(messages: readonly { readonly payload: Uint8Array }[], most: number): number {
  let sizeBytes = 0
  const tooMany = messages.slice(0, most).findIndex(({ payload }) => {
    sizeBytes += payload.length
    return sizeBytes > mostBytes
  })
  return tooMany === -1 ? Math.min(messages.length, most) : tooMany
}

/** The server keeps a batch beside its stream until the end has come. */
const mostBytes = 4 * 1024 * 1024
