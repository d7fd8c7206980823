import type { Envelope, Outcome } from '../../actors/envelope.ts'
import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'
import type { Inbox } from '../../actors/ports.ts'
import { decodeValue } from '../codec/msgpack.ts'
import type { Replies } from '../nats/replies.ts'
import { formatAddress } from '../workflow/address.ts'

export interface OutcomeContext {
  readonly inbox: Pick<Inbox, 'publish'>
  readonly replies: Pick<Replies, 'expect'>
}

export interface OutcomeOptions {
  readonly signal?: AbortSignal | undefined
  /** Called once the envelope is durable. May not throw. */
  readonly stored?: (() => void) | undefined
  readonly timeoutMs: number
}

/**
 * Sends an envelope and waits for what the node makes of it.
 *
 * @throws RuntimeError as `Inbox.publish`; `TIMEOUT` when no answer came in time: the envelope is durable and its
 * outcome unknown. The signal's reason on abort, which stops the waiting, not the envelope.
 */
export async function publishForOutcome(
  { inbox, replies }: OutcomeContext,
  envelope: Envelope,
  { signal, stored, timeoutMs }: OutcomeOptions,
): Promise<Outcome> {
  const reply = replies.expect(timeoutMs, signal)
  try {
    await inbox.publish(envelope, { replyTo: reply.subject, ...(signal !== undefined && { signal }) })
    stored?.()
    return decodeValue(await reply.answer) as Outcome
  } catch (error) {
    if (!isRuntimeError(error, 'TIMEOUT')) throw error
    const { target, type } = envelope
    const what = type === 'send' ? 'event' : type
    throw new RuntimeError(
      'TIMEOUT',
      `no answer came for ${formatAddress(target)} within ${timeoutMs} ms: the ${what} is stored, and is applied when ` +
        'a node takes it up, and the instance takes anything: one that is paused or suspended does not',
      { cause: error, fields: { ...target, timeoutMs }, retryable: true },
    )
  } finally {
    reply.dispose()
  }
}
