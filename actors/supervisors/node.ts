/**
 * Supervises a node: one partition supervisor each, told which of them this node should run.
 *
 * ```
 *   running ──stop──▶ stopping ──every partition released──▶ stopped
 * ```
 *
 * Which partitions a node should run follows from who is alive, by assignment.ts. What is its share now it asks for at
 * once. What is no longer it gives up one by one: taking over costs NATS some milliseconds for each partition, and its
 * events wait meanwhile, while those of the partitions not yet given up do not. A partition supervisor that dies of an
 * error is started again (OTP: `one_for_one`, `permanent`).
 *
 * One that fails too often escalates. The node then stays away from the partition for a while and says so, in its
 * heartbeats, to the others, of which the next in rank takes it. Where there is none, nobody runs it until one that stays
 * away tries again. Whatever escalates, the node itself goes on. Nothing of this is stored: a node that dies stays away
 * from nothing any more, and the others forget what it said together with its heartbeats.
 */
import {
  assign,
  emit,
  enqueueActions,
  setup,
  type ActorRefFrom,
  type DoneActorEvent,
  type ErrorActorEvent,
} from 'xstate'

import { partitionsFor, type Avoided } from '../assignment.ts'
import { partitionSupervisor, type Escalated, type PartitionInput } from './partition.ts'

export interface NodeInput {
  /** What this node is called among the others. */
  readonly name: string
  /** How many partitions the namespace has. */
  readonly partitions: number
  /** How long a partition waits before it asks again for a lease that another node holds. */
  readonly retryAfterMs: number
  /** How long a partition waits after a failure. */
  readonly pauseMs: number
  /** How long all nodes together wait between two partitions that they give up. */
  readonly paceMs: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

interface NodeContext extends NodeInput {
  /** The partitions this node should run. */
  readonly assigned: ReadonlySet<number>
  /** The names of the nodes alive. */
  readonly names: readonly string[]
  /** What the other nodes stay away from. */
  readonly othersAvoid: Avoided
  /** The partitions that this node stays away from, and until when: milliseconds since the epoch. */
  readonly avoided: ReadonlyMap<number, number>
  readonly isStopping: boolean
}

export type NodeEvent =
  /** The names of the nodes alive, and what the others of them stay away from. */
  | { readonly type: 'members'; readonly names: readonly string[]; readonly avoided?: Avoided }
  /** Whoever held the partition has given it up. */
  | { readonly type: 'vacated'; readonly partition: number }
  /** Give everything up in good order. */
  | { readonly type: 'stop' }
  | { readonly type: 'giveUpNext' }
  | { readonly type: 'allReleased' }
  | Escalated
  /** The time to stay away from a partition is over. */
  | { readonly type: 'comeBack'; readonly partition: number }
  | DoneActorEvent
  | ErrorActorEvent

/** What it emits. */
type NodeNews =
  /** It stays away from a partition until then: milliseconds since the epoch. */
  | { readonly type: 'escalated'; readonly partition: number; readonly until: number }
  /** What it stays away from now, and until when. */
  | { readonly type: 'avoidedChanged'; readonly avoided: ReadonlyMap<number, number> }

const childPrefix = 'partition.'

export const nodeSupervisor = setup({
  types: {
    context: {} as NodeContext,
    input: {} as NodeInput,
    events: {} as NodeEvent,
    emitted: {} as NodeNews,
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
    noteMembers: assign(({ event }) => {
      if (event.type !== 'members') return {}
      return { names: event.names, othersAvoid: event.avoided ?? new Map() }
    }),
    assignPartitions: assign(({ context: { avoided, name, names, othersAvoid, partitions } }) => {
      const own = new Set(avoided.keys())
      return { assigned: partitionsFor(name, names, partitions, new Map(othersAvoid).set(name, own)) }
    }),
    stayAway: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'escalated') return
      const { awayMs, partition } = event
      const until = context.now() + awayMs
      enqueue.assign({ avoided: new Map(context.avoided).set(partition, until) })
      enqueue.emit({ type: 'escalated', partition, until })
      enqueue.raise({ type: 'comeBack', partition }, { delay: awayMs, id: `comeBack.${partition}` })
    }),
    comeBack: assign(({ context, event }) => {
      if (event.type !== 'comeBack') return {}
      return { avoided: new Map([...context.avoided].filter(([partition]) => partition !== event.partition)) }
    }),
    tellAvoided: emit(({ context: { avoided } }) => ({ type: 'avoidedChanged' as const, avoided })),
    noteStop: assign({ isStopping: true }),
    askForShare: enqueueActions(({ context, self, enqueue }) => {
      for (const [partition, child] of partitionsOf(self)) {
        if (context.assigned.has(partition)) enqueue.sendTo(child, { type: 'want' })
      }
    }),
    giveUp: enqueueActions(({ context, self, enqueue }) => {
      const { isStopping, names, paceMs } = context
      const others = names.length - 1
      const surplus = surplusOf(self, context)
      const held = surplus.filter(child => child.getSnapshot().hasTag('held'))
      // Nobody waits for what a node gives up that is alone.
      const later = others > 0 ? held.slice(1) : []
      for (const child of surplus) {
        if (!later.includes(child)) enqueue.sendTo(child, { type: isStopping ? 'release' : 'unwant' })
      }
      enqueue.cancel('pace')
      if (later.length === 0) return
      // A node that joins is given partitions by all the others at the same time.
      const delay = isStopping ? paceMs : paceMs * others
      enqueue.raise({ type: 'giveUpNext' }, { delay, id: 'pace' })
    }),
    tellVacated: enqueueActions(({ event, self, enqueue }) => {
      if (event.type !== 'vacated') return
      const child = partitionsOf(self).get(event.partition)
      if (child !== undefined) enqueue.sendTo(child, { type: 'vacated' })
    }),
    countReleased: enqueueActions(({ self, enqueue }) => {
      const isHeld = [...partitionsOf(self).values()].some(isActive)
      if (!isHeld) enqueue.raise({ type: 'allReleased' })
    }),
  },
}).createMachine({
  id: 'node',
  context: ({ input }) => ({
    ...input,
    assigned: new Set(),
    names: [],
    othersAvoid: new Map(),
    avoided: new Map(),
    isStopping: false,
  }),
  initial: 'running',
  states: {
    running: {
      entry: 'startPartitions',
      on: {
        members: { actions: ['noteMembers', 'assignPartitions', 'askForShare', 'giveUp'] },
        escalated: { actions: ['stayAway', 'assignPartitions', 'tellAvoided'] },
        comeBack: { actions: ['comeBack', 'assignPartitions', 'tellAvoided', 'askForShare'] },
        giveUpNext: { actions: 'giveUp' },
        vacated: { actions: 'tellVacated' },
        stop: 'stopping',
        'xstate.error.actor.*': { actions: 'restartPartition' },
      },
    },
    stopping: {
      entry: ['noteStop', 'giveUp'],
      on: {
        giveUpNext: { actions: 'giveUp' },
        'xstate.done.actor.*': { actions: 'countReleased' },
        'xstate.error.actor.*': { actions: 'countReleased' },
        allReleased: 'stopped',
      },
    },
    stopped: { type: 'final' },
  },
})

