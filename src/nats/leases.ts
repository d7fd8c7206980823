/**
 * The right to run a partition: a key that the server forgets when nobody renews it in time.
 *
 * ```
 *              acquire: free, expired, or our own from before
 *   (free) ─────────────────────────────────────────────────────▶ held ──┐ renew: at the revision we wrote last
 *     ▲                                                             │ ◀───┘
 *     └─────────── release, or no renewal for a TTL ────────────────┘
 * ```
 *
 * Every write names the revision it replaces, so of two nodes one fails. The term is the revision of the write that
 * took the lease: revisions of a bucket only rise, also when keys expire in between. A renewal keeps the term in its
 * value, so a lease that says our term is ours. Only the server's clock ends a lease; the holder counts from before it asked for the renewal, on its own
 * monotonic clock, and trusts the lease for less than the TTL. Correctness rests on none of this: a record is
 * fenced by its revision.
 */
import { RuntimeError } from '../../actors/errors.ts'
import type { Lease, Leases } from '../../actors/ports.ts'
import type { NatsConnection } from './connection.ts'
import { isRemoved, readEntry, readEntryNearby } from './entry.ts'
import { isConflict, translate } from './errors.ts'
import { Headers } from './headers.ts'
import type { Namespace, ProvisionedNamespace } from './provision.ts'

export interface NatsLeasesOptions {
  /** Unique for each start of a process: tells a node that restarted from one that runs twice. */
  readonly incarnation: string
  /** How much earlier than the server the holder takes a lease for lost, in ms. Default: a quarter of the TTL. */
  readonly marginMs?: number | undefined
  /** The name of this node, the same after a restart. */
  readonly node: string
}

/** What a lease says, and the revision that says it. */
interface Holding {
  readonly incarnation: string
  readonly node: string
  readonly revision: number
  readonly term: number
}

/**
 * Whether a node has the partition, for those who only look: one that was killed has it until its lease expires.
 *
 * @throws RuntimeError `PERMISSION_DENIED`, `STORE_UNAVAILABLE`; the signal's reason on abort
 */
export async function isHeld(
  connection: NatsConnection,
  { subjects }: Namespace,
  partition: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const subject = subjects.lease(partition)
  try {
    signal?.throwIfAborted()
    const entry = await readEntryNearby(connection, subjects.leaseStream, subject, signal)
    return entry !== undefined && !isRemoved(entry.data.length)
  } catch (error) {
    throw translate(error, { what: `see who has partition ${partition}`, subject })
  }
}

export class NatsLeases implements Leases {
  readonly #connection: NatsConnection
  readonly #namespace: ProvisionedNamespace
  readonly #node: string
  readonly #incarnation: string
  readonly #trustMs: number
  /** Our last write, by partition; absent when its answer was lost. */
  readonly #written = new Map<number, Pick<Holding, 'revision' | 'term'>>()

  constructor(connection: NatsConnection, namespace: ProvisionedNamespace, options: NatsLeasesOptions) {
    this.#connection = connection
    this.#namespace = namespace
    this.#node = options.node
    this.#incarnation = options.incarnation
    const { leaseTtlMs } = namespace
    const marginMs = options.marginMs ?? leaseTtlMs / 4
    if (!(marginMs >= 0 && marginMs < leaseTtlMs)) {
      throw new RuntimeError(
        'OPTIONS_INVALID',
        `marginMs must be from 0 to below ${leaseTtlMs}; got ${marginMs}`,
        {
          fields: { field: 'marginMs', highest: leaseTtlMs, value: marginMs },
        },
      )
    }
    this.#trustMs = leaseTtlMs - marginMs
  }

