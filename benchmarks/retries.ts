/**
 * Whether retries survive: many instances whose activities fail and wait for their next attempt, on a node that is
 * killed again and again.
 *
 * The node is a process of its own, and so is NATS, which syncs every write. Attempts are limited, so that those due at
 * the same time queue up. Each attempt is written to a file as it begins. After each kill, while nothing runs, what was
 * written is held against the records before and after: no retry may be early, and none may begin a second time unless
 * it ran when the node was killed. In the end every activity must have ended once.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { connect } from '../src/index.ts'
import { randomFrom } from '../test/support/random.ts'
import { Crowd } from './crowd.ts'
import { NodeProcess } from './node-process.ts'
import { ProgressLine } from './progress-line.ts'
import type { Flaky, RetriesNews, RetriesNodeOptions, RetriesOrder } from './retries-node.ts'
import { RetryChecker, type Stored, type StoredById } from './retry-checker.ts'
import { printFigures, runScript, type Surroundings } from './script.ts'
import type { MeasureOrder } from './served-node.ts'
import { readSettings } from './settings.ts'
import { rounded, spreadOf } from './spread.ts'
import { untilSoMany } from './until.ts'

const help = `Kills a node again and again while retries wait, and checks every attempt.

  npm run bench:retries -- [options]

  --instances <n>     each with an activity that fails at first (default 10000)
  --kills <n>         how often the node is killed with SIGKILL (default 5)
  --concurrency <n>   how many attempts run at a time (default 64)
  --partitions <n>    (default 32)
  --seed <n>          chooses the moments of the kills (default: another each time)
  --json              figures as JSON
  --help

HOLDFAST_NATS_SERVER names the nats-server to use.
`

type RetriesNode = NodeProcess<RetriesOrder | MeasureOrder, RetriesNews>

/** A node that is started again under its name must not wait for the lease of the one before. */
const leaseTtlMs = 60_000
const lookEveryMs = 50

const { json, ...settings } = readSettings(help, {
  concurrency: { byDefault: 64 },
  instances: { byDefault: 10_000 },
  kills: { byDefault: 5 },
  partitions: { byDefault: 32 },
  seed: { byDefault: Date.now() % 2 ** 31, least: 0 },
})
/** So long that nearly all of them wait at each kill, and many still do when the node is back. */
const waitMs = Math.max(4_000, 6 * settings.instances)
/** With most of them waiting at each kill. */
const succeedsAt = 2 + Math.ceil(settings.kills / 2)
const progress = new ProgressLine()

async function run(surroundings: Surroundings): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-retries-'))
  try {
    return await runIn(folder, surroundings)
  } finally {
    await rm(folder, { force: true, recursive: true })
  }
}

async function runIn(
  folder: string,
  { servers, interrupted }: Surroundings,
): Promise<Record<string, number>> {
  const { concurrency, instances: count, kills, partitions, seed } = settings
  const random = randomFrom(seed)
  const connection = { servers, namespace: 'retries' }
  const fileOf = (life: number) => join(folder, `${life}`)
  const startNode = (life: number): RetriesNode => {
    const node = { ...connection, leaseTtl: leaseTtlMs, name: 'node', partitions }
    const options = { concurrency, file: fileOf(life), node, succeedsAt, waitMs }
    return new NodeProcess('retries-node', options satisfies RetriesNodeOptions, interrupted)
  }
  const startedAt = performance.now()
  await using first = startNode(0)
  const { at: firstAt } = await first.next('serving')
  await using client = await connect(connection)
  const crowd = new Crowd<Flaky>({ client, count, interrupted, prefix: 'f-', progress, workflow: 'flaky' })
  await crowd.start(index => ({ id: crowd.idOf(index) }))
  const checker = new RetryChecker(waitMs / 2)
  const end = async (life: number, node: RetriesNode, servedAt: number) => {
    await node.kill()
    await checker.check(fileOf(life), servedAt, await readStored(crowd, interrupted))
  }
  let fewestWaits = Infinity
  const interrupt = async (life: number, node: RetriesNode, servedAt: number) => {
    // In its first life all begin; then some are tried again, while most still wait.
    const least = life === 0 ? count : 0
    await reach(node, Math.ceil(least + count * (0.2 + 0.5 * random())), interrupted)
    const before = checker.waits
    await end(life, node, servedAt)
    const waits = checker.waits - before
    progress.say(`kill ${life + 1}: ${waits} retries wait`)
    if (waits === 0) throw new Error('a kill found no retry that waits')
    fewestWaits = Math.min(fewestWaits, waits)
  }
  await interrupt(0, first, firstAt)
  for (let life = 1; life < kills; life++) {
    await using next = startNode(life)
    await interrupt(life, next, (await next.next('serving')).at)
  }
  await using last = startNode(kills)
  const { at: lastAt } = await last.next('serving')
  await crowd.reach('activities have ended', async () => {
    const { counted } = await crowd.tally(({ event }) => event.startsWith('xstate.done.actor.'))
    return counted
  })
  const seconds = (performance.now() - startedAt) / 1000
  await end(kills, last, lastAt)
  if (checker.lateMs.length === 0) throw new Error('every wait was over before a node served again')
  const late = spreadOf(checker.lateMs)
  return {
    attempts: checker.begun,
    attemptsCutShort: checker.cutShort,
    waitsAtKills: checker.waits,
    fewestWaitsAtAKill: fewestWaits,
    waitsThatWentOn: late.count,
    lateP50Ms: late.p50,
    lateP99Ms: late.p99,
    lateMaxMs: late.max,
    seconds: rounded(seconds),
  }
}

/** Waits until the node has begun so many attempts. */
async function reach(node: RetriesNode, wanted: number, signal: AbortSignal): Promise<void> {
  const begun = async () => Math.min((await node.ask({ type: 'count' }, 'counted')).begun, wanted)
  await untilSoMany(wanted, 'attempts have begun', begun, { everyMs: lookEveryMs, progress, signal })
}

/** What the records say of those instances that there are. */
async function readStored(crowd: Crowd<Flaky>, signal: AbortSignal): Promise<StoredById> {
  const stored = new Map<string, Stored>()
  await crowd.check(async handle => {
    const snapshot = await handle.get({ signal })
    if (snapshot === undefined) return
    const { id } = handle.address
    const { activities, context } = snapshot
    const [running] = activities
    const [ended] = context.attempts
    const count = activities.length + context.attempts.length
    if (count !== 1) throw new Error(`${id} has ${count} activities, ended ones included`)
    stored.set(id, {
      attempt: running?.attempt ?? ended!,
      retryAt: running?.retryAt,
      isEnded: running === undefined,
    })
  })
  return stored
}

await runScript({ json, ...settings }, run, figures => {
  const verdict = 'every activity has ended once; no retry was lost, early or doubled'
  return `${printFigures(figures)}${verdict}\n`
})
