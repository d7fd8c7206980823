/**
 * The stream of parked envelopes: what instances that take nothing were sent, each on the subject of its instance.
 *
 * A write says behind which message of its subject it belongs, and is refused when there is another one: so what is
 * parked of an instance stands in the order of the inbox, whatever an owner of old still writes. As one batch only the
 * first needs to say so, as all or none is stored. Reads ask the leader of the stream, as none may be stale: an owner
 * that believed nothing to be parked would let newer envelopes go first.
 */
import type { StoredMsg } from 'nats'
import type { InboxMessage, ParkedMessage, ParkedPlace, Parking } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import { formatAddress, partitionOf } from '../workflow/address.ts'
import { countFitting, isRefused, publishBatch, type BatchMessage } from './batch.ts'
import type { NatsConnection } from './connection.ts'
import { DeadLetters } from './dead-letters.ts'
import { readEntry } from './entry.ts'
import { apiErrorOf, apiErrors, isConflict, translate } from './errors.ts'
import { Headers, type HeaderReader } from './headers.ts'
import { inboxSeqOf, NatsParkedMessage, SEQ_HEADER } from './parked-message.ts'
import { requireFitting } from './payload.ts'
import type { ProvisionedNamespace } from './provision.ts'
import { parseKey } from './subjects.ts'

const fence = 'Nats-Expected-Last-Subject-Sequence'
/** Below this many a batch costs more than single writes. */
const leastTogether = 8
const mostTogether = 400
/** Questions under way at once, at most. */
const widest = 64

export class NatsParking implements Parking {
  readonly #connection: NatsConnection
  readonly #namespace: ProvisionedNamespace
  readonly #deadLetters: DeadLetters
  #takesBatches: boolean

  constructor(connection: NatsConnection, namespace: ProvisionedNamespace) {
    this.#connection = connection
    this.#namespace = namespace
    this.#deadLetters = new DeadLetters(connection, namespace)
    this.#takesBatches = namespace.takesBatches
  }

