import { isRuntimeError } from '../../actors/errors.ts'
import type { NatsConnection, Published } from './connection.ts'
import { translate, type Attempted } from './errors.ts'
import type { Publisher } from './group-publisher.ts'
import type { Headers } from './headers.ts'
import { requireFitting } from './payload.ts'
import { pause } from './wait.ts'

const attempts = 3
const retryWaitMs = 250

/** A message that a stream keeps once, by its id. */
export interface IdentifiedMessage {
  readonly data: Uint8Array
  /** With `Nats-Msg-Id`. */
  readonly headers: Headers
  readonly subject: string
}

/**
 * Stores the message. Because of its id it may be sent again when no answer came, which is done a few times.
 *
 * @returns where it stands. A `duplicate` has its id from another message, or from one of these attempts
 * @param what as it reads after "cannot"
 * @param publisher stores it, maybe together with others; default the connection
 * @throws RuntimeError `PAYLOAD_TOO_LARGE`, `PERMISSION_DENIED`; `STORE_UNAVAILABLE` when the outcome is unknown; the
 * signal's reason on abort
 */
export async function publishOnce(
  connection: NatsConnection,
  what: string,
  { data, headers, subject }: IdentifiedMessage,
  signal?: AbortSignal,
  publisher: Publisher = connection,
): Promise<Published> {
  const attempted: Attempted = { what, subject }
  requireFitting(connection, attempted, data, headers)
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted()
    try {
      return await publisher.publish(subject, data, { headers, signal })
    } catch (error) {
      const translated = translate(error, attempted)
      const isWorthwhile = isRuntimeError(translated) && translated.retryable && attempt < attempts
      if (!isWorthwhile) throw translated
    }
    await pause(connection.clock, retryWaitMs, signal)
  }
}
