import { headersOf, type NatsConnection } from './connection.ts'
import type { Namespace } from './provision.ts'
import { publishOnce } from './publish.ts'
import { headerText } from './record-headers.ts'

/** An envelope that could not be delivered or applied. */
export interface DeadLetter {
  /** Says what was wrong, as error codes do. */
  readonly code: string
  /** The bytes as they came. */
  readonly data: Uint8Array
  /** The same for a person. */
  readonly reason: string
  /** Where it stood in the inbox. */
  readonly seq: number
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
   * Keeps the letter. Durable once resolved; the same place in the inbox is kept once within two minutes.
   *
   * @throws RuntimeError `STORE_UNAVAILABLE`, `PERMISSION_DENIED`
   */
  async keep({ code, data, reason, seq, subject }: DeadLetter): Promise<void> {
    const headers = headersOf({
      'Nats-Msg-Id': String(seq),
      'Hf-Code': headerText(code),
      'Hf-Reason': headerText(reason.slice(0, mostReasonCharacters)),
      'Hf-Seq': String(seq),
      'Hf-Subject': headerText(subject),
    })
    const letter = { data, headers, subject: this.#namespace.subjects.deadLetter(code) }
    await publishOnce(this.#connection, 'keep a dead letter', letter)
  }
}
