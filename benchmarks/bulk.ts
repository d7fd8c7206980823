/**
 * A bulk of many children on one node that is killed again and again, and whether the exact set of results comes out.
 *
 * The node is a process of its own, and so is NATS, which syncs every write. The moments of the kills are spread over
 * the work, at random around even distances. In the end every child must have exactly one result, the right one, and
 * none may run.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once, setMaxListeners } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import {
  connect,
  isRuntimeError,
  startServer,
  type Client,
  type InstanceHandle,
  type InstanceSnapshot,
} from '../src/index.ts'
import { randomFrom } from '../test/support/random.ts'
import type { BulkNodeNews, BulkNodeOptions, Squares } from './bulk-node.ts'

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

interface Settings {
  readonly activity: boolean
  readonly children: number
  readonly concurrency: number
  readonly kills: number
  readonly seed: number
}

interface Figures {
  readonly children: number
  readonly kills: number
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

const interruption = new AbortController()
const interrupted = interruption.signal
setMaxListeners(0, interrupted)

/** The node, which is killed and started again under its name. */
class MortalNode implements AsyncDisposable {
  readonly #options: BulkNodeOptions
  #process: ChildProcess | undefined
  #cpuMs = 0
  #cpuMsBefore = 0
  peakBytes = 0

  constructor(options: BulkNodeOptions) {
    this.#options = options
  }

  get cpuMs(): number {
    return this.#cpuMsBefore + this.#cpuMs
  }

