/**
 * Which node should run which partition. Rendezvous hashing (Thaler and Ravishankar, 1998): of all nodes alive the one
 * with the highest score for the partition. Everyone who knows the same nodes answers the same without asking
 * anybody, and a node that comes or goes moves only the partitions it gets or had.
 *
 * It says who should, not who may: that is what leases and revisions are for.
 */

/** The partitions, of so many, that the node should run while `names` are alive. */
export function partitionsFor(
  name: string,
  names: readonly string[],
  partitions: number,
): ReadonlySet<number> {
  const assigned = new Set<number>()
  for (let partition = 0; partition < partitions; partition++) {
    if (ownerOf(partition, names) === name) assigned.add(partition)
  }
  return assigned
}

/** The node that should run the partition; undefined when there is none. */
export function ownerOf(partition: number, names: readonly string[]): string | undefined {
  let owner: string | undefined
  let highest = -1
  for (const name of names) {
    const score = scoreOf(name, partition)
    if (score < highest || (score === highest && name > owner!)) continue
    highest = score
    owner = name
  }
  return owner
}

/** FNV-1a over the name and the partition, mixed as MurmurHash3 ends: close inputs get far scores. 32 bits. */
function scoreOf(name: string, partition: number): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  }
  hash = Math.imul(hash ^ partition, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
