import type { JsMsg } from 'nats'
import { RuntimeError } from '../../actors/errors.ts'
import type { Delivery } from '../../actors/envelope.ts'
import type { InboxMessage, Wire } from '../../actors/ports.ts'
import { decodeEnvelope } from '../codec/envelope.ts'
import { formatAddress } from '../workflow/address.ts'
import type { NatsConnection } from './connection.ts'
import type { DeadLetters } from './dead-letters.ts'
import { headersIn } from './headers.ts'
import { repeatedSeq } from './repeats.ts'
import { replySubject } from './reply-subject.ts'
import { wireOf } from './wire.ts'

/** What the messages of a partition share. */
export interface InboxMessageContext {
  readonly connection: NatsConnection
  readonly deadLetters: DeadLetters
  /** The subject that an envelope for this address is published on. */
  subjectOf(address: { readonly workflow: string; readonly id: string }): string
  /** The message is settled: nothing of it needs remembering. */
  settled(seq: number): void
}

/** An envelope that the owner of a partition has been told of, until it is settled. */
export class NatsInboxMessage implements InboxMessage {
  readonly content: InboxMessage['content']
  readonly #context: InboxMessageContext
  readonly #replyTo: string | undefined
  /** The newest delivery: acknowledgements of older ones may reach a consumer that no longer is. */
  #msg: JsMsg
  #state: 'held' | 'settled' | 'unburied' = 'held'

  /** @param isBacklog whether it was there before its partition was opened */
  constructor(msg: JsMsg, context: InboxMessageContext, isBacklog: boolean) {
    this.#msg = msg
    this.#context = context
    const headers = headersIn(msg)
    this.#replyTo = replySubject(headers, context.connection.inboxPrefix)
    this.content = readContent(msg, context, {
      isBacklog,
      replyTo: this.#replyTo,
      repeats: repeatedSeq(headers),
    })
  }

  get wire(): Wire {
    return wireOf(this.#msg.data, headersIn(this.#msg))
  }

  /** Takes a repeated delivery of the same envelope. Answers true if its owner must be told again. */
  redelivered(msg: JsMsg): boolean {
    this.#msg = msg
    if (this.#state !== 'unburied') return false
    this.#state = 'held'
    return true
  }

  ack(): void {
    if (this.#state === 'settled') return
    this.#state = 'settled'
    this.#context.settled(this.content.seq)
    this.#msg.ack()
  }

  working(): void {
    if (this.#state !== 'settled') this.#msg.working()
  }

  reply(bytes: Uint8Array): void {
    if (this.#replyTo !== undefined) this.#context.connection.send(this.#replyTo, bytes)
  }

  async deadLetter(code: string, reason: string): Promise<void> {
    const { data, seq, subject } = this.#msg
    try {
      await this.#context.deadLetters.keep({ code, data, reason, seq, subject })
    } catch (error) {
      // Its owner has done with it: when it is delivered again, that is a new chance.
      if (this.#state === 'held') this.#state = 'unburied'
      throw error
    }
    this.ack()
  }
}

/** The envelope in a message that was published on that subject. */
export function readContent(
  { data, seq, subject }: Pick<JsMsg, 'data' | 'seq' | 'subject'>,
  context: Pick<InboxMessageContext, 'subjectOf'>,
  delivered: Partial<Pick<Delivery, 'isBacklog' | 'repeats' | 'replyTo'>> = {},
): InboxMessage['content'] {
  try {
    const envelope = decodeEnvelope(data)
    // Who runs this partition may run no other: an envelope for an instance elsewhere must not get through.
    if (context.subjectOf(envelope.target) === subject) return { envelope, seq, ...delivered }
    const target = formatAddress(envelope.target)
    throw new RuntimeError(
      'ENVELOPE_MALFORMED',
      `the envelope is for ${target} but was published on '${subject}'; publish it on ` +
        `'${context.subjectOf(envelope.target)}'`,
      { fields: { field: 'target', subject, target } },
    )
  } catch (error) {
    return { malformed: error as Error, seq }
  }
}
