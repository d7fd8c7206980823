import { RuntimeError } from '../../actors/errors.ts'
import type { InboxConsumer, InboxListener, InboxMessage } from '../../actors/ports.ts'
import { decodeEnvelope } from '../codec/envelope.ts'
import { formatAddress, partitionOf } from '../workflow/address.ts'
import type { MemoryNamespace } from './namespace.ts'

/** An envelope as it waits in the inbox. */
export interface StoredEnvelope {
  readonly data: Uint8Array
  /** Where the first of the same id stands; undefined when it is the first. */
  readonly repeats?: number | undefined
  readonly replyTo: string | undefined
  readonly seq: number
}

/** So many removed envelopes can be brought back. */
const mostRemoved = 64

/** One partition of the inbox: what is not acknowledged, in order, and the term that is served. */
export class MemoryPartition {
  readonly number: number
  readonly namespace: MemoryNamespace
  /** By sequence, which is the order they came in. */
  readonly #waiting = new Map<number, StoredEnvelope>()
  /** The last of those that waited once, oldest first. */
  readonly #removed: StoredEnvelope[] = []
  #latestTerm = 0
  #consumer: MemoryConsumer | undefined

  constructor(number: number, namespace: MemoryNamespace) {
    this.number = number
    this.namespace = namespace
  }

  add(stored: StoredEnvelope): void {
    this.#waiting.set(stored.seq, stored)
    this.#consumer?.pump()
  }

  /** Envelopes behind that sequence, in order. */
  *after(seq: number): Generator<StoredEnvelope> {
    for (const stored of this.#waiting.values()) if (stored.seq > seq) yield stored
  }

  open(term: number, listener: InboxListener): InboxConsumer {
    if (term < this.#latestTerm) {
      throw new RuntimeError(
        'REVISION_CONFLICT',
        `term ${term} of partition ${this.number} is over: term ${this.#latestTerm} has begun`,
        { fields: { partition: this.number, term } },
      )
    }
    this.#latestTerm = term
    const earlier = this.#consumer
    const last = [...this.#waiting.keys()].at(-1) ?? 0
    this.#consumer = new MemoryConsumer(this, listener, last)
    earlier?.supersede(term)
    this.#consumer.pump()
    return this.#consumer
  }

  /** Removes an envelope, if the consumer that asks still is the one served. */
  remove(seq: number, by: MemoryConsumer): void {
    const stored = this.#waiting.get(seq)
    if (by !== this.#consumer || stored === undefined) return
    this.#waiting.delete(seq)
    this.#removed.push(stored)
    if (this.#removed.length > mostRemoved) this.#removed.shift()
  }

  /** How many envelopes are not acknowledged. */
  get waiting(): number {
    return this.#waiting.size
  }

  has(seq: number): boolean {
    return this.#waiting.has(seq)
  }

  /**
   * Brings back the envelopes removed last, as a server that was killed may. Whoever opens the partition next is told of
   * them.
   */
  bringBack(count: number): void {
    const back = this.#removed.splice(Math.max(0, this.#removed.length - count))
    const all = [...this.#waiting.values(), ...back].toSorted((a, b) => a.seq - b.seq)
    this.#waiting.clear()
    for (const stored of all) this.#waiting.set(stored.seq, stored)
  }
}

class MemoryConsumer implements InboxConsumer {
  readonly #partition: MemoryPartition
  readonly #listener: InboxListener
  readonly #backlog: number
  #isOpen = true
  #isPumping = false
  #lastTold = 0
  #unsettled = 0

  /** @param backlog up to which envelope all were there before */
  constructor(partition: MemoryPartition, listener: InboxListener, backlog: number) {
    this.#partition = partition
    this.#listener = listener
    this.#backlog = backlog
  }

  close(): Promise<void> {
    this.#isOpen = false
    return Promise.resolve()
  }

  /** Tells the listener of what waits, as far as the prefetch allows: later, as a delivery would come. */
  pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    queueMicrotask(() => {
      this.#isPumping = false
      for (const stored of this.#partition.after(this.#lastTold)) {
        if (!this.#isOpen || this.#unsettled >= this.#partition.namespace.prefetch) return
        this.#lastTold = stored.seq
        this.#unsettled += 1
        this.#listener.message(this.#message(stored))
      }
    })
  }

  supersede(term: number): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    const { number } = this.#partition
    const error = new RuntimeError('REVISION_CONFLICT', `term ${term} of partition ${number} has begun`, {
      fields: { partition: number, term },
    })
    queueMicrotask(() => this.#listener.ended(error))
  }

  #message(stored: StoredEnvelope): InboxMessage {
    const { namespace } = this.#partition
    const { replyTo } = stored
    let isSettled = false
    const ack = () => {
      if (isSettled) return
      isSettled = true
      this.#unsettled -= 1
      this.#partition.remove(stored.seq, this)
      this.pump()
    }
    return {
      content: readContent(namespace, this.#partition.number, stored, stored.seq <= this.#backlog),
      wire: { data: stored.data, headers: [] },
      ack,
      working: () => {
        // Nothing is delivered twice within a term here.
      },
      reply: bytes => {
        if (replyTo !== undefined) namespace.reply(replyTo, bytes)
      },
      deadLetter: (code, reason) => {
        namespace.bury(stored, this.#partition.number, code, reason)
        ack()
        return Promise.resolve()
      },
    }
  }
}

/** The envelope in the bytes, if it is of that partition. */
export function readContent(
  { partitions }: MemoryNamespace,
  partition: number,
  { data, repeats, replyTo, seq }: StoredEnvelope,
  isBacklog?: boolean,
): InboxMessage['content'] {
  try {
    const envelope = decodeEnvelope(data)
    if (partitionOf(envelope.target, partitions) === partition) {
      return { envelope, seq, replyTo, repeats, isBacklog }
    }
    const target = formatAddress(envelope.target)
    throw new RuntimeError('ENVELOPE_MALFORMED', `${target} is not of partition ${partition}`, {
      fields: { field: 'target', partition, target },
    })
  } catch (error) {
    return { malformed: error as Error, seq }
  }
}