  async acquire(partition: number): Promise<Lease | undefined> {
    const attempted = { what: `take partition ${partition}`, subject: this.#subject(partition) }
    try {
      const { expected, holder } = await this.#read(partition)
      if (holder !== undefined && holder.node !== this.#node) return undefined
      const startedAt = this.#connection.clock.monotonic()
      const revision = await this.#write(partition, undefined, expected)
      return { partition, term: revision, trustedUntil: startedAt + this.#trustMs }
    } catch (error) {
      if (isConflict(error)) return undefined
      throw translate(error, attempted)
    }
  }

  async renew(lease: Lease): Promise<Lease> {
    const { partition, term } = lease
    const attempted = { what: `renew the lease of partition ${partition}`, subject: this.#subject(partition) }
    try {
      const written = this.#written.get(partition)
      const renewed = written?.term === term ? await this.#renewAt(lease, written.revision) : undefined
      if (renewed !== undefined) return renewed
      // Either somebody else has written, or we have and did not hear of it.
      const { holder } = await this.#read(partition)
      const again = holder?.term === term ? await this.#renewAt(lease, holder.revision) : undefined
      if (again !== undefined) return again
      throw lostTo(lease, holder)
    } catch (error) {
      throw translate(error, attempted)
    }
  }

  async release(lease: Lease): Promise<void> {
    const { partition, term } = lease
    try {
      const written = this.#written.get(partition)
      if (written?.term === term && (await this.#removeAt(partition, written.revision))) return
      // Either somebody else has taken it, or a renewal of ours was stored that we did not hear of.
      let { holder } = await this.#read(partition)
      while (holder?.term === term && !(await this.#removeAt(partition, holder.revision))) {
        ;({ holder } = await this.#read(partition))
      }
    } catch (error) {
      throw translate(error, {
        what: `give up the lease of partition ${partition}`,
        subject: this.#subject(partition),
      })
    }
  }

  onReleased(listener: (partition: number) => void): () => void {
    // A write to a bucket is a message like any other. One that is refused is heard too, and does no harm.
    const subscription = this.#connection.nc.subscribe(this.#namespace.subjects.partitionLeases, {
      callback: (error, msg) => {
        if (error !== null || !isRemoved(msg.data.length)) return
        const partition = Number(msg.subject.slice(msg.subject.lastIndexOf('.') + 1))
        if (Number.isSafeInteger(partition)) listener(partition)
      },
    })
    return () => subscription.unsubscribe()
  }

  /** Undefined when another write came first. */
  async #renewAt(lease: Lease, expected: number): Promise<Lease | undefined> {
    const { partition, term } = lease
    const startedAt = this.#connection.clock.monotonic()
    try {
      await this.#write(partition, term, expected)
    } catch (error) {
      if (isConflict(error)) return undefined
      throw error
    }
    return { partition, term, trustedUntil: startedAt + this.#trustMs }
  }

  /** False when another write came first. */
  async #removeAt(partition: number, revision: number): Promise<boolean> {
    this.#written.delete(partition)
    const headers = Headers.of({
      'KV-Operation': 'DEL',
      'Nats-Expected-Last-Subject-Sequence': String(revision),
    })
    try {
      await this.#connection.publish(this.#subject(partition), new Uint8Array(0), { headers })
      return true
    } catch (error) {
      if (isConflict(error)) return false
      throw error
    }
  }

  /** Writes ourselves as the holder. Without a term this write takes the lease, and its revision is the term. */
  async #write(partition: number, term: number | undefined, expected: number): Promise<number> {
    // Until the answer is there, which revision is ours is unknown.
    this.#written.delete(partition)
    const value = JSON.stringify({ node: this.#node, incarnation: this.#incarnation, ...(term && { term }) })
    const headers = Headers.of({ 'Nats-Expected-Last-Subject-Sequence': String(expected) })
    const { seq } = await this.#connection.publish(
      this.#subject(partition),
      new TextEncoder().encode(value),
      {
        headers,
      },
    )
    this.#written.set(partition, { revision: seq, term: term ?? seq })
    return seq
  }

  /** Who holds the partition, and the revision that a write must replace. */
  async #read(
    partition: number,
  ): Promise<{ readonly expected: number; readonly holder: Holding | undefined }> {
    const { leaseStream } = this.#namespace.subjects
    const entry = await readEntry(this.#connection, leaseStream, this.#subject(partition))
    if (entry === undefined) return { expected: 0, holder: undefined }
    const isFree = isRemoved(entry.data.length)
    return { expected: entry.seq, holder: isFree ? undefined : parseHolding(entry.data, entry.seq) }
  }

  #subject(partition: number): string {
    return this.#namespace.subjects.lease(partition)
  }
}

/** Undefined when the value is none of ours: then nobody holds the partition. */
function parseHolding(data: Uint8Array, revision: number): Holding | undefined {
  try {
    const value = JSON.parse(new TextDecoder().decode(data)) as Partial<Holding> | null
    const { incarnation, node, term = revision } = value ?? {}
    const isHolding = typeof node === 'string' && typeof incarnation === 'string' && typeof term === 'number'
    return isHolding ? { incarnation, node, revision, term } : undefined
  } catch {
    return undefined
  }
}

function lostTo(lease: Lease, holder: Holding | undefined): RuntimeError {
  const by = holder === undefined ? 'it has expired' : `node '${holder.node}' has taken it`
  return new RuntimeError('REVISION_CONFLICT', `the lease of partition ${lease.partition} is lost: ${by}`, {
    fields: { holder: holder?.node, partition: lease.partition, term: lease.term },
  })
}
