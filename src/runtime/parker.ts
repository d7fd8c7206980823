/**
 * Parks what one instance was sent, in the order of the inbox.
 *
 * Each write belongs behind the one parked last, whose place is remembered. A write that is refused, or whose answer does
 * not come, leads to that place being read again: what stands at or below it in the inbox is parked already, by this
 * owner or one before it, because everyone parks in order. A write of ours that arrives much later is refused, or, when
 * nothing is parked any more, is stored once more: behind everything below it, all of which is applied, as it is itself.
 */
import { isRuntimeError } from '../../actors/errors.ts'
import type { Clock, InboxMessage, ParkedPlace, Parking } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { Log } from './log.ts'

export interface ParkerContext {
  readonly address: Address
  readonly clock: Clock
  readonly log: Log
  readonly parking: Parking
  /** It can never be parked: it must be kept elsewhere. */
  readonly bury: (message: InboxMessage, reason: string) => void
  /** Nobody wants it any more. */
  readonly isOver: () => boolean
}

const nothing: ParkedPlace = Object.freeze({ position: 0, seq: 0 })
/** How long to wait before trying again. */
const retryMs = 500

export class Parker {
  readonly #context: ParkerContext
  /** Undefined while it must be read. */
  #last: ParkedPlace | undefined

  constructor(context: ParkerContext) {
    this.#context = context
  }

  /**
   * Resolved once they are parked, or it is over. Never rejects.
   *
   * @returns those that are parked
   */
  async park(messages: readonly InboxMessage[]): Promise<readonly InboxMessage[]> {
    const { bury, isOver, log } = this.#context
    let wanted = messages
    let misfit: InboxMessage | undefined
    while (!isOver()) {
      let first: InboxMessage | undefined
      try {
        const { position, seq } = await this.#place()
        const missing = wanted.filter(({ content }) => content.seq > seq)
        first = missing[0]
        if (first === undefined) return wanted
        if (first !== misfit) {
          await this.#store(missing, position)
          return wanted
        }
      } catch (error) {
        this.#last = undefined
        if (isRuntimeError(error, 'REVISION_CONFLICT')) continue
        if (isRuntimeError(error, 'PAYLOAD_TOO_LARGE') && first !== undefined) {
          misfit = first
          continue
        }
        log.warn({ err: error }, 'envelopes could not be parked')
        await this.#pause()
        continue
      }
      wanted = wanted.filter(message => message !== misfit)
      bury(misfit, 'it is too large to wait outside the inbox')
    }
    return []
  }

  async #place(): Promise<ParkedPlace> {
    const { address, parking } = this.#context
    this.#last ??= (await parking.last(address)) ?? nothing
    return this.#last
  }

  async #store(messages: readonly InboxMessage[], expected: number): Promise<void> {
    const { address, parking } = this.#context
    const position = await parking.park(address, messages, expected)
    this.#last = { position, seq: messages.at(-1)!.content.seq }
  }

  #pause(): Promise<void> {
    return new Promise(resolve => {
      this.#context.clock.setTimer(retryMs, resolve)
    })
  }
}
