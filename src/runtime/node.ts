/**
 * A node: the composition root. It connects, takes partitions and runs the instances in them.
 *
 * Everything above the ports lives here for as long as the process does; everything about instances can be
 * thrown away at any time. The supervisors in `actors/supervisors` decide when a partition is taken, opened,
 * drained and given back; this file does it for them.
 */
import { createActor, fromCallback, fromPromise, toPromise, waitFor, type ActorRefFrom } from 'xstate'

import type { Clock, InboxConsumer, Lease, TimerHandle } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { SupervisedNode, SupervisionQuestion } from '../../actors/supervision.ts'
import { nodeSupervisor, partitionsOf } from '../../actors/supervisors/node.ts'
import {
  partitionSupervisor,
  type PartitionEvent,
  type PartitionWork,
} from '../../actors/supervisors/partition.ts'
import { Client } from '../client/client.ts'
import { createIds } from '../client/ids.ts'
import { openTransport, type Transport } from '../nats/transport.ts'
import { formatAddress, parseAddress, partitionOf } from '../workflow/address.ts'
import { poolsWorkflow } from '../workflow/pool.ts'
import { Activities, type ActivityCounts } from './activities.ts'
import { systemClock } from '../clock.ts'
import { CommitRoom } from './commit-room.ts'
import { Newcomers } from './newcomers.ts'
import { Committer } from './committer.ts'
import { hostWorkflow, type HostedWorkflow } from './hosted-workflow.ts'
import { Membership } from './membership.ts'
import { rootLog, type Log } from './log.ts'
import { PausedWorkflows } from './paused-workflows.ts'
import { resolveNodeOptions, type NodeOptions, type ResolvedNodeOptions } from './options.ts'
import { Partition } from './partition.ts'
import { Recovery } from './recovery.ts'
import { Resting } from './resting.ts'
import { supervisedPartitions } from './supervised.ts'
import { Tenure } from './tenure.ts'
import { holdfastVersion } from './version.ts'
import { Wakeups } from './wakeups.ts'

/**
 * How long to wait before asking again for a lease that another node holds. It is asked for anyway once that node gives
 * it up; this is for leases that expire, and for what was not heard.
 */
const heldRetryMs = 250

/** How long all nodes together wait between two partitions that they give up: how long NATS takes for a take-over. */
const givingUpPaceMs = 20

/** A partition being served. */
interface Serving {
  readonly partition: Partition
  /** Undefined until the inbox is open. */
  consumer: InboxConsumer | undefined
  /** Ends hearing the workers. */
  stopHearing: () => void
}

/** What a node takes from its process. */
export interface NodeSurroundings {
  readonly clock: Clock
  /** Ids that no other process makes. */
  readonly nextId: () => string
}

/** What a node says about itself. */
export interface NodeStatus {
  readonly name: string
  readonly namespace: string
  readonly partitions: { readonly serving: number; readonly total: number }
  /** Instances in memory. */
  readonly resident: number
  readonly activities: ActivityCounts
  /** Attempts of an `activity()` that go on though their signal is aborted: what comes of them is dropped. */
  readonly abandoned: number
}

/**
 * Starts a node. Resolved once it serves its share of the partitions, save what other nodes still hold.
 *
 * @throws RuntimeError `OPTIONS_INVALID`; `CONNECTION_FAILED`, `JETSTREAM_DISABLED`, `PERMISSION_DENIED`,
 * `SERVER_UNSUPPORTED`; `PARTITION_COUNT_MISMATCH`; `NODE_NAME_TAKEN` when another node of that name is alive
 */
export async function createNode(options: NodeOptions): Promise<Node> {
  const nextId = createIds()
  const resolved = resolveNodeOptions(options, nextId().slice(0, 6))
  const log = rootLog(resolved.log).child({ node: resolved.name })
  const transport = await openTransport({
    clock: systemClock,
    connection: resolved.connection,
    leaseTtlMs: resolved.leaseTtlMs,
    namespace: resolved.namespace,
    node: { name: resolved.name, incarnation: nextId() },
    partitions: resolved.partitions,
    replicas: resolved.replicas,
  })
  let node: Node
  try {
    node = new Node(resolved, transport, log, { clock: systemClock, nextId })
  } catch (error) {
    await transport.close()
    throw error
  }
  try {
    await node.start()
    return node
  } catch (error) {
    await node.stop()
    throw error
  }
}

