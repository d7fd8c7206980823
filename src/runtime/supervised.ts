/** What a node answers who looks at it: the supervision tree as it is now. */
import type {
  SupervisedInstance,
  SupervisedPartition,
  SupervisionQuestion,
} from '../../actors/supervision.ts'
import type { PartitionContext } from '../../actors/supervisors/partition.ts'
import { formatState } from '../../actors/state.ts'
import type { Hosting } from './hosting.ts'
import type { Partition } from './partition.ts'

/** An answer must fit into one message: so many instances are told of a node, however many partitions it has. */
const mostInstances = 1_000
/** Of one partition. */
const [fewest, most] = [10, 200]

/** A partition with its supervisor. */
export interface Supervised {
  /** Undefined unless the node stays away from it. */
  readonly avoidedUntil: number | undefined
  readonly supervisor: { readonly value: unknown; readonly context: PartitionContext }
  /** Undefined while it is not served. */
  readonly partition: Partition | undefined
}

/** The partitions that a node has, should have, or has failed with. */
export function supervisedPartitions(
  all: readonly Supervised[],
  question: SupervisionQuestion,
): readonly SupervisedPartition[] {
  if (question.depth === 'nodes') return []
  const concerned = all.filter(({ partition, supervisor: { context } }) => {
    return partition !== undefined || context.isWanted || context.restarts.count > 0
  })
  const served = concerned.filter(({ partition }) => partition !== undefined).length
  const limit = Math.min(most, Math.max(fewest, Math.floor(mostInstances / Math.max(1, served))))
  return concerned.map(({ avoidedUntil, partition, supervisor: { context, value } }) => {
    const { lease, restarts } = context
    const { children, resident } = partition?.supervised(question, limit) ?? { children: [], resident: 0 }
    const term = partition === undefined ? undefined : lease?.term
    const state = formatState(value)
    return { partition: context.partition, state, term, restarts, avoidedUntil, resident, children }
  })
}

/** Some of the instances in memory, those with activities first. */
export function supervisedInstances(
  hostings: Iterable<Hosting>,
  { depth, workflow }: SupervisionQuestion,
  limit: number,
): Pick<SupervisedPartition, 'children' | 'resident'> {
  const busy: SupervisedInstance[] = []
  const idle: SupervisedInstance[] = []
  let resident = 0
  for (const { address, instance } of hostings) {
    if (workflow !== undefined && address.workflow !== workflow) continue
    resident++
    const group = instance.hasActivities ? busy : idle
    if (depth === 'partitions' || group.length >= limit) continue
    const seen = instance.supervised(depth === 'activities')
    if (seen !== undefined) group.push(seen)
  }
  return { resident, children: [...busy, ...idle].slice(0, limit) }
}
