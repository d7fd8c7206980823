/**
 * Which node should run which partition. Rendezvous hashing (Thaler and Ravishankar, 1998): of all nodes alive the one
 * with the highest score for the partition. Everyone who knows the same nodes answers the same without asking
 * anybody, and a node that comes or goes moves only the partitions it gets or had. A node that stays away from a
 * partition hands it, and nothing else, to the next in rank.
 *
 * It says who should, not who may: that is what leases and revisions are for.
 */
import { hash32 } from './hash.ts'

/** The partitions that nodes stay away from for a while, by name. */
export type Avoided = ReadonlyMap<string, ReadonlySet<number>>

const nothingAvoided: Avoided = new Map()

/** The partitions, of so many, that the node should run while `names` are alive. */
export function partitionsFor(
  name: string,
  names: readonly string[],
  partitions: number,
  avoided = nothingAvoided,
): ReadonlySet<number> {
  const assigned = new Set<number>()
  for (let partition = 0; partition < partitions; partition++) {
    if (ownerOf(partition, names, avoided) === name) assigned.add(partition)
  }
  return assigned
}

/** The node that should run the partition; undefined when there is none, or all of them stay away from it. */
export function ownerOf(
  partition: number,
  names: readonly string[],
  avoided = nothingAvoided,
): string | undefined {
  let owner: string | undefined
  let highest = -1
  for (const name of names) {
    if (avoided.get(name)?.has(partition) === true) continue
    const score = hash32(`${name} ${partition}`)
    if (score < highest || (score === highest && name > owner!)) continue
    highest = score
    owner = name
  }
  return owner
}
