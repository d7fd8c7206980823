/**
 * Supervises a node: one partition supervisor each, started together, stopped together.
 *
 * ```
 *   running ──stop──▶ stopping ──every partition released──▶ stopped
 * ```
 *
 * A partition supervisor that dies of an error is started again (OTP: `one_for_one`, `permanent`).
 */
import { enqueueActions, setup, type ActorRefFrom, type DoneActorEvent, type ErrorActorEvent } from 'xstate'

import { partitionSupervisor } from './partition.ts'

export interface NodeInput {
  /** How many partitions the namespace has. */
  readonly partitions: number
  /** How long a partition waits before it asks again for its lease. */
  readonly retryAfterMs: number
}

export type NodeEvent =
  /** Give everything up in good order. */
  { readonly type: 'stop' } | { readonly type: 'allReleased' } | DoneActorEvent | ErrorActorEvent

const childPrefix = 'partition.'

export const nodeSupervisor = setup({
  types: {
    context: {} as NodeInput,
    input: {} as NodeInput,
    events: {} as NodeEvent,
  },
  actors: { partition: partitionSupervisor },
  actions: {
    startPartitions: enqueueActions(({ context, enqueue }) => {
      for (let partition = 0; partition < context.partitions; partition++) {
        const { retryAfterMs } = context
        enqueue.spawnChild('partition', {
          id: `${childPrefix}${partition}`,
          input: { partition, retryAfterMs },
        })
      }
    }),
    restartPartition: enqueueActions(({ context, event, enqueue }) => {
      if (!('actorId' in event)) return
      const { actorId } = event
      const partition = Number(actorId.slice(childPrefix.length))
      const { retryAfterMs } = context
      enqueue.spawnChild('partition', { id: actorId, input: { partition, retryAfterMs } })
    }),
    releasePartitions: enqueueActions(({ self, enqueue }) => {
      for (const child of partitionsOf(self)) enqueue.sendTo(child, { type: 'release' })
    }),
    countReleased: enqueueActions(({ self, enqueue }) => {
      const isHeld = partitionsOf(self).some(child => child.getSnapshot().status === 'active')
      if (!isHeld) enqueue.raise({ type: 'allReleased' })
    }),
  },
}).createMachine({
  id: 'node',
  context: ({ input }) => input,
  initial: 'running',
  states: {
    running: {
      entry: 'startPartitions',
      on: {
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

/** The partition supervisors of a running node. */
export function partitionsOf(node: {
  getSnapshot(): { readonly children: object }
}): ActorRefFrom<typeof partitionSupervisor>[] {
  return Object.values(node.getSnapshot().children) as ActorRefFrom<typeof partitionSupervisor>[]
}
