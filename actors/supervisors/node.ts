/**
 * Supervises a node: one partition supervisor each, told which of them this node should run.
 *
 * ```
 *   running ──stop──▶ stopping ──every partition released──▶ stopped
 * ```
 *
 * Which partitions a node should run follows from who is alive, by assignment.ts. A partition supervisor that dies of an
 * error is started again (OTP: `one_for_one`, `permanent`).
 */
import {
  assign,
  enqueueActions,
  setup,
  type ActorRefFrom,
  type DoneActorEvent,
  type ErrorActorEvent,
} from 'xstate'

import { partitionsFor } from '../assignment.ts'
import { partitionSupervisor } from './partition.ts'

export interface NodeInput {
  /** What this node is called among the others. */
  readonly name: string
  /** How many partitions the namespace has. */
  readonly partitions: number
  /** How long a partition waits before it asks again for a lease that another node holds. */
  readonly retryAfterMs: number
  /** How long a partition waits after a failure. */
  readonly pauseMs: number
}

interface NodeContext extends NodeInput {
  /** The partitions this node should run. */
  readonly assigned: ReadonlySet<number>
}

export type NodeEvent =
  /** The names of the nodes alive. */
  | { readonly type: 'members'; readonly names: readonly string[] }
  /** Whoever held the partition has given it up. */
  | { readonly type: 'vacated'; readonly partition: number }
  /** Give everything up in good order. */
  | { readonly type: 'stop' }
  | { readonly type: 'allReleased' }
  | DoneActorEvent
  | ErrorActorEvent

const childPrefix = 'partition.'

export const nodeSupervisor = setup({
  types: {
    context: {} as NodeContext,
    input: {} as NodeInput,
    events: {} as NodeEvent,
  },
  actors: { partition: partitionSupervisor },
  actions: {
    startPartitions: enqueueActions(({ context, enqueue }) => {
      for (let partition = 0; partition < context.partitions; partition++) {
        enqueue.spawnChild('partition', {
          id: `${childPrefix}${partition}`,
          input: partitionInput(context, partition),
        })
      }
    }),
    restartPartition: enqueueActions(({ context, event, enqueue }) => {
      if (!('actorId' in event)) return
      const partition = Number(event.actorId.slice(childPrefix.length))
      enqueue.spawnChild('partition', { id: event.actorId, input: partitionInput(context, partition) })
    }),
    assignPartitions: assign({
      assigned: ({ context, event }) =>
        event.type === 'members'
          ? partitionsFor(context.name, event.names, context.partitions)
          : context.assigned,
    }),
    tellPartitions: enqueueActions(({ context, self, enqueue }) => {
      for (const [partition, child] of partitionsOf(self)) {
        enqueue.sendTo(child, { type: context.assigned.has(partition) ? 'want' : 'unwant' })
      }
    }),
    tellVacated: enqueueActions(({ event, self, enqueue }) => {
      if (event.type !== 'vacated') return
      const child = partitionsOf(self).get(event.partition)
      if (child !== undefined) enqueue.sendTo(child, { type: 'vacated' })
    }),
    releasePartitions: enqueueActions(({ self, enqueue }) => {
      for (const child of partitionsOf(self).values()) enqueue.sendTo(child, { type: 'release' })
    }),
    countReleased: enqueueActions(({ self, enqueue }) => {
      const isHeld = [...partitionsOf(self).values()].some(isActive)
      if (!isHeld) enqueue.raise({ type: 'allReleased' })
    }),
  },
}).createMachine({
  id: 'node',
  context: ({ input }) => ({ ...input, assigned: new Set() }),
  initial: 'running',
  states: {
    running: {
      entry: 'startPartitions',
      on: {
        members: { actions: ['assignPartitions', 'tellPartitions'] },
        vacated: { actions: 'tellVacated' },
        stop: 'stopping',
        'xstate.error.actor.*': { actions: 'restartPartition' },
      },
    },
    stopping: {
      entry: 'releasePartitions',
      on: {
        'xstate.done.actor.*': { actions: 'countReleased' },
        'xstate.error.actor.*': { actions: 'countReleased' },
        allReleased: 'stopped',
      },
    },
    stopped: { type: 'final' },
  },
})

type PartitionSupervisor = ActorRefFrom<typeof partitionSupervisor>

/** The partition supervisors of a running node, by partition. */
export function partitionsOf(node: {
  getSnapshot(): { readonly children: object }
}): ReadonlyMap<number, PartitionSupervisor> {
  const children = Object.entries(node.getSnapshot().children) as [string, PartitionSupervisor][]
  return new Map(children.map(([id, child]) => [Number(id.slice(childPrefix.length)), child]))
}

function isActive(child: PartitionSupervisor): boolean {
  return child.getSnapshot().status === 'active'
}

function partitionInput(
  { assigned, retryAfterMs, pauseMs }: NodeContext,
  partition: number,
): { partition: number; isWanted: boolean; retryAfterMs: number; pauseMs: number } {
  return { partition, isWanted: assigned.has(partition), retryAfterMs, pauseMs }
}
