import type { Envelope } from '../../actors/envelope.ts'
import type { Inbox, InboxConsumer, InboxListener, PublishOptions } from '../../actors/ports.ts'
import { encodeEnvelope } from '../codec/envelope.ts'
import { formatAddress, partitionOf } from '../workflow/address.ts'
import type { MemoryNamespace } from './namespace.ts'

/** The envelopes in memory. */
export class MemoryInbox implements Inbox {
  readonly prefetch: number
  readonly #namespace: MemoryNamespace

  constructor(namespace: MemoryNamespace) {
    this.#namespace = namespace
    this.prefetch = namespace.prefetch
  }

  async publish(envelope: Envelope, { replyTo, signal }: PublishOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    const data = encodeEnvelope(envelope)
    this.#namespace.requireFitting(`send an envelope to ${formatAddress(envelope.target)}`, data)
    const partition = partitionOf(envelope.target, this.#namespace.partitions)
    this.#namespace.deliverOnce(`${formatAddress(envelope.target)}:${envelope.id}`, partition, data, replyTo)
  }

  async open(partition: number, term: number, listener: InboxListener): Promise<InboxConsumer> {
    return this.#namespace.inbox(partition).open(term, listener)
  }
}
