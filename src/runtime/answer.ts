import type { Outcome } from '../../actors/envelope.ts'
import type { InboxMessage } from '../../actors/ports.ts'
import { encodeValue } from '../codec/msgpack.ts'
import type { Log } from './log.ts'

const mostMessage = 1_024

/**
 * Tells whoever waits what became of an envelope. Never throws: an instance that is never stored may have a state that
 * cannot be told, and what is wrong with an event may be more than one message holds. Then a refusal is told in short;
 * whoever waits for anything else runs out of time.
 */
export function answer(message: InboxMessage, outcome: Outcome, log: Log): void {
  try {
    message.reply(encodeValue(outcome))
  } catch (error) {
    log.warn({ err: error, seq: message.content.seq }, 'an answer cannot be told')
    if (outcome.type !== 'rejected') return
    const { code, message: reason, type } = outcome
    message.reply(encodeValue({ type, code, message: reason.slice(0, mostMessage) }))
  }
}
