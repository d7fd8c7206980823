import type { Address } from '../../actors/address.ts'
import {
  isLetterWanted,
  type DeadLetterList,
  type LetterFilter,
  type LetterOrigin,
  type StoredLetter,
} from '../../actors/dead-letter.ts'
import { RuntimeError } from '../../actors/errors.ts'
import { partitionOf } from '../workflow/address.ts'
import type { NatsConnection } from './connection.ts'
import { apiErrorOf, apiErrors, translate } from './errors.ts'
import type { HeaderReader } from './headers.ts'
import { readContent } from './inbox-message.ts'
import type { Namespace } from './provision.ts'
import { textOf } from './record-headers.ts'
import { scanStream } from './scan.ts'
import { parseKey } from './subjects.ts'
import { withSignal } from './wait.ts'

/** Letters asked for at once: each may be as large as a message can be. */
const batchSize = 100

/** The stream of dead letters, for those who look after it. */
export class NatsDeadLetterList implements DeadLetterList {
  readonly #connection: NatsConnection
  readonly #namespace: Namespace

  constructor(connection: NatsConnection, namespace: Namespace) {
    this.#connection = connection
    this.#namespace = namespace
  }

  async *list(filter: LetterFilter, signal?: AbortSignal): AsyncGenerator<StoredLetter, void, undefined> {
    const { allDeadLetters, deadLetter } = this.#namespace.subjects
    const filters = [filter.code === undefined ? allDeadLetters : deadLetter(filter.code)]
    const { since = 0 } = filter
    const options = { batchSize, every: { since }, filters, headersOnly: false, signal }
    for await (const { msg, place } of scanStream(this.#connection, this.#stream, options)) {
      const { seq, time } = place
      const { data, headers } = msg
      const letter = this.#letter({ data, headers, seq, time })
      if (isLetterWanted(filter, letter)) yield letter
    }
  }

  async get(seq: number, signal?: AbortSignal): Promise<StoredLetter | undefined> {
    signal?.throwIfAborted()
    try {
      const query = this.#connection.jsm.streams.getMessage(this.#stream, { seq })
      const { data, header, time } = await withSignal(query, signal)
      return this.#letter({ data, headers: header, seq, time: time.getTime() })
    } catch (error) {
      if (apiErrorOf(error) === apiErrors.messageNotFound) return undefined
      throw translate(error, { what: `read dead letter ${seq}`, subject: this.#stream })
    }
  }

  async remove(seq: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted()
    const api = `$JS.API.STREAM.MSG.DELETE.${this.#stream}`
    try {
      await withSignal(this.#connection.askApi(api, { seq, no_erase: true }), signal)
      return true
    } catch (error) {
      const number = apiErrorOf(error)
      if (number === apiErrors.sequenceNotFound) return false
      // What the server says of one that the stream has never had, and of a store that failed.
      const isMissing = number === apiErrors.deleteFailed && (await this.get(seq, signal)) === undefined
      if (isMissing) return false
      throw translate(error, { what: `remove dead letter ${seq}`, subject: api })
    }
  }

  #letter(message: {
    readonly data: Uint8Array
    readonly headers: HeaderReader | undefined
    readonly seq: number
    readonly time: number
  }): StoredLetter {
    const { headers, seq, time } = message
    const header = (name: string) => textOf(headers?.get(`Hf-${name}`) ?? '')
    const origin = { stream: header('Stream'), seq: Number(header('Seq')), subject: header('Subject') }
    // Bytes of its own: those of the library belong to all that came in one packet.
    const data = new Uint8Array(message.data)
    const sizeBytes = Number(header('Size')) || data.length
    const isFromInbox = origin.stream === this.#namespace.subjects.inboxStream
    return {
      seq,
      time,
      code: header('Code'),
      reason: header('Reason'),
      origin,
      target: isFromInbox ? parseKey(origin.subject)?.address : undefined,
      content: isFromInbox ? this.#content(origin, data, sizeBytes) : { malformed: notFromInbox(origin) },
      data,
      sizeBytes,
    }
  }

  #content(origin: LetterOrigin, data: Uint8Array, sizeBytes: number): StoredLetter['content'] {
    if (data.length < sizeBytes) return { malformed: notKept(sizeBytes) }
    const { partitions, subjects } = this.#namespace
    const subjectOf = (address: Address) => subjects.envelope(partitionOf(address, partitions), address)
    const content = readContent({ data, ...origin }, { subjectOf })
    return 'malformed' in content ? content : { envelope: content.envelope }
  }

  get #stream(): string {
    return this.#namespace.subjects.deadLetterStream
  }
}

function notFromInbox({ stream }: LetterOrigin): RuntimeError {
  return new RuntimeError(
    'ENVELOPE_MALFORMED',
    `it came from the stream '${stream}', which holds no envelopes`,
    {
      fields: { stream },
    },
  )
}

function notKept(sizeBytes: number): RuntimeError {
  const message = `its ${sizeBytes} bytes were too many to be kept together with the reason`
  return new RuntimeError('PAYLOAD_TOO_LARGE', message, { fields: { sizeBytes } })
}