type PartitionSupervisor = ActorRefFrom<typeof partitionSupervisor>

interface NodeActor {
  getSnapshot(): { readonly children: object }
}

/** The partition supervisors of a running node, by partition. */
export function partitionsOf(node: NodeActor): ReadonlyMap<number, PartitionSupervisor> {
  const children = Object.entries(node.getSnapshot().children) as [string, PartitionSupervisor][]
  return new Map(children.map(([id, child]) => [Number(id.slice(childPrefix.length)), child]))
}

/** The partition supervisors that have yet to be told that this node no longer runs their partition. */
function surplusOf(node: NodeActor, { assigned, isStopping }: NodeContext): readonly PartitionSupervisor[] {
  const surplus: PartitionSupervisor[] = []
  for (const [partition, child] of partitionsOf(node)) {
    const { context } = child.getSnapshot()
    const isTold = isStopping ? context.isStopping : !context.isWanted
    if (isActive(child) && !isTold && (isStopping || !assigned.has(partition))) surplus.push(child)
  }
  return surplus
}

function isActive(child: PartitionSupervisor): boolean {
  return child.getSnapshot().status === 'active'
}

function partitionInput(
  { assigned, now, retryAfterMs, pauseMs }: NodeContext,
  partition: number,
): PartitionInput {
  return { partition, isWanted: assigned.has(partition), retryAfterMs, pauseMs, now }
}