/** A running node. */
export class Node implements AsyncDisposable {
  /** Reads and writes through this node's connection. */
  readonly client: Client
  readonly name: string
  readonly #options: ResolvedNodeOptions
  readonly #transport: Transport
  readonly #log: Log
  readonly #clock: Clock
  readonly #workflows: ReadonlyMap<string, HostedWorkflow>
  readonly #activities: Activities
  readonly #committer: Committer
  readonly #newcomers = new Newcomers()
  readonly #resting: Resting
  readonly #room: CommitRoom
  readonly #recovery: Recovery
  readonly #wakeups: Wakeups
  readonly #supervisor: ActorRefFrom<typeof nodeSupervisor>
  readonly #tenures = new Map<number, Tenure>()
  readonly #serving = new Map<number, Serving>()
  readonly #nextId: () => string
  readonly #membership: Membership
  readonly #paused: PausedWorkflows
  readonly #startedAt: number
  readonly #incarnation: string
  #stopHearingHints = () => {}
  #stopHearingReleases = () => {}
  #stopAnswering = () => {}
  #passivation: TimerHandle | undefined
  #stopping: Promise<void> | undefined

  /** Use {@link createNode}. */
  constructor(
    options: ResolvedNodeOptions,
    transport: Transport,
    log: Log,
    { clock, nextId }: NodeSurroundings,
  ) {
    const { store } = transport
    this.#clock = clock
    this.#nextId = nextId
    this.#startedAt = clock.now()
    this.#incarnation = nextId()
    this.#activities = new Activities(clock, options.activityConcurrency)
    this.name = options.name
    this.#options = options
    this.#transport = transport
    this.#log = log
    this.#workflows = new Map(
      [...options.workflows, poolsWorkflow].map(workflow => [workflow.name, hostWorkflow(workflow)]),
    )
    this.#committer = new Committer(store, this.#clock)
    this.#resting = new Resting({
      afterMs: options.passivateAfterMs,
      most: options.maxResting,
      monotonic: () => clock.monotonic(),
    })
    this.#room = new CommitRoom(store.capacity)
    this.#recovery = new Recovery(store, this.#clock, log)
    this.#wakeups = new Wakeups(this.#clock, key => this.#wake(key))
    this.client = new Client({ ...transport, clock, nextId, close: async () => {} })
    this.#supervisor = createActor(nodeSupervisor.provide({ actors: { partition: this.#provideWork() } }), {
      clock: supervisorClock(clock),
      input: {
        name: options.name,
        partitions: transport.partitions,
        // However many there are, a thousand questions a second are enough.
        retryAfterMs: Math.max(heldRetryMs, transport.partitions),
        pauseMs: transport.leaseTtlMs / 10,
        now: () => clock.now(),
        paceMs: Math.min(givingUpPaceMs, options.drainTimeoutMs / 2 / transport.partitions),
      },
    })
    this.#paused = new PausedWorkflows({
      log,
      pauses: transport.pauses,
      workflows: [...this.#workflows.keys()],
      changed: (paused, goingOn) => this.#holdOrLetGo(paused, goingOn),
    })
    this.#membership = new Membership({
      clock: this.#clock,
      heartbeats: transport.heartbeats,
      log,
      name: options.name,
      ttlMs: transport.leaseTtlMs,
      changed: (names, avoided) => this.#supervisor.send({ type: 'members', names, avoided }),
    })
    this.#supervisor.on('avoidedChanged', ({ avoided }) => {
      this.#membership.avoid([...avoided.keys()])
    })
    this.#supervisor.on('escalated', ({ partition, until }) => {
      log.warn(
        { partition, until: new Date(until) },
        'a partition fails too often here: left to other nodes for a while',
      )
    })
  }

  /**
   * Joins the nodes of the namespace. Resolved once every partition that is this node's share is served, or still held
   * by another node, or has failed for the first time.
   */
  async start(): Promise<void> {
    this.#supervisor.start()
    for (const workflow of this.#options.workflows) await this.#transport.directory.registerWorkflow(workflow)
    await this.#paused.begin()
    this.#passivateLater()
    this.#stopHearingReleases = this.#transport.leases.onReleased(partition =>
      this.#supervisor.send({ type: 'vacated', partition }),
    )
    this.#stopHearingHints = await this.#transport.hints.listen(({ target, isForced }) => {
      const partition = this.#serving.get(this.#partitionOf(target))?.partition
      partition?.hinted(target, isForced ? { force: true } : {})
    })
    this.#stopAnswering = await this.#transport.inspection.answer(this.name, asked => this.#answer(asked))
    await this.#membership.join()
    const partitions = [...partitionsOf(this.#supervisor).values()]
    await Promise.all(partitions.map(partition => waitFor(partition, state => state.hasTag('settled'))))
    this.#log.info({ ...this.status().partitions }, 'serving')
  }

  status(): NodeStatus {
    let resident = 0
    for (const { partition } of this.#serving.values()) resident += partition.resident
    return {
      name: this.name,
      namespace: this.#options.namespace,
      partitions: { serving: this.#serving.size, total: this.#transport.partitions },
      resident,
      activities: this.#activities.counts,
      abandoned: this.#activities.abandoned,
    }
  }

  /**
   * Stops taking envelopes, finishes the turns under way within `drainTimeout`, gives the partitions back and
   * closes the connection. Running activities are aborted; the next owner runs them again. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stop(): Promise<void> {
    this.#log.info({}, 'stopping')
    this.#passivation?.cancel()
    this.#stopHearingHints()
    this.#paused.end()
    this.#stopAnswering()
    this.#stopHearingReleases()
    // The others learn first who takes over, and wait for each partition to be given up.
    await this.#membership.leave()
    const stopped = toPromise(this.#supervisor)
    this.#supervisor.send({ type: 'stop' })
    await stopped
    this.#wakeups.stop()
    await this.#recovery.stop()
    await this.#transport.close()
    this.#log.info({}, 'stopped')
  }

  #answer(question: SupervisionQuestion): SupervisedNode {
    const { abandoned, activities, name, partitions, resident } = this.status()
    const { avoided } = this.#supervisor.getSnapshot().context
    const all = [...partitionsOf(this.#supervisor)].map(([partition, supervisor]) => ({
      avoidedUntil: avoided.get(partition),
      supervisor: supervisor.getSnapshot(),
      partition: this.#serving.get(partition)?.partition,
    }))
    return {
      name,
      incarnation: this.#incarnation,
      version: holdfastVersion(),
      startedAt: this.#startedAt,
      partitions: {
        serving: [...this.#serving.keys()].toSorted((a, b) => a - b),
        avoided: [...avoided.keys()].toSorted((a, b) => a - b),
        total: partitions.total,
      },
      resident,
      activities: { ...activities, abandoned },
      children: supervisedPartitions(all, question),
    }
  }

  #provideWork(): typeof partitionSupervisor {
    return partitionSupervisor.provide({
      actors: {
        acquire: fromPromise<Lease | undefined, { readonly partition: number }>(({ input }) =>
          this.#acquire(input.partition),
        ),
        renew: fromCallback<PartitionEvent, PartitionWork>(({ input, sendBack }) =>
          this.#tenures.get(input.partition)?.keep(() => sendBack({ type: 'leaseLost' })),
        ),
        open: fromPromise<void, PartitionWork>(({ input, self }) => {
          const supervisor = self._parent as ActorRefFrom<typeof partitionSupervisor>
          return this.#open(input, error => supervisor.send({ type: 'failed', error }))
        }),
        drain: fromPromise<void, PartitionWork>(({ input }) => this.#drain(input)),
        forget: fromPromise<void, PartitionWork>(({ input }) => this.#forget(input.partition)),
      },
    })
  }

  async #acquire(partition: number): Promise<Lease | undefined> {
    try {
      const { leases, leaseTtlMs } = this.#transport
      const lease = await leases.acquire(partition)
      if (lease === undefined) return undefined
      const context = { clock: this.#clock, leases, leaseTtlMs, log: this.#log }
      this.#tenures.set(partition, new Tenure(lease, context))
      return lease
    } catch (error) {
      this.#log.warn({ err: error, partition }, 'a lease could not be asked for')
      throw error
    }
  }

  async #open(work: PartitionWork, onFailed: (error: Error) => void): Promise<void> {
    const { partition: number, lease } = work
    const log = this.#log.child({ partition: number })
    const tenure = this.#tenures.get(number)!
    const partition = new Partition({
      number,
      activities: this.#activities,
      blobs: this.#transport.blobs,
      clock: this.#clock,
      committer: this.#committer,
      newcomers: this.#newcomers,
      resting: this.#resting,
      room: this.#room,
      events: this.#transport.events,
      hints: this.#transport.hints,
      inbox: this.#transport.inbox,
      isRegistered: workflow => this.#transport.directory.isRegistered(workflow),
      parking: this.#transport.parking,
      tasks: this.#transport.tasks,
      paused: this.#paused.paused,
      log,
      workflows: this.#workflows,
      nextCommitId: this.#nextId,
      tenure,
      wakeAt: (address, dueAt) => this.#wakeups.set(formatAddress(address), dueAt),
      wakeAtLatest: (address, dueAt) => this.#wakeups.setAtLatest(formatAddress(address), dueAt),
      failed: error => {
        log.warn({ err: error }, 'the partition must be opened anew')
        onFailed(error)
      },
    })
    const serving: Serving = { partition, consumer: undefined, stopHearing: () => {} }
    this.#serving.set(number, serving)
    partition.begin()
    try {
      serving.stopHearing = await this.#transport.beats.listen(number, {
        beat: beat => partition.beat(beat),
        malformed: error => log.warn({ err: error }, 'what a worker has said cannot be understood'),
      })
    } catch (error) {
      log.error({ err: error }, 'the workers of the partition cannot be heard')
      throw error
    }
    try {
      serving.consumer = await this.#transport.inbox.open(number, lease.term, partition)
    } catch (error) {
      serving.stopHearing()
      log.error({ err: error }, 'the inbox of the partition could not be opened')
      throw error
    }
    // The lease may have been lost while the inbox opened, or the partition is being given up.
    if (this.#serving.get(number) !== serving || partition.isEnding) {
      serving.stopHearing()
      await closeQuietly(serving.consumer)
      return
    }
    this.#recovery.request(number, partition)
    log.debug({ term: lease.term }, 'partition opened')
  }

  async #drain(work: PartitionWork): Promise<void> {
    const deadline = new AbortController()
    const timer = this.#clock.setTimer(this.#options.drainTimeoutMs, () => deadline.abort())
    const serving = this.#serving.get(work.partition)
    await closeQuietly(serving?.consumer)
    await serving?.partition.drain(deadline.signal)
    timer.cancel()
    const tenure = this.#tenures.get(work.partition)
    // It was lost and forgotten meanwhile, and may have been taken again since.
    if (tenure?.lease.term !== work.lease.term) return
    this.#drop(work.partition)
    this.#giveUp(work.partition)
    try {
      await this.#transport.leases.release(tenure.lease)
    } catch (error) {
      this.#log.warn({ err: error, partition: work.partition }, 'a lease could not be given back')
    }
  }

  async #forget(partition: number): Promise<void> {
    this.#giveUp(partition)
    const serving = this.#serving.get(partition)
    serving?.partition.abandon()
    this.#drop(partition)
    await closeQuietly(serving?.consumer)
  }

  #giveUp(partition: number): void {
    this.#tenures.get(partition)?.end()
    this.#tenures.delete(partition)
  }

  #drop(partition: number): void {
    this.#serving.get(partition)?.stopHearing()
    this.#serving.delete(partition)
    this.#recovery.cancel(partition)
    this.#wakeups.clear(key => this.#partitionOf(parseAddress(key)) === partition)
  }

  #holdOrLetGo(paused: readonly string[], goingOn: readonly string[]): void {
    for (const [number, { partition }] of this.#serving) {
      for (const workflow of paused) partition.hold(workflow)
      if (goingOn.length === 0) continue
      // It never rejects. What was left alone while it was paused is found by looking once more.
      void partition.letGo(goingOn).then(() => {
        if (this.#serving.get(number)?.partition !== partition) return
        this.#recovery.request(number, { recover: scanned => partition.recover(scanned) })
      })
    }
  }

  #wake(key: string): void {
    const address = parseAddress(key)
    this.#serving.get(this.#partitionOf(address))?.partition.wake(address)
  }

  #partitionOf(address: Address): number {
    return partitionOf(address, this.#transport.partitions)
  }

  #passivateLater(): void {
    this.#passivation = this.#clock.setTimer(this.#options.passivateAfterMs / 2, () => {
      this.#resting.passivate()
      this.#passivateLater()
    })
  }
}

/** What cannot be closed is gone already, and the next owner deletes it. */
async function closeQuietly(consumer: InboxConsumer | undefined): Promise<void> {
  await consumer?.close().catch(() => {})
}

/** The clock as XState wants it for the delays of the supervisors. */
function supervisorClock(clock: Clock): {
  setTimeout(run: () => void, delayMs: number): TimerHandle
  clearTimeout(timer: TimerHandle): void
} {
  return {
    setTimeout: (run, delayMs) => clock.setTimer(delayMs, run),
    clearTimeout: timer => timer.cancel(),
  }
}
