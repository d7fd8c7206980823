import { NatsError } from 'nats'
import type { NatsConnection } from './connection.ts'
import { apiErrorOf, apiErrors } from './errors.ts'
import { headersIn, type HeaderReader } from './headers.ts'
import { withSignal } from './wait.ts'

/** What a key of a bucket holds: the newest message of its subject. */
export interface Entry {
  readonly data: Uint8Array
  readonly headers: HeaderReader | undefined
  readonly seq: number
  /** When it was stored: milliseconds since the epoch, by the server's clock. */
  readonly time: number
}

/**
 * The newest message of the subject as the leader of the stream has it: never stale.
 *
 * @throws what the library throws, for the caller to translate
 */
export async function readEntry(
  connection: NatsConnection,
  stream: string,
  subject: string,
  signal?: AbortSignal,
): Promise<Entry | undefined> {
  try {
    const query = connection.jsm.streams.getMessage(stream, { last_by_subj: subject })
    const message = await withSignal(query, signal)
    return { data: message.data, headers: message.header, seq: message.seq, time: message.time.getTime() }
  } catch (error) {
    if (apiErrorOf(error) === apiErrors.messageNotFound) return undefined
    throw error
  }
}

/**
 * The newest message of the subject as the nearest server has it: at worst a moment old. Its permission is by
 * subject, so that users can be limited to what they may see.
 *
 * @throws what the library throws, for the caller to translate
 */
export async function readEntryNearby(
  connection: NatsConnection,
  stream: string,
  subject: string,
  signal?: AbortSignal,
): Promise<Entry | undefined> {
  const api = `$JS.API.DIRECT.GET.${stream}.${subject}`
  await connection.turnEnds()
  const answer = await connection.request(api, undefined, { signal })
  const headers = headersIn(answer)
  const code = headers?.code ?? 0
  if (code === 404) return undefined
  if (headers === undefined || code !== 0)
    throw new NatsError(headers?.description ?? 'no answer', String(code))
  const time = Date.parse(headers.last('Nats-Time-Stamp'))
  return { data: answer.data, headers, seq: Number(headers.last('Nats-Sequence')), time }
}

/**
 * True when an entry says that its key holds nothing: the markers that clients and servers write for removed and
 * expired keys have no bytes, whatever their headers say, and no value of ours is empty.
 */
export function isRemoved(sizeBytes: number): boolean {
  return sizeBytes === 0
}
