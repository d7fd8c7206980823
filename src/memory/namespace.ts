import { RuntimeError } from '../../actors/errors.ts'
import type {
  Clock,
  HeartbeatListener,
  Hint,
  Pause,
  PauseListener,
  PauseScope,
  RecordSummary,
} from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { Beat } from '../../actors/remote-activity.ts'
import type { SupervisedNode, SupervisionQuestion } from '../../actors/supervision.ts'
import type { EventObject } from '../../actors/event.ts'
import { formatAddress, partitionOf } from '../workflow/address.ts'
import { MemoryPartition, type StoredEnvelope } from './partition.ts'
import { MemoryTaskStore } from './tasks.ts'

export interface MemoryNamespaceOptions {
  readonly clock: Clock
  /** Default 10 s. */
  readonly leaseTtlMs?: number | undefined
  /** The largest record or envelope, in bytes. Default 1 MiB. */
  readonly maxPayloadBytes?: number | undefined
  /** How many commits its stores take at a time. Default as many as come. */
  readonly capacity?: number | undefined
  /** Default 32. */
  readonly partitions?: number | undefined
  /** The most envelopes of a partition that are unsettled at a time. Default 256. */
  readonly prefetch?: number | undefined
}

const defaults = Object.freeze({
  capacity: Infinity,
  leaseTtlMs: 10_000,
  maxPayloadBytes: 1_048_576,
  partitions: 32,
  prefetch: 256,
})
const dedupMs = 2 * 60_000

/** A record as it is stored: bytes, so that nothing is shared with whoever wrote or reads it. */
export interface MemoryRecord {
  readonly address: Address
  readonly data: Uint8Array
  readonly partition: number
  readonly revision: number
  /** Undefined when somebody else than a store has written it. */
  readonly summary: RecordSummary | undefined
  /** Milliseconds since the epoch. */
  readonly time: number
}

/** Who holds a partition, and until when. */
export interface MemoryLease {
  readonly expiresAt: number
  readonly incarnation: string
  readonly node: string
  readonly term: number
}

export interface MemoryDeadLetter extends StoredEnvelope {
  readonly code: string
  readonly partition: number
  /** Its place among the dead letters. */
  readonly position: number
  readonly reason: string
  /** Milliseconds since the epoch. */
  readonly time: number
}

export interface MemoryParked extends StoredEnvelope {
  readonly address: Address
  readonly position: number
}

export interface EmittedEvent {
  readonly address: Address
  readonly effectId: string
  readonly event: EventObject
}

/**
 * What a server would keep: the state that the ports in memory share. Several nodes on one namespace behave like
 * several processes on one NATS. Nothing happens by itself but deliveries, in microtasks; time is the clock's.
 */
export class MemoryNamespace {
  readonly clock: Clock
  readonly capacity: number
  readonly leaseTtlMs: number
  readonly maxPayloadBytes: number
  readonly partitions: number
  readonly prefetch: number
  readonly beatListeners = new Set<(beat: Beat) => void>()
  /** By name and owner. */
  readonly blobs = new Map<string, Uint8Array>()
  readonly deadLetters: MemoryDeadLetter[] = []
  readonly events: EmittedEvent[] = []
  /** When each node said last that it is alive, in monotonic milliseconds, and what it stays away from. */
  readonly heartbeats = new Map<string, { readonly at: number; readonly avoided: readonly number[] }>()
  readonly heartbeatListeners = new Set<HeartbeatListener>()
  readonly hintListeners = new Set<(hint: Hint) => void>()
  readonly leases = new Map<number, MemoryLease>()
  /** By address, in order. */
  readonly parked = new Map<string, MemoryParked[]>()
  /** The parked envelopes removed last, oldest first. */
  readonly unparked: MemoryParked[] = []
  readonly pauses = new Map<PauseScope, Pause>()
  readonly pauseListeners = new Set<PauseListener>()
  /** By node, who answers questions to it. */
  readonly answering = new Map<string, (question: SupervisionQuestion) => SupervisedNode>()
  readonly releaseListeners = new Set<(partition: number) => void>()
  /** By address. */
  readonly records = new Map<string, MemoryRecord>()
  readonly tasks = new MemoryTaskStore()
  readonly watchers = new Set<(record: MemoryRecord) => void>()
  readonly #inbox = new Map<number, MemoryPartition>()
  readonly #replies = new Map<string, (bytes: Uint8Array) => void>()
  /** When the ids of the deduplication window came, oldest first. */
  readonly #seen = new Map<string, number>()
  /** Where the envelopes among those stand in the inbox. */
  readonly #places = new Map<string, number>()
  #deadLetterSeq = 0
  #inboxSeq = 0
  #revision = 0

