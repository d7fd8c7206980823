/**
 * How long events wait while partitions change hands: after a node was killed, after it came back under its own name,
 * and while one joins and leaves under load.
 *
 * The nodes are processes of their own, and so is NATS, which syncs every write. Each event that is measured is sent
 * and answered once it is applied. Goals: after a kill the time to live of a lease and 1 s; after a restart 1 s from
 * the moment the program runs; while nodes join and leave 500 ms.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once, setMaxListeners } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { ownerOf } from '../actors/assignment.ts'
import {
  connect,
  partitionOf,
  startServer,
  type Client,
  type InstanceHandle,
  type NodeOptions,
} from '../src/index.ts'
import type { News, Order } from './rebalance-node.ts'

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

interface Settings {
  readonly partitions: number
  readonly rate: number
  readonly rounds: number
  readonly ttl: number
}

interface Figures {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** The time a dead node's partitions stay unserved must show, so it is never waited for in a restart. */
const restartTtlMs = 60_000
const answerTimeout = '120s'

/** A node that was started, and does what it is told. */
class NodeProcess {
  readonly name: string
  readonly #child: ChildProcess
  readonly #ended = new AbortController()

  constructor(options: Omit<NodeOptions, 'workflows'> & { readonly name: string }) {
    this.name = options.name
    const script = join(import.meta.dirname, 'rebalance-node.ts')
    this.#child = fork(script, [JSON.stringify(options)], { execArgv: ['--import', 'tsx'] })
    running.add(this.#child)
    this.#child.once('exit', () => {
      running.delete(this.#child)
      this.#ended.abort()
    })
  }

