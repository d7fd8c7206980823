import { RuntimeError } from '../../actors/errors.ts'
import type { Lease, Leases } from '../../actors/ports.ts'
import type { MemoryLease, MemoryNamespace } from './namespace.ts'

export interface MemoryLeasesOptions {
  readonly incarnation: string
  /** How much earlier the holder takes a lease for lost, in milliseconds. Default: a quarter of the time it lasts. */
  readonly marginMs?: number | undefined
  readonly node: string
}

/** The leases in memory, as one node sees them. */
export class MemoryLeases implements Leases {
  readonly #namespace: MemoryNamespace
  readonly #node: string
  readonly #incarnation: string
  readonly #trustMs: number

  constructor(namespace: MemoryNamespace, options: MemoryLeasesOptions) {
    this.#namespace = namespace
    this.#node = options.node
    this.#incarnation = options.incarnation
    this.#trustMs = namespace.leaseTtlMs - (options.marginMs ?? namespace.leaseTtlMs / 4)
  }

  async acquire(partition: number): Promise<Lease | undefined> {
    const holder = this.#holder(partition)
    if (holder !== undefined && holder.node !== this.#node) return undefined
    return this.#write(partition, this.#namespace.nextRevision())
  }

  async renew(lease: Lease): Promise<Lease> {
    const holder = this.#holder(lease.partition)
    if (holder?.term === lease.term) return this.#write(lease.partition, lease.term)
    const by = holder === undefined ? 'it has expired' : `node '${holder.node}' has taken it`
    throw new RuntimeError('REVISION_CONFLICT', `the lease of partition ${lease.partition} is lost: ${by}`, {
      fields: { holder: holder?.node, partition: lease.partition, term: lease.term },
    })
  }

  async release(lease: Lease): Promise<void> {
    const { partition, term } = lease
    if (this.#holder(partition)?.term !== term) return
    this.#namespace.leases.delete(partition)
    const { releaseListeners } = this.#namespace
    for (const listener of releaseListeners) {
      queueMicrotask(() => {
        if (releaseListeners.has(listener)) listener(partition)
      })
    }
  }

  onReleased(listener: (partition: number) => void): () => void {
    this.#namespace.releaseListeners.add(listener)
    return () => this.#namespace.releaseListeners.delete(listener)
  }

  #holder(partition: number): MemoryLease | undefined {
    const found = this.#namespace.leases.get(partition)
    return found !== undefined && found.expiresAt > this.#namespace.clock.monotonic() ? found : undefined
  }

  #write(partition: number, term: number): Lease {
    const now = this.#namespace.clock.monotonic()
    this.#namespace.leases.set(partition, {
      expiresAt: now + this.#namespace.leaseTtlMs,
      incarnation: this.#incarnation,
      node: this.#node,
      term,
    })
    return { partition, term, trustedUntil: now + this.#trustMs }
  }
}