  constructor(options: MemoryNamespaceOptions) {
    this.clock = options.clock
    this.capacity = options.capacity ?? defaults.capacity
    this.leaseTtlMs = options.leaseTtlMs ?? defaults.leaseTtlMs
    this.maxPayloadBytes = options.maxPayloadBytes ?? defaults.maxPayloadBytes
    this.partitions = options.partitions ?? defaults.partitions
    this.prefetch = options.prefetch ?? defaults.prefetch
  }

  /** Numbers every write of the namespace: records and leases. */
  nextRevision(): number {
    this.#revision += 1
    return this.#revision
  }

  /** Puts bytes in the place of a record and tells the watchers. */
  writeRecord(address: Address, data: Uint8Array, summary: RecordSummary | undefined): MemoryRecord {
    const partition = partitionOf(address, this.partitions)
    const stored = {
      address,
      data,
      partition,
      revision: this.nextRevision(),
      summary,
      time: this.clock.now(),
    }
    this.records.set(formatAddress(address), stored)
    for (const watcher of this.watchers) watcher(stored)
    return stored
  }

  /**
   * Puts bytes in the place of a record that still has that revision (0: there is none).
   *
   * @throws RuntimeError `REVISION_CONFLICT`
   */
  replaceRecord(address: Address, data: Uint8Array, summary: RecordSummary, expected: number): MemoryRecord {
    const key = formatAddress(address)
    const found = this.records.get(key)?.revision ?? 0
    if (found !== expected) {
      throw new RuntimeError('REVISION_CONFLICT', `cannot commit ${key}: another write came first`, {
        fields: { expected, found },
      })
    }
    return this.writeRecord(address, data, summary)
  }

  /** The inbox of one partition. */
  inbox(partition: number): MemoryPartition {
    let found = this.#inbox.get(partition)
    if (found === undefined) {
      found = new MemoryPartition(partition, this)
      this.#inbox.set(partition, found)
    }
    return found
  }

  /**
   * Puts bytes into the inbox as any publisher can, well-formed or not. Answers their sequence.
   *
   * @param repeats where the first of the same id stands
   */
  deliver(partition: number, data: Uint8Array, replyTo?: string, repeats?: number): number {
    this.#inboxSeq += 1
    this.inbox(partition).add({ data, repeats, replyTo, seq: this.#inboxSeq })
    return this.#inboxSeq
  }

  /** The same for the bytes of an envelope: once within the deduplication window, save for who waits for an answer. */
  deliverOnce(id: string, partition: number, data: Uint8Array, replyTo?: string): void {
    const key = `envelope ${id}`
    if (this.isNew(key)) this.#places.set(key, this.deliver(partition, data, replyTo))
    else if (replyTo !== undefined) this.deliver(partition, data, replyTo, this.#places.get(key))
  }

  /** Keeps an envelope among the dead letters. */
  bury({ data, replyTo, seq }: StoredEnvelope, partition: number, code: string, reason: string): void {
    this.#deadLetterSeq += 1
    const [position, time] = [this.#deadLetterSeq, this.clock.now()]
    this.deadLetters.push({ code, data, partition, position, reason, replyTo, seq, time })
  }

  /** True the first time an id comes within the deduplication window. */
  isNew(id: string): boolean {
    const now = this.clock.monotonic()
    for (const [seen, at] of this.#seen) {
      if (at > now - dedupMs) break
      this.#seen.delete(seen)
      this.#places.delete(seen)
    }
    if (this.#seen.has(id)) return false
    this.#seen.set(id, now)
    return true
  }

  /** Refuses what is larger than a message may be. */
  requireFitting(what: string, data: Uint8Array): void {
    if (data.length <= this.maxPayloadBytes) return
    const fields = { limitBytes: this.maxPayloadBytes, sizeBytes: data.length }
    throw new RuntimeError(
      'PAYLOAD_TOO_LARGE',
      `cannot ${what}: it has ${fields.sizeBytes} bytes, and ${fields.limitBytes} is the most`,
      { fields },
    )
  }

  /** Hears what is answered to that subject. Answers how to stop that. */
  onReply(subject: string, listener: (bytes: Uint8Array) => void): () => void {
    this.#replies.set(subject, listener)
    return () => this.#replies.delete(subject)
  }

  /** Answers whoever listens to that subject, if anyone does. */
  reply(subject: string, bytes: Uint8Array): void {
    queueMicrotask(() => this.#replies.get(subject)?.(bytes))
  }
}