  async told(wanted: News): Promise<void> {
    const signal = AbortSignal.any([interrupted, this.#ended.signal])
    const [news] = (await once(this.#child, 'message', { signal })) as [News]
    if (news !== wanted) throw new Error(`node ${this.name} is '${news}' instead of '${wanted}'`)
  }

  /** Joins; resolved once it has that many partitions. */
  join(share: number): Promise<void> {
    return this.#order({ type: 'join', share }, 'serving')
  }

  leave(): Promise<void> {
    return this.#order({ type: 'leave' }, 'left')
  }

  async kill(): Promise<void> {
    if (!running.has(this.#child)) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  async #order(order: Order, until: News): Promise<void> {
    const told = this.told(until)
    this.#child.send(order)
    await told
  }
}

const running = new Set<ChildProcess>()
const interruption = new AbortController()
const interrupted = interruption.signal
setMaxListeners(0, interrupted)

interface ClusterOptions extends Omit<NodeOptions, 'workflows' | 'name'> {
  readonly namespace: string
  readonly partitions: number
}

/** A namespace with a node that stays, an instance in every partition, and a client. */
class Cluster implements AsyncDisposable {
  readonly client: Client
  /** By partition. */
  readonly handles: readonly InstanceHandle[]
  readonly #options: ClusterOptions
  readonly #first: NodeProcess

  private constructor(
    client: Client,
    handles: readonly InstanceHandle[],
    options: ClusterOptions,
    first: NodeProcess,
  ) {
    this.client = client
    this.handles = handles
    this.#options = options
    this.#first = first
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const first = new NodeProcess({ ...options, name: 'first' })
    await first.told('up')
    await first.join(options.partitions)
    const client = await connect({ servers: options.servers, namespace: options.namespace })
    const handles = await Promise.all(
      Array.from({ length: options.partitions }, (_, partition) => startIn(client, partition, options)),
    )
    return new Cluster(client, handles, options, first)
  }

  /** Another node, up but not among the others yet. */
  async prepare(name: string): Promise<NodeProcess> {
    const node = new NodeProcess({ ...this.#options, name })
    await node.told('up')
    return node
  }

  /** One instance in each partition that the node has when these two are alive. */
  handlesOf(node: NodeProcess): readonly InstanceHandle[] {
    const names = [this.#first.name, node.name]
    return this.handles.filter((_, partition) => ownerOf(partition, names) === node.name)
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
async function measure(handle: InstanceHandle): Promise<number> {
  const startedAt = performance.now()
  await handle.update({ type: 'ADD' }, { signal: interrupted, timeout: answerTimeout })
  return performance.now() - startedAt
}

/** Kills a node that has half of the partitions; answers how long an event to each of them waited. */
async function takeOver(cluster: Cluster, round: number): Promise<readonly number[]> {
  const victim = await cluster.prepare(`victim-${round}`)
  await victim.join(cluster.handlesOf(victim).length)
  await Promise.all(cluster.handles.map(measure))
  await victim.kill()
  return Promise.all(cluster.handlesOf(victim).map(measure))
}

/** Kills a node and starts it again; answers how long after its program ran again each of its partitions served. */
async function restart(cluster: Cluster, name: string): Promise<readonly number[]> {
  const before = await cluster.prepare(name)
  await before.join(cluster.handlesOf(before).length)
  await before.kill()
  const again = await cluster.prepare(name)
  const joined = again.join(cluster.handlesOf(again).length)
  const times = await Promise.all(cluster.handlesOf(again).map(measure))
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
  waits.quiet.push(...(await during(cluster, rate, () => pause(500))))
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
      const wait = measure(cluster.handles[waits.length % cluster.handles.length]!)
      // Heard of below, unless something else fails first.
      wait.catch(() => undefined)
      waits.push(wait)
    }
  }, everyMs)
  try {
    await pause(250)
    await change()
    await pause(500)
  } finally {
    clearInterval(timer)
  }
  return Promise.all(waits)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    interrupted.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(interrupted.reason as Error)
    })
  })
}

function figuresOf(values: readonly number[]): Figures {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!)
  return { count: values.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}

async function run(server: { readonly url: string }, settings: Settings): Promise<Record<string, Figures>> {
  const { partitions, rate, rounds, ttl } = settings
  const options = { servers: server.url, log: 'error', partitions } as const
  const takeOvers: number[] = []
  const waits: Waits = { quiet: [], joining: [], leaving: [] }
  {
    await using cluster = await Cluster.start({ ...options, leaseTtl: ttl, namespace: 'rebalance' })
    for (let round = 1; round <= rounds; round++) {
      progress(`join and leave, round ${round} of ${rounds}`)
      await joinAndLeave(cluster, round, rate, waits)
    }
    for (let round = 1; round <= rounds; round++) {
      progress(`kill -9, round ${round} of ${rounds}`)
      takeOvers.push(...(await takeOver(cluster, round)))
    }
  }
  const restarts: number[] = []
  await using cluster = await Cluster.start({ ...options, leaseTtl: restartTtlMs, namespace: 'restart' })
  for (let round = 1; round <= rounds; round++) {
    progress(`kill -9 and restart under its own name, round ${round} of ${rounds}`)
    restarts.push(...(await restart(cluster, 'again')))
  }
  return {
    [`killed, a lease lasts ${ttl} ms: event sent at once until applied`]: figuresOf(takeOvers),
    'killed and restarted under its own name: program runs until event applied': figuresOf(restarts),
    'nothing changes: event sent until applied': figuresOf(waits.quiet),
    'a node joins: event sent until applied': figuresOf(waits.joining),
    'a node leaves: event sent until applied': figuresOf(waits.leaving),
  }
}

function readSettings(): (Settings & { readonly json: boolean }) | undefined {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      partitions: { type: 'string', default: '32' },
      rate: { type: 'string', default: '400' },
      rounds: { type: 'string', default: '5' },
      ttl: { type: 'string', default: '2000' },
    },
  })
  if (values.help) return undefined
  const whole = (name: 'partitions' | 'rate' | 'rounds' | 'ttl') => {
    const value = Number(values[name])
    if (Number.isSafeInteger(value) && value > 0) return value
    process.stderr.write(`--${name} must be a whole number above 0; got '${values[name]}'\n`)
    process.exit(2)
  }
  return {
    json: values.json,
    partitions: whole('partitions'),
    rate: whole('rate'),
    rounds: whole('rounds'),
    ttl: whole('ttl'),
  }
}

const settings = readSettings()
if (settings === undefined) {
  process.stdout.write(help)
  process.exit()
}
await using server = await startServer({ path: process.env['HOLDFAST_NATS_SERVER'] })
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => interruption.abort(new Error('interrupted')))
}
try {
  const figures = await run(server, settings)
  const environment = { nats: server.serverVersion, node: process.version, ...settings }
  if (settings.json) {
    process.stdout.write(`${JSON.stringify({ environment, figures })}\n`)
  } else {
    process.stdout.write(
      `${JSON.stringify(environment)}\n${''.padEnd(74)}   count     p50     p99     max (ms)\n`,
    )
    for (const [name, { count, p50, p99, max }] of Object.entries(figures)) {
      const columns = [count, p50, p99, max].map(value => String(value).padStart(7)).join(' ')
      process.stdout.write(`${name.padEnd(74)} ${columns}\n`)
    }
  }
} catch (error) {
  if (!interrupted.aborted) throw error
  process.exitCode = 130
} finally {
  for (const child of running) child.kill('SIGKILL')
}
