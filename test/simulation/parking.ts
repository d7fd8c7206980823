/** The parked envelopes, over a {@link Link}: as `src/nats/parking.ts` has them. */
import type { InboxMessage, ParkedMessage, Parking } from '../../actors/ports.ts'
import { MemoryParking } from '../../src/memory/parking.ts'
import { formatAddress } from '../../src/workflow/address.ts'
import type { SimTransportContext } from './transport.ts'

export function simParking(context: SimTransportContext): Parking {
  const { checker, link, server } = context
  const parking = new MemoryParking(server.namespace)
  return {
    instances: partition =>
      link.request('parked', `look what is parked in ${partition}`, () => parking.instances(partition)),
    last: address =>
      link.request('parked', `look what was parked last of ${formatAddress(address)}`, () =>
        parking.last(address),
      ),
    park(address, messages, expected) {
      const what = `park ${seqsOf(messages)} of ${formatAddress(address)} behind ${expected}`
      return link.request('parked', what, async () => {
        const last = await parking.last(address)
        const position = await parking.park(address, messages, expected)
        checker.parked(link.process, address, messages, last)
        return position
      })
    },
    async read(address, after, limit) {
      const what = `read what is parked of ${formatAddress(address)} behind ${after}`
      const found = await link.request('parked', what, () => parking.read(address, after, limit))
      return found.map(message => new SimParkedMessage(message, context))
    },
  }
}

class SimParkedMessage implements ParkedMessage {
  readonly content: InboxMessage['content']
  readonly position: number
  readonly wire: InboxMessage['wire']
  readonly #context: SimTransportContext
  readonly #stored: ParkedMessage

  constructor(stored: ParkedMessage, context: SimTransportContext) {
    this.content = stored.content
    this.position = stored.position
    this.wire = stored.wire
    this.#context = context
    this.#stored = stored
  }

  ack(): void {
    const { checker, link } = this.#context
    checker.removing(link.process, this.content)
    link.send('parked', `remove ${this.content.seq} from the parked`, () => this.#stored.ack())
  }

  working(): void {
    // It is read, not delivered.
  }

  reply(bytes: Uint8Array): void {
    const { link } = this.#context
    link.send('replies', `answer ${this.content.seq}`, () => this.#stored.reply(bytes))
  }

  async deadLetter(code: string, reason: string): Promise<void> {
    const { checker, link } = this.#context
    await link.publishOnce('dead letters', `dead letter ${this.content.seq}: ${code}`, () =>
      checker.buried(this.content, code, reason),
    )
    this.ack()
  }
}

function seqsOf(messages: readonly InboxMessage[]): string {
  return messages.map(({ content }) => content.seq).join(', ')
}
