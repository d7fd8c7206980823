/**
 * A bulk of many children on one node that is killed again and again, and whether the exact set of results comes out.
 *
 * The node is a process of its own, and so is NATS, which syncs every write. The moments of the kills are spread over
 * the work, at random around even distances. In the end every child must have exactly one result, the right one, and
 * none may run.
 */
import { setTimeout as pause } from 'node:timers/promises'

import {
  connect,
  isRuntimeError,
  type Client,
  type InstanceHandle,
  type InstanceSnapshot,
} from '../src/index.ts'
import { randomFrom } from '../test/support/random.ts'
import type { BulkNodeNews, BulkNodeOptions, Squares } from './bulk-node.ts'
import { NodeProcess } from './node-process.ts'
import { ProgressLine } from './progress-line.ts'
import { printFigures, runScript, type Surroundings } from './script.ts'
import { readSettings } from './settings.ts'
import { rounded } from './spread.ts'
import { untilSoMany } from './until.ts'

const help = `Runs a bulk of many children while its node is killed again and again, and checks every result.

  npm run bulk -- [options]

  --children <n>      (default 10000)
  --kills <n>         how often the node is killed with SIGKILL (default 5)
  --concurrency <n>   how many children run at a time (default 100)
  --activity          each child runs an activity
  --seed <n>          chooses the moments of the kills (default: another each time)
  --json              figures as JSON
  --help

HOLDFAST_NATS_SERVER names the nats-server to use.
`

interface Figures extends Readonly<Record<string, number>> {
  readonly seconds: number
  readonly childrenPerSecond: number
  /** Of the time in which no node ran, and the next one was not serving yet. */
  readonly secondsWithoutNode: number
  /** Processor time of all nodes together. */
  readonly nodeCpuSeconds: number
  readonly peakNodeMiB: number
}

const failEvery = 1000
/** A node that is started again under its name must not wait for the lease of the one before. */
const leaseTtlMs = 60_000
const lookEveryMs = 100

const { json, ...settings } = readSettings(
  help,
  {
    children: { byDefault: 10_000 },
    concurrency: { byDefault: 100 },
    kills: { byDefault: 5, least: 0 },
    seed: { byDefault: Date.now() % 2 ** 31, least: 0 },
  },
  ['activity'],
)
const progress = new ProgressLine()

/** The node, which is killed and started again under its name. */
class MortalNode implements AsyncDisposable {
  readonly #options: BulkNodeOptions
  readonly #interrupted: AbortSignal
  #process: NodeProcess<never, BulkNodeNews> | undefined
  #cpuMs = 0
  #cpuMsBefore = 0
  peakBytes = 0

  constructor(options: BulkNodeOptions, interrupted: AbortSignal) {
    this.#options = options
    this.#interrupted = interrupted
  }

  get cpuMs(): number {
    return this.#cpuMsBefore + this.#cpuMs
  }

  /** Resolved once it serves. */
  async start(): Promise<void> {
    const node = new NodeProcess<never, BulkNodeNews>('bulk-node', this.#options, this.#interrupted)
    this.#process = node
    node.on('taken', ({ cpuMs, rssBytes }) => {
      this.#cpuMs = cpuMs
      this.peakBytes = Math.max(this.peakBytes, rssBytes)
    })
    await node.next('serving')
  }

  async kill(): Promise<void> {
    this.#cpuMsBefore += this.#cpuMs
    this.#cpuMs = 0
    await this.#process?.kill()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

async function run({ servers, interrupted }: Surroundings): Promise<Figures> {
  const { activity, children, concurrency, kills, seed } = settings
  const random = randomFrom(seed)
  const connection = { servers, namespace: 'bulk' }
  const node = { ...connection, leaseTtl: leaseTtlMs, name: 'mortal', partitions: 32 }
  await using mortal = new MortalNode({ activity, concurrency, failEvery, node }, interrupted)
  await mortal.start()
  await using client = await connect(connection)
  const startedAt = performance.now()
  await client.start('squares', { id: 'all', input: { count: children } })
  const handle = client.instance<Squares>('squares', 'all')
  let withoutNodeMs = 0
  for (let kill = 0; kill < kills; kill++) {
    const moment = Math.floor((children * (kill + 0.1 + 0.8 * random())) / kills)
    if ((await reach(handle, moment, interrupted)) === children) break
    await pause(random() * lookEveryMs, undefined, { signal: interrupted })
    const killedAt = performance.now()
    await mortal.kill()
    await mortal.start()
    withoutNodeMs += performance.now() - killedAt
  }
  await reach(handle, children, interrupted)
  const seconds = (performance.now() - startedAt) / 1000
  await check(client, handle, interrupted)
  return {
    seconds: rounded(seconds),
    childrenPerSecond: Math.round(children / seconds),
    secondsWithoutNode: rounded(withoutNodeMs / 1000),
    nodeCpuSeconds: rounded(mortal.cpuMs / 1000),
    peakNodeMiB: Math.round(mortal.peakBytes / 2 ** 20),
  }
}

/**
 * Waits until so many children are over, and answers how many are.
 *
 * @throws Error when two minutes change nothing
 */
function reach(handle: InstanceHandle<Squares>, wanted: number, signal: AbortSignal): Promise<number> {
  const { children: all } = settings
  const look = async () => {
    const snapshot = await lookAt(handle, signal)
    if (snapshot?.matches('done') === true) return all
    return snapshot?.activities[0]?.bulk?.completed ?? 0
  }
  return untilSoMany(wanted, 'children are over', look, { all, everyMs: lookEveryMs, progress, signal })
}

/** The parent as last committed; undefined also when NATS was too busy to tell. */
async function lookAt(
  handle: InstanceHandle<Squares>,
  signal: AbortSignal,
): Promise<InstanceSnapshot<Squares> | undefined> {
  try {
    return await handle.get({ signal })
  } catch (error) {
    if (isRuntimeError(error, 'STORE_UNAVAILABLE') && error.retryable) return undefined
    throw error
  }
}

async function check(client: Client, handle: InstanceHandle<Squares>, signal: AbortSignal): Promise<void> {
  const { children } = settings
  const { context } = (await handle.get({ signal }))!
  const failures = Math.floor(children / failEvery)
  const { outcome } = context
  if (
    outcome?.total !== children ||
    outcome.failed !== failures ||
    outcome.succeeded !== children - failures
  ) {
    throw new Error(`the bulk answered ${JSON.stringify(outcome)}, with ${failures} of ${children} to fail`)
  }
  const seen = new Uint8Array(children)
  for await (const result of client.bulkResults(outcome.results, { signal })) {
    const { index, status } = result
    const mustFail = index % failEvery === failEvery - 1
    const isRight = mustFail ? status === 'failed' : status === 'done' && result.output === index * index
    if (!isRight || seen[index] !== 0) throw new Error(`a wrong or second result: ${JSON.stringify(result)}`)
    seen[index] = 1
  }
  const missing = seen.indexOf(0)
  if (missing >= 0) throw new Error(`child ${missing} has no result`)
  const statuses = new Map<string, number>()
  for await (const { status } of client.list({ workflow: 'square' }, { signal })) {
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  const isRight = statuses.get('done') === children - failures && (statuses.get('failed') ?? 0) === failures
  if (!isRight || statuses.has('running')) {
    throw new Error(`the children are ${JSON.stringify(Object.fromEntries(statuses))}`)
  }
}

await runScript({ json, ...settings }, run, figures => {
  const verdict = `each of ${settings.children} children has exactly one result, the right one, and none runs`
  return `${printFigures(figures)}${verdict}\n`
})
