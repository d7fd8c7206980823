/**
 * How long events wait while partitions change hands: after a node was killed, after it came back under its own name,
 * and while one joins and leaves under load.
 *
 * The nodes are processes of their own, and so is NATS, which syncs every write. Each event that is measured is sent
 * and answered once it is applied. Goals: after a kill the time to live of a lease and 1 s; after a restart 1 s from
 * the moment the program runs; while nodes join and leave 500 ms.
 */
import { setTimeout as pause } from 'node:timers/promises'

import { ownerOf } from '../actors/assignment.ts'
import { connect, partitionOf, type Client, type InstanceHandle, type NodeOptions } from '../src/index.ts'
import { NodeProcess } from './node-process.ts'
import { ProgressLine } from './progress-line.ts'
import type { News, Order } from './rebalance-node.ts'
import { runScript, type Surroundings } from './script.ts'
import { readSettings } from './settings.ts'
import { printSpreads, spreadOf, type Spread } from './spread.ts'

const help = `Measures how long events wait while partitions change hands.

  npm run bench:rebalance -- [options]

  --rounds <n>        how often each is done: kill, restart, join and leave (default 5)
  --ttl <ms>          how long a lease lasts (default 2000)
  --partitions <n>    (default 32)
  --rate <n>          events a second while nodes join and leave (default 400)
  --json              figures as JSON
  --help

HOLDFAST_NATS_SERVER names the nats-server to use.
`

/** The time a dead node's partitions stay unserved must show, so it is never waited for in a restart. */
const restartTtlMs = 60_000
const answerTimeout = '120s'

const { json, ...settings } = readSettings(help, {
  partitions: { byDefault: 32 },
  rate: { byDefault: 400 },
  rounds: { byDefault: 5 },
  ttl: { byDefault: 2000 },
})
const progress = new ProgressLine()

/** A node that joins and leaves when told to. */
class GuestNode extends NodeProcess<Order, News> {
  readonly name: string

  constructor(options: Omit<NodeOptions, 'workflows'> & { readonly name: string }, interrupted: AbortSignal) {
    super('rebalance-node', options, interrupted)
    this.name = options.name
  }

  /** Joins; resolved once it has that many partitions. */
  async join(share: number): Promise<void> {
    await this.ask({ type: 'join', share }, 'serving')
  }

  async leave(): Promise<void> {
    await this.ask({ type: 'leave' }, 'left')
  }
}

interface ClusterOptions extends Omit<NodeOptions, 'workflows' | 'name'> {
  readonly namespace: string
  readonly partitions: number
}

/** A namespace with a node that stays, an instance in every partition, and a client. */
class Cluster implements AsyncDisposable {
  readonly client: Client
  /** By partition. */
  readonly handles: readonly InstanceHandle[]
  readonly interrupted: AbortSignal
  readonly #options: ClusterOptions
  readonly #first: GuestNode

  private constructor(
    client: Client,
    handles: readonly InstanceHandle[],
    options: ClusterOptions,
    first: GuestNode,
    interrupted: AbortSignal,
  ) {
    this.client = client
    this.handles = handles
    this.interrupted = interrupted
    this.#options = options
    this.#first = first
  }

  static async start(options: ClusterOptions, interrupted: AbortSignal): Promise<Cluster> {
    const first = new GuestNode({ ...options, name: 'first' }, interrupted)
    await first.next('up')
    await first.join(options.partitions)
    const client = await connect({ servers: options.servers, namespace: options.namespace })
    const handles = await Promise.all(
      Array.from({ length: options.partitions }, (_, partition) => startIn(client, partition, options)),
    )
    return new Cluster(client, handles, options, first, interrupted)
  }