  /** Resolved once it serves. */
  async start(): Promise<void> {
    const script = join(import.meta.dirname, 'bulk-node.ts')
    const child = fork(script, [JSON.stringify(this.#options)], { execArgv: ['--import', 'tsx'] })
    this.#process = child
    child.on('message', (news: BulkNodeNews) => {
      this.#cpuMs = news.cpuMs
      this.peakBytes = Math.max(this.peakBytes, news.rssBytes)
    })
    await once(child, 'message', { signal: interrupted })
  }

  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    this.#cpuMsBefore += this.#cpuMs
    this.#cpuMs = 0
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

async function run(servers: string, settings: Settings): Promise<Figures> {
  const { activity, children, concurrency, kills, seed } = settings
  const random = randomFrom(seed)
  const connection = { servers, namespace: 'bulk' }
  const node = { ...connection, leaseTtl: leaseTtlMs, log: 'error', name: 'mortal' } as const
  await using mortal = new MortalNode({ activity, concurrency, failEvery, node })
  await mortal.start()
  await using client = await connect(connection)
  const startedAt = performance.now()
  await client.start('squares', { id: 'all', input: { count: children } })
  const handle = client.instance<Squares>('squares', 'all')
  let withoutNodeMs = 0
  for (let kill = 0; kill < kills; kill++) {
    const moment = Math.floor((children * (kill + 0.1 + 0.8 * random())) / kills)
    if ((await reach(handle, moment, children)) === children) break
    await pause(random() * lookEveryMs)
    const killedAt = performance.now()
    await mortal.kill()
    await mortal.start()
    withoutNodeMs += performance.now() - killedAt
  }
  await reach(handle, children, children)
  const seconds = (performance.now() - startedAt) / 1000
  await check(client, handle, children)
  return {
    children,
    kills,
    seconds: rounded(seconds),
    childrenPerSecond: Math.round(children / seconds),
    secondsWithoutNode: rounded(withoutNodeMs / 1000),
    nodeCpuSeconds: rounded(mortal.cpuMs / 1000),
    peakNodeMiB: Math.round(mortal.peakBytes / 2 ** 20),
  }
}

/** Waits until so many children are over, and answers how many are. */
async function reach(handle: InstanceHandle<Squares>, wanted: number, total: number): Promise<number> {
  for (;;) {
    const snapshot = await look(handle)
    const bulk = snapshot?.activities[0]?.bulk
    const completed = snapshot?.matches('done') === true ? total : (bulk?.completed ?? 0)
    progress(completed, total)
    if (completed >= wanted) return completed
    await pause(lookEveryMs)
  }
}

/** The parent as last committed; undefined also when NATS was too busy to tell. */
async function look(handle: InstanceHandle<Squares>): Promise<InstanceSnapshot<Squares> | undefined> {
  try {
    return await handle.get({ signal: interrupted })
  } catch (error) {
    if (isRuntimeError(error, 'STORE_UNAVAILABLE') && error.retryable) return undefined
    throw error
  }
}

async function check(client: Client, handle: InstanceHandle<Squares>, children: number): Promise<void> {
  const { context } = (await handle.get({ signal: interrupted }))!
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
  for await (const result of client.bulkResults(outcome.results, { signal: interrupted })) {
    const { index, status } = result
    const mustFail = index % failEvery === failEvery - 1
    const isRight = mustFail ? status === 'failed' : status === 'done' && result.output === index * index
    if (!isRight || seen[index] !== 0) throw new Error(`a wrong or second result: ${JSON.stringify(result)}`)
    seen[index] = 1
  }
  const missing = seen.indexOf(0)
  if (missing >= 0) throw new Error(`child ${missing} has no result`)
  const statuses = new Map<string, number>()
  for await (const { status } of client.list({ workflow: 'square' }, { signal: interrupted })) {
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  const isRight = statuses.get('done') === children - failures && (statuses.get('failed') ?? 0) === failures
  if (!isRight || statuses.has('running')) {
    throw new Error(`the children are ${JSON.stringify(Object.fromEntries(statuses))}`)
  }
}

function rounded(seconds: number): number {
  return Math.round(seconds * 10) / 10
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer)
      reject(interrupted.reason as Error)
    }
    const timer = setTimeout(() => {
      interrupted.removeEventListener('abort', abort)
      resolve()
    }, ms)
    if (interrupted.aborted) abort()
    else interrupted.addEventListener('abort', abort)
  })
}

let shownAt = 0

/** One line, rewritten on a terminal. */
function progress(completed: number, total: number): void {
  const isTerminal = process.stderr.isTTY
  const now = performance.now()
  if (now - shownAt < (isTerminal ? 100 : 5000) && completed < total) return
  shownAt = now
  const text = `${completed} of ${total} children are over`
  process.stderr.write(isTerminal ? `\r${text}` : `${text}\n`)
}

function readSettings(): (Settings & { readonly json: boolean }) | undefined {
  const { values } = parseArgs({
    options: {
      activity: { type: 'boolean', default: false },
      children: { type: 'string', default: '10000' },
      concurrency: { type: 'string', default: '100' },
      help: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      kills: { type: 'string', default: '5' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    },
  })
  if (values.help) return undefined
  const { activity, json } = values
  const [children, concurrency, kills, seed] = [
    values.children,
    values.concurrency,
    values.kills,
    values.seed,
  ].map(Number)
  return {
    activity,
    json,
    children: children!,
    concurrency: concurrency!,
    kills: kills!,
    seed: seed!,
  }
}

const settings = readSettings()
if (settings === undefined) {
  process.stdout.write(help)
  process.exit()
}
const { json, ...wanted } = settings
await using server = await startServer({ path: process.env['HOLDFAST_NATS_SERVER'] })
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => interruption.abort(new Error('interrupted')))
}
try {
  const figures = await run(server.url, wanted)
  const environment = { nats: server.serverVersion, node: process.version, ...wanted }
  if (json) {
    process.stdout.write(`${JSON.stringify({ environment, figures })}\n`)
  } else {
    process.stdout.write(`\n${JSON.stringify(environment)}\n`)
    for (const [name, value] of Object.entries(figures)) {
      process.stdout.write(`${name.padEnd(24)} ${String(value).padStart(8)}\n`)
    }
    process.stdout.write('every child has exactly one result, the right one, and none runs\n')
  }
} catch (error) {
  if (!interrupted.aborted) throw error
  process.exitCode = 130
}
