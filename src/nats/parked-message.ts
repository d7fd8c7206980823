import type { InboxMessage, ParkedMessage, Wire } from '../../actors/ports.ts'
import { RuntimeError } from '../../actors/errors.ts'
import type { NatsConnection } from './connection.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { HeaderReader } from './headers.ts'
import { readContent } from './inbox-message.ts'
import { repeatedSeq } from './repeats.ts'
import { replySubject } from './reply-subject.ts'
import { wireOf } from './wire.ts'

/** The header that says where a parked envelope stood in the inbox. */
export const SEQ_HEADER = 'Hf-Inbox-Seq'

/** By so much an envelope may grow when it is parked: two headers, and those of a batch. */
export const parkingBytes = 256

/** What the parked envelopes of an instance share. */
export interface ParkedMessageContext {
  readonly connection: NatsConnection
  readonly deadLetters: DeadLetters
  /** Where its envelopes are published. */
  readonly inboxSubject: string
  /** The subject that an envelope for this address is published on. */
  subjectOf(address: { readonly workflow: string; readonly id: string }): string
  /** Removes the message. Fire and forget. */
  remove(position: number): void
}

/** A parked envelope that the owner of its partition has read, until it is settled. */
export class NatsParkedMessage implements ParkedMessage {
  readonly content: InboxMessage['content']
  readonly position: number
  readonly wire: Wire
  readonly #context: ParkedMessageContext
  readonly #replyTo: string | undefined

  constructor(
    { data, headers, position }: { data: Uint8Array; headers: HeaderReader | undefined; position: number },
    context: ParkedMessageContext,
  ) {
    this.#context = context
    this.#replyTo = replySubject(headers, context.connection.inboxPrefix)
    this.position = position
    this.wire = wireOf(data, headers)
    const seq = inboxSeqOf(headers)
    this.content =
      seq === undefined
        ? { malformed: unnumbered(), seq: 0 }
        : readContent({ data, seq, subject: context.inboxSubject }, context, {
            replyTo: this.#replyTo,
            repeats: repeatedSeq(headers),
          })
  }

  ack(): void {
    this.#context.remove(this.position)
  }

  working(): void {
    // It is read, not delivered: nothing comes again for slowness.
  }

  reply(bytes: Uint8Array): void {
    if (this.#replyTo !== undefined) this.#context.connection.send(this.#replyTo, bytes)
  }

  /** As it would have come from the inbox. */
  async deadLetter(code: string, reason: string): Promise<void> {
    const { deadLetters, inboxSubject } = this.#context
    const { seq } = this.content
    const letter = { code, data: this.wire.data, reason, seq, subject: inboxSubject }
    // Without a place in the inbox it is known by its place among the parked ones.
    await deadLetters.keep(seq > 0 ? letter : { ...letter, name: `parked:${this.position}` })
    this.ack()
  }
}

/** Where a parked envelope stood in the inbox; undefined for one that nobody here has parked. */
export function inboxSeqOf(headers: HeaderReader | undefined): number | undefined {
  const seq = Number(headers?.get(SEQ_HEADER))
  return Number.isSafeInteger(seq) && seq > 0 ? seq : undefined
}

function unnumbered(): RuntimeError {
  return new RuntimeError('ENVELOPE_MALFORMED', `a parked envelope without the header ${SEQ_HEADER}`)
}