  async instances(partition: number): Promise<readonly Address[]> {
    const subjects_filter = this.#namespace.subjects.parkedOf(partition)
    const api = `$JS.API.STREAM.INFO.${this.#stream}`
    const found: Address[] = []
    try {
      for (let offset = 0; ;) {
        const info = (await this.#connection.askApi(api, { offset, subjects_filter })) as StreamInfo
        const subjects = Object.keys(info.state.subjects ?? {})
        for (const subject of subjects) {
          const key = parseKey(subject)
          if (key !== undefined) found.push(key.address)
        }
        offset += subjects.length
        if (subjects.length === 0 || offset >= (info.total ?? 0)) return found
      }
    } catch (error) {
      throw translate(error, { what: `see what is parked in partition ${partition}`, subject: api })
    }
  }

  async last(address: Address): Promise<ParkedPlace | undefined> {
    const subject = this.#subjectOf(address)
    try {
      const entry = await readEntry(this.#connection, this.#stream, subject)
      return entry && { position: entry.seq, seq: inboxSeqOf(entry.headers) ?? 0 }
    } catch (error) {
      throw translate(error, { what: `see what is parked of ${formatAddress(address)}`, subject })
    }
  }

  async park(address: Address, messages: readonly InboxMessage[], expected: number): Promise<number> {
    const subject = this.#subjectOf(address)
    const attempted = { what: `park an envelope for ${formatAddress(address)}`, subject }
    const waiting: BatchMessage[] = messages.map(({ content, wire }) => {
      const headers = Headers.of({ [SEQ_HEADER]: String(content.seq) }).withAll(wire.headers)
      return { headers, payload: wire.data, subject }
    })
    let last = expected
    try {
      while (waiting.length > 0) {
        const together = this.#takesBatches ? countFitting(waiting, mostTogether) : 0
        if (together >= leastTogether) {
          const stored = await this.#parkTogether(waiting.slice(0, together), last)
          if (stored !== undefined) {
            last = stored
            waiting.splice(0, together)
            continue
          }
        }
        const { headers, payload } = fenced(waiting[0]!, last)
        requireFitting(this.#connection, attempted, payload, headers)
        last = (await this.#connection.publish(subject, payload, { headers })).seq
        waiting.shift()
      }
      return last
    } catch (error) {
      throw translate(error, attempted)
    }
  }

  async read(address: Address, after: number, limit: number): Promise<readonly ParkedMessage[]> {
    const subject = this.#subjectOf(address)
    const inboxSubject = this.#inboxSubjectOf(address)
    const context = {
      connection: this.#connection,
      deadLetters: this.#deadLetters,
      inboxSubject,
      subjectOf: (target: Address) => this.#inboxSubjectOf(target),
      remove: (position: number) => this.#remove(position),
    }
    try {
      const found = await this.#readFrom(subject, after + 1, limit)
      return found.map(message => new NatsParkedMessage(message, context))
    } catch (error) {
      throw translate(error, { what: `read what is parked of ${formatAddress(address)}`, subject })
    }
  }

  /** Answers the position of the last one; undefined when the server will not have them so. */
  async #parkTogether(batch: readonly BatchMessage[], last: number): Promise<number | undefined> {
    const [first, ...others] = batch
    try {
      const { count, seq } = await publishBatch(this.#connection, [fenced(first!, last), ...others])
      // The leader knows no batches, and took each by itself: in order, so all are stored, save if the first was refused.
      if (count !== batch.length) this.#takesBatches = false
      return seq
    } catch (error) {
      if (!isRefused(error) || isConflict(error)) throw error
      // Too many batches are open, or one of them is too large: singly, only what deserves it fails.
      return undefined
    }
  }

  /**
   * The next messages of the subject. The one at or behind a position can be asked for, and no more than one at a time:
   * so it is asked for behind many positions at once, as most of them stand side by side.
   */
  async #readFrom(subject: string, from: number, limit: number): Promise<readonly FoundMessage[]> {
    const found = new Map<number, FoundMessage>()
    let width = Math.min(8, limit)
    for (let next = from; found.size < limit;) {
      const places = Array.from({ length: width }, (_, index) => next + index)
      const answers = await Promise.all(places.map(position => this.#readNext(subject, position)))
      const before = found.size
      for (const message of answers) if (message !== undefined) found.set(message.position, message)
      const last = answers.at(-1)
      if (last === undefined) break
      next = last.position + 1
      width = Math.min(2 * (found.size - before), widest, Math.max(1, limit - found.size))
    }
    return [...found.values()].toSorted((a, b) => a.position - b.position).slice(0, limit)
  }

  async #readNext(subject: string, position: number): Promise<FoundMessage | undefined> {
    try {
      const query = { seq: position, next_by_subj: subject }
      const message = await this.#connection.jsm.streams.getMessage(this.#stream, query)
      return { data: message.data, headers: headersOf(message), position: message.seq }
    } catch (error) {
      if (apiErrorOf(error) === apiErrors.messageNotFound) return undefined
      throw error
    }
  }

  #remove(position: number): void {
    const api = `$JS.API.STREAM.MSG.DELETE.${this.#stream}`
    this.#connection.askApi(api, { seq: position, no_erase: true }).catch(() => {
      // It is read again when the partition is taken over, and then known to be applied.
    })
  }

  #subjectOf(address: Address): string {
    const { partitions, subjects } = this.#namespace
    return subjects.parked(partitionOf(address, partitions), address)
  }

  #inboxSubjectOf(address: Address): string {
    const { partitions, subjects } = this.#namespace
    return subjects.envelope(partitionOf(address, partitions), address)
  }

  get #stream(): string {
    return this.#namespace.subjects.parkedStream
  }
}

/** It is refused unless it comes right behind that one. */
function fenced(message: BatchMessage, last: number): BatchMessage {
  return { ...message, headers: message.headers.with({ [fence]: String(last) }) }
}

/** None when somebody else has written some that the library refuses to read: then it is malformed, and gets out of the way. */
function headersOf(message: StoredMsg): HeaderReader | undefined {
  try {
    return message.header
  } catch {
    return undefined
  }
}

interface FoundMessage {
  readonly data: Uint8Array
  readonly headers: HeaderReader | undefined
  readonly position: number
}

interface StreamInfo {
  readonly state: { readonly subjects?: Readonly<Record<string, number>> }
  readonly total?: number
}
