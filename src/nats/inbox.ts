import type { Inbox, InboxConsumer, InboxListener, PublishOptions } from '../../actors/ports.ts'
import type { Envelope } from '../../actors/envelope.ts'
import { encodeEnvelope } from '../codec/envelope.ts'
import { formatAddress, partitionOf } from '../workflow/address.ts'
import type { NatsConnection } from './connection.ts'
import { DeadLetters } from './dead-letters.ts'
import type { Publisher } from './group-publisher.ts'
import { Headers } from './headers.ts'
import { InboxTerm } from './inbox-term.ts'
import { parkingBytes } from './parked-message.ts'
import { requireFitting } from './payload.ts'
import type { Namespace } from './provision.ts'
import { publishOnce } from './publish.ts'
import { headerText } from './record-headers.ts'
import { REPEATS_HEADER } from './repeats.ts'
import { REPLY_HEADER } from './reply-subject.ts'

export interface NatsInboxOptions {
  /** After this an unsettled envelope is delivered again within its term, in milliseconds. Default 30 s. */
  readonly ackWaitMs?: number | undefined
  /** The most envelopes of a partition that are unsettled at a time. Default 256. */
  readonly prefetch?: number | undefined
  /** Stores the envelopes, maybe several together. Default the connection. */
  readonly publisher?: Publisher | undefined
}

const defaults = Object.freeze({ ackWaitMs: 30_000, prefetch: 256 })

/** The stream of envelopes. */
export class NatsInbox implements Inbox {
  readonly prefetch: number
  readonly #connection: NatsConnection
  readonly #namespace: Namespace
  readonly #deadLetters: DeadLetters
  readonly #ackWaitMs: number
  readonly #publisher: Publisher

  constructor(connection: NatsConnection, namespace: Namespace, options: NatsInboxOptions = {}) {
    this.#connection = connection
    this.#namespace = namespace
    this.#deadLetters = new DeadLetters(connection, namespace)
    this.#publisher = options.publisher ?? connection
    this.#ackWaitMs = options.ackWaitMs ?? defaults.ackWaitMs
    this.prefetch = options.prefetch ?? defaults.prefetch
  }

  async publish(envelope: Envelope, { replyTo, signal }: PublishOptions = {}): Promise<void> {
    const data = encodeEnvelope(envelope)
    const { partitions, subjects } = this.#namespace
    const subject = subjects.envelope(partitionOf(envelope.target, partitions), envelope.target)
    // The stream knows ids for all instances together, a sender means one.
    const id = Headers.of({ 'Nats-Msg-Id': `${subject}:${headerText(envelope.id)}` })
    const headers = replyTo === undefined ? id : id.with({ [REPLY_HEADER]: replyTo })
    const what = `send an envelope to ${formatAddress(envelope.target)}`
    requireFitting(this.#connection, { what, subject }, data, headers, parkingBytes)
    const message = { data, headers, subject }
    const { duplicate, seq } = await publishOnce(this.#connection, what, message, signal, this.#publisher)
    if (!duplicate || replyTo === undefined) return
    // The first names another place to answer at, or none. No two senders wait at the same place.
    const again = Headers.of({
      'Nats-Msg-Id': replyTo,
      [REPLY_HEADER]: replyTo,
      [REPEATS_HEADER]: String(seq),
    })
    await publishOnce(this.#connection, what, { ...message, headers: again }, signal, this.#publisher)
  }

  async open(partition: number, term: number, listener: InboxListener): Promise<InboxConsumer> {
    const context = {
      ackWaitMs: this.#ackWaitMs,
      prefetch: this.prefetch,
      connection: this.#connection,
      deadLetters: this.#deadLetters,
      namespace: this.#namespace,
    }
    const opened = new InboxTerm(context, partition, term, listener)
    await opened.open()
    return opened
  }
}
