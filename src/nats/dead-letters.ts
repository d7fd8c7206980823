import { isRuntimeError } from '../../actors/errors.ts'
import type { NatsConnection } from './connection.ts'
import { Headers } from './headers.ts'
import type { Namespace } from './provision.ts'
import { publishOnce, type IdentifiedMessage } from './publish.ts'
import { headerText } from './record-headers.ts'

/** An envelope, or a message for a trigger, that could not be delivered or applied. */
export interface DeadLetter {
  /** Says what was wrong, as error codes do. */
  readonly code: string
  /** The bytes as they came. What NATS does not take beside the reason is left out: `Hf-Size` says how many there were. */
  readonly data: Uint8Array
  /** The same for a person. */
  readonly reason: string
  /** Tells it from others, where its place does not. Default: its place. */
  readonly name?: string
  /** Where it stood in its stream. */
  readonly seq: number
  /** The stream it came from. Default the inbox. */
  readonly stream?: string
  /** Where it was published. */
  readonly subject: string
}

/** The most characters of a reason that are kept. */
const mostReasonCharacters = 1_000

/** Keeps what could not be delivered, with the reason. */
export class DeadLetters {
  readonly #connection: NatsConnection
  readonly #namespace: Namespace

  constructor(connection: NatsConnection, namespace: Namespace) {
    this.#connection = connection
    this.#namespace = namespace
  }

  /**
   * Keeps the letter. Durable once resolved; the same place in a stream is kept once within two minutes.
   *
   * @throws RuntimeError `STORE_UNAVAILABLE`, `PERMISSION_DENIED`
   */
  async keep(letter: DeadLetter): Promise<void> {
    const { code, data, reason, seq, stream = this.#namespace.subjects.inboxStream, subject } = letter
    const { name = `${stream}:${seq}` } = letter
    const headers = Headers.of({
      'Nats-Msg-Id': name,
      'Hf-Code': headerText(code),
      'Hf-Reason': headerText(reason.slice(0, mostReasonCharacters)),
      'Hf-Seq': String(seq),
      'Hf-Size': String(data.length),
      'Hf-Stream': headerText(stream),
      'Hf-Subject': headerText(subject),
    })
    const message = { data, headers, subject: this.#namespace.subjects.deadLetter(code) }
    try {
      await this.#publish(message)
    } catch (error) {
      if (!isRuntimeError(error, 'PAYLOAD_TOO_LARGE')) throw error
      await this.#publish({ ...message, data: new Uint8Array() })
    }
  }

  async #publish(message: IdentifiedMessage): Promise<void> {
    await publishOnce(this.#connection, 'keep a dead letter', message)
  }
}
