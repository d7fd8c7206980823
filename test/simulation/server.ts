import type { Envelope } from '../../actors/envelope.ts'
import { MemoryNamespace, type MemoryNamespaceOptions } from '../../src/memory/namespace.ts'
import { MemoryParking } from '../../src/memory/parking.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { formatAddress, partitionOf } from '../../src/workflow/address.ts'

interface Stored {
  readonly partition: number
  readonly seq: number
  /** How many envelopes that it remembers its instance had been sent when it came first, it included. */
  readonly count: number
  readonly at: number
  isForgotten: boolean
}

/** How well the server knows what it was sent. */
export interface Memory {
  /** How long it knows the id of an envelope. */
  readonly rememberMs: number
  /** An envelope is stored that may come again much later. */
  stored(again: () => void): void
}

/**
 * So many envelopes a record remembers: an id that the server has forgotten is recognised if it is among them. What
 * another instance or an ordered source sends is recognised for ever.
 */
const remembered = 8

/** The server: what it keeps, and what it forgets when it is killed. */
export class SimServer {
  readonly namespace: MemoryNamespace
  /** The envelopes of the deduplication window, by id. */
  readonly #stored = new Map<string, Stored>()
  readonly #memory: Memory
  /** How many envelopes each instance has been sent of which it remembers the ids. */
  readonly #counts = new Map<string, number>()

  /** Positions of parked envelopes that were removed and have come back: nobody need notice for now. */
  readonly #back = new Set<number>()

  constructor(options: MemoryNamespaceOptions, memory: Memory) {
    this.namespace = new MemoryNamespace(options)
    this.#memory = memory
  }

  /**
   * Encodes an envelope at once; answers what stores it, once, when it arrives. That answers where the first of its id
   * stands when it is not stored for that.
   */
  envelope(envelope: Envelope, replyTo: string | undefined): () => number | undefined {
    const data = encodeEnvelope(envelope)
    const partition = partitionOf(envelope.target, this.namespace.partitions)
    const target = formatAddress(envelope.target)
    const isBare = isKnownByIdAlone(envelope)
    const { clock } = this.namespace
    const store = () => {
      const before = this.#counts.get(target) ?? 0
      const stored = this.#stored.get(envelope.id)
      const at = clock.monotonic()
      if (stored !== undefined) {
        const isForgotten = stored.isForgotten || at - stored.at > this.#memory.rememberMs
        if (!isForgotten || (isBare && before - stored.count >= remembered)) return stored.seq
      }
      const count = isRemembered(envelope) ? before + 1 : before
      this.#counts.set(target, count)
      const seq = this.namespace.deliver(partition, data, replyTo)
      // That it has come again is in no record.
      const first = stored?.count ?? count
      this.#stored.set(envelope.id, { partition, seq, count: first, at, isForgotten: false })
      if (!isBare) this.#memory.stored(store)
      return undefined
    }
    return store
  }

  /** The same for one that was not stored because of its id, and whose sender waits. */
  again(envelope: Envelope, replyTo: string, first: number): () => void {
    const data = encodeEnvelope(envelope)
    const partition = partitionOf(envelope.target, this.namespace.partitions)
    const target = formatAddress(envelope.target)
    let isStored = false
    return () => {
      if (isStored) return
      isStored = true
      // It may be applied, if the first was not.
      this.#counts.set(target, (this.#counts.get(target) ?? 0) + 1)
      this.namespace.deliver(partition, data, replyTo, first)
    }
  }

  /** Inbox sequences of what is parked, save what has only come back. */
  get parked(): readonly number[] {
    const parked = [...this.namespace.parked.values()].flat()
    return parked.filter(({ position }) => !this.#back.has(position)).map(({ seq }) => seq)
  }

  /** How many envelopes are not acknowledged. */
  get waiting(): number {
    let waiting = 0
    for (let partition = 0; partition < this.namespace.partitions; partition++) {
      waiting += this.namespace.inbox(partition).waiting
    }
    return waiting
  }

  /**
   * Is killed and starts again: the ids of envelopes that were removed are forgotten, and the last of those
   * envelopes may be back (research/nats.md, point 6).
   */
  restart(backInEachPartition: number): void {
    for (const stored of this.#stored.values()) {
      if (!this.namespace.inbox(stored.partition).has(stored.seq)) stored.isForgotten = true
    }
    for (let partition = 0; partition < this.namespace.partitions; partition++) {
      this.namespace.inbox(partition).bringBack(backInEachPartition)
    }
    const back = new MemoryParking(this.namespace).bringBack(backInEachPartition)
    for (const { position } of back) this.#back.add(position)
  }
}

/** Whether its instance remembers its id. */
function isRemembered({ source, type }: Envelope): boolean {
  return source === undefined && type !== 'settle'
}

/** Whether it changes more when it comes again after its id is forgotten. */
function isKnownByIdAlone(envelope: Envelope): boolean {
  const { type } = envelope
  if (!isRemembered(envelope)) return false
  return type === 'send' || type === 'retry' || type === 'skip' || type === 'fail'
}
