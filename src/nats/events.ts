import type { EventSink } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { EventObject } from '../../actors/event.ts'
import { encodeValue } from '../codec/msgpack.ts'
import { formatAddress } from '../workflow/address.ts'
import type { NatsConnection } from './connection.ts'
import { Headers } from './headers.ts'
import type { Namespace } from './provision.ts'
import { publishOnce } from './publish.ts'
import { headerText } from './record-headers.ts'
import { escapeToken } from './subjects.ts'

/**
 * The stream of emitted events. A message is the event as msgpack; headers say who emitted it and as what, so that
 * other services can choose without decoding.
 */
export class NatsEventSink implements EventSink {
  readonly #connection: NatsConnection
  readonly #namespace: Namespace

  constructor(connection: NatsConnection, namespace: Namespace) {
    this.#connection = connection
    this.#namespace = namespace
  }

  async emit(address: Address, effectId: string, event: EventObject): Promise<void> {
    const subject = this.#namespace.subjects.event(address)
    const headers = Headers.of({
      'Nats-Msg-Id': `${subject}.${escapeToken(effectId)}`,
      'Content-Type': 'application/msgpack',
      'Hf-Effect': headerText(effectId),
      'Hf-Event': headerText(event.type),
      'Hf-Instance': headerText(formatAddress(address)),
    })
    const message = { data: encodeValue(event), headers, subject }
    await publishOnce(this.#connection, `emit an event of ${formatAddress(address)}`, message)
  }
}