  /** Another node, up but not among the others yet. */
  async prepare(name: string): Promise<GuestNode> {
    const node = new GuestNode({ ...this.#options, name }, this.interrupted)
    await node.next('up')
    return node
  }

  /** One instance in each partition that the node has when these two are alive. */
  handlesOf(node: GuestNode): readonly InstanceHandle[] {
    const names = [this.#first.name, node.name]
    return this.handles.filter((_, partition) => ownerOf(partition, names) === node.name)
  }

  /** Sends an event to each and answers how long it took until it was applied. */
  measure(handles: readonly InstanceHandle[]): Promise<readonly number[]> {
    return Promise.all(handles.map(handle => measure(handle, this.interrupted)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]()
    await this.#first.kill()
  }
}

async function startIn(
  client: Client,
  partition: number,
  { partitions }: ClusterOptions,
): Promise<InstanceHandle> {
  let number = 0
  while (partitionOf({ workflow: 'counter', id: `c-${number}` }, partitions) !== partition) number++
  return client.start('counter', { id: `c-${number}`, until: 'accepted', timeout: answerTimeout })
}

/** Sends an event and answers how long it took until it was applied. */
async function measure(handle: InstanceHandle, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now()
  await handle.update({ type: 'ADD' }, { signal, timeout: answerTimeout })
  return performance.now() - startedAt
}

/** Kills a node that has half of the partitions; answers how long an event to each of them waited. */
async function takeOver(cluster: Cluster, round: number): Promise<readonly number[]> {
  const victim = await cluster.prepare(`victim-${round}`)
  await victim.join(cluster.handlesOf(victim).length)
  await cluster.measure(cluster.handles)
  await victim.kill()
  return cluster.measure(cluster.handlesOf(victim))
}

/** Kills a node and starts it again; answers how long after its program ran again each of its partitions served. */
async function restart(cluster: Cluster, name: string): Promise<readonly number[]> {
  const before = await cluster.prepare(name)
  await before.join(cluster.handlesOf(before).length)
  await before.kill()
  const again = await cluster.prepare(name)
  const joined = again.join(cluster.handlesOf(again).length)
  const times = await cluster.measure(cluster.handlesOf(again))
  await joined
  await again.kill()
  return times
}

interface Waits {
  readonly quiet: number[]
  readonly joining: number[]
  readonly leaving: number[]
}

/** A node joins and leaves while events are sent at a steady rate; how long each waited. */
async function joinAndLeave(cluster: Cluster, round: number, rate: number, waits: Waits): Promise<void> {
  const guest = await cluster.prepare(`guest-${round}`)
  const share = cluster.handlesOf(guest).length
  waits.quiet.push(
    ...(await during(cluster, rate, () => pause(500, undefined, { signal: cluster.interrupted }))),
  )
  waits.joining.push(...(await during(cluster, rate, () => guest.join(share))))
  waits.leaving.push(...(await during(cluster, rate, () => guest.leave())))
  await guest.kill()
}

/** Sends at that rate from a little before the change until a little after it, to all partitions in turn. */
async function during(
  cluster: Cluster,
  rate: number,
  change: () => Promise<unknown>,
): Promise<readonly number[]> {
  const waits: Promise<number>[] = []
  const everyMs = 20
  const perTick = Math.max(1, Math.round((rate * everyMs) / 1000))
  const timer = setInterval(() => {
    for (let index = 0; index < perTick; index++) {
      const wait = measure(cluster.handles[waits.length % cluster.handles.length]!, cluster.interrupted)
      // Heard of below, unless something else fails first.
      wait.catch(() => undefined)
      waits.push(wait)
    }
  }, everyMs)
  try {
    await pause(250, undefined, { signal: cluster.interrupted })
    await change()
    await pause(500, undefined, { signal: cluster.interrupted })
  } finally {
    clearInterval(timer)
  }
  return Promise.all(waits)
}

async function run({ servers, interrupted }: Surroundings): Promise<Record<string, Spread>> {
  const { partitions, rate, rounds, ttl } = settings
  const options = { servers, log: 'error', partitions } as const
  const takeOvers: number[] = []
  const waits: Waits = { quiet: [], joining: [], leaving: [] }
  {
    await using cluster = await Cluster.start(
      { ...options, leaseTtl: ttl, namespace: 'rebalance' },
      interrupted,
    )
    for (let round = 1; round <= rounds; round++) {
      progress.say(`join and leave, round ${round} of ${rounds}`)
      await joinAndLeave(cluster, round, rate, waits)
    }
    for (let round = 1; round <= rounds; round++) {
      progress.say(`kill -9, round ${round} of ${rounds}`)
      takeOvers.push(...(await takeOver(cluster, round)))
    }
  }
  const restarts: number[] = []
  const restartOptions = { ...options, leaseTtl: restartTtlMs, namespace: 'restart' }
  await using cluster = await Cluster.start(restartOptions, interrupted)
  for (let round = 1; round <= rounds; round++) {
    progress.say(`kill -9 and restart under its own name, round ${round} of ${rounds}`)
    restarts.push(...(await restart(cluster, 'again')))
  }
  return {
    [`killed, a lease lasts ${ttl} ms: event sent at once until applied`]: spreadOf(takeOvers),
    'killed and restarted under its own name: program runs until event applied': spreadOf(restarts),
    'nothing changes: event sent until applied': spreadOf(waits.quiet),
    'a node joins: event sent until applied': spreadOf(waits.joining),
    'a node leaves: event sent until applied': spreadOf(waits.leaving),
  }
}

await runScript({ json, ...settings }, run, printSpreads)
