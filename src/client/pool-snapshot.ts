import type { Address } from '../../actors/address.ts'
import { holderOf, permitsOf, type Pool } from '../../actors/pool.ts'
import type { StoredRecord } from '../../actors/ports.ts'

/** A pool as last committed. */
export interface PoolSnapshot {
  readonly name: string
  /** How many it has, held or not: whoever asked last has said so. */
  readonly permits: number
  /** Who holds some, in the order they got them. */
  readonly held: readonly { readonly address: Address; readonly permits: number }[]
  /** How many requests wait. */
  readonly waiting: number
}

export function toPoolSnapshot({ record }: StoredRecord): PoolSnapshot {
  // Only the machine of pools writes such a record.
  const { permits, held, waiting } = record.snapshot.context as Pool
  return {
    name: record.id,
    permits,
    held: held.map(claim => ({ address: holderOf(claim).address, permits: permitsOf(claim) })),
    waiting: waiting.length,
  }
}
