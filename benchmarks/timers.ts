/**
 * What timers cost while they wait, and how late they fire.
 *
 * The node is a process of its own, and so is NATS, which syncs every write. Idle times are compared with those of the
 * same node and as many instances without timers. Lateness counts from the time that the record promises until the
 * action of the transition runs, which is after its commit. Then the node is killed while timers wait, and started
 * again once all of them are due. Each timer must fire once and none early, and one that is 25 days away not at all:
 * `setTimeout` fires that at once. Goal: waiting timers cost no processor time.
 */
import { setTimeout as pause } from 'node:timers/promises'

import { connect, type Client } from '../src/index.ts'
import { Crowd } from './crowd.ts'
import { NodeProcess } from './node-process.ts'
import { ProgressLine } from './progress-line.ts'
import { printFigures, runScript, type Surroundings } from './script.ts'
import type { Measures } from './served-node.ts'
import { readSettings } from './settings.ts'
import { rounded, spreadOf, type Spread } from './spread.ts'
import type { Timed, TimersNews, TimersOrder } from './timers-node.ts'

const help = `Measures what timers cost while they wait, and how late they fire.

  npm run bench:timers -- [options]

  --timers <n>        how many wait for an hour (default 100000)
  --firing <n>        how many fire: within 9 seconds, then after a kill (default 10000)
  --idle <n>          seconds of idleness that are measured (default 30)
  --partitions <n>    (default 32)
  --json              figures as JSON
  --help

HOLDFAST_NATS_SERVER names the nats-server to use.
`

type TimersNode = NodeProcess<TimersOrder, TimersNews>

const hourMs = 3_600_000
/** Longer than `setTimeout` can wait. */
const distantMs = 25 * 24 * hourMs
const passivateAfterMs = 2_000
/** How long it takes at least to start instances and to look at their timers. */
const leadMs = 5_000
/** Within this time the timers fire whose lateness is measured. */
const spreadMs = 9_000

const { json, ...settings } = readSettings(help, {
  firing: { byDefault: 10_000 },
  idle: { byDefault: 30 },
  partitions: { byDefault: 32 },
  timers: { byDefault: 100_000 },
})
const progress = new ProgressLine()

/** A node, and the client that fills it. */
interface Bench {
  readonly client: Client
  readonly interrupted: AbortSignal
  readonly node: TimersNode
}

/** What the node took in a second of idleness, and what it holds. */
interface Idleness extends Measures {
  readonly cpuMsPerSecond: number
  readonly startsPerSecond: number
}

async function run({ servers, interrupted }: Surroundings): Promise<Record<string, number>> {
  const { firing, partitions, timers } = settings
  const connection = { servers, namespace: 'timers' }
  const options = { ...connection, name: 'node', partitions, passivateAfter: passivateAfterMs }
  await using node: TimersNode = new NodeProcess('timers-node', options, interrupted)
  await node.next('recovered')
  await using client = await connect(connection)
  const bench = { client, interrupted, node }
  const distant = crowdOf(bench, 'distant-', 1)
  await begin(distant, () => Date.now() + distantMs)

  progress.say('instances without timers')
  const plain = await idleWith(bench, crowdOf(bench, 'plain-', timers), Infinity)
  progress.say('instances with a timer an hour away')
  const hourly = crowdOf(bench, 'hourly-', timers)
  const waiting = await idleWith(bench, hourly, Date.now() + hourMs)
  progress.say(
    `a second of idleness takes ${rounded(waiting.cpuMsPerSecond)} ms, without timers ${rounded(plain.cpuMsPerSecond)} ms`,
  )
  progress.say('timers that fire')
  // All are started, then looked for among all there are, maybe three times.
  const readyMs = leadMs + (2000 * firing) / waiting.startsPerSecond + 4 * (await timeToList(hourly))
  const late = await fire(bench, crowdOf(bench, 'soon-', firing), readyMs)
  progress.say('timers that come due while no node runs')
  const missed = crowdOf(bench, 'missed-', firing)
  const dueAt = await arm(missed, Date.now() + readyMs, 1000)
  if (Date.now() > Math.min(...dueAt.values())) throw new Error('the first timer was due before the kill')
  await node.kill()
  await pause(Math.max(...dueAt.values()) - Date.now(), undefined, { signal: interrupted })
  await using again: TimersNode = new NodeProcess('timers-node', options, interrupted)
  const { at: upAt } = await again.next('up')
  const { at: servingAt } = await again.next('serving')
  const firedAt = await hear(again, missed, dueAt)
  const { at: recoveredAt } = await again.next('recovered')
  await check(missed, 1)
  await requireQuiet(again)
  await check(distant, 0)
  await checkWaiting(hourly)
  const after = spreadOf([...firedAt.values()].map(at => at - upAt))
  return {
    startsPerSecond: Math.round(waiting.startsPerSecond),
    idleCpuMsPerSecondWithout: rounded(plain.cpuMsPerSecond),
    idleCpuMsPerSecondWith: rounded(waiting.cpuMsPerSecond),
    heapBytesPerTimer: Math.round(((waiting.heapMiB - plain.heapMiB) * 2 ** 20) / timers),
    withoutMiB: rounded(plain.rssMiB),
    withMiB: rounded(waiting.rssMiB),
    fired: late.count,
    lateP50Ms: late.p50,
    lateP99Ms: late.p99,
    lateMaxMs: late.max,
    missed: after.count,
    restartToServingMs: rounded(servingAt - upAt),
    restartToRecoveredMs: rounded(recoveredAt - upAt),
    missedFiredAfterRestartP50Ms: after.p50,
    missedFiredAfterRestartMaxMs: after.max,
  }
}

function crowdOf({ client, interrupted }: Bench, prefix: string, count: number): Crowd<Timed> {
  return new Crowd({ client, count, interrupted, prefix, progress, workflow: 'timed' })
}

/** Starts instances; answers how many a second. */
function begin(crowd: Crowd<Timed>, dueAt: (index: number) => number): Promise<number> {
  return crowd.start(index => ({ id: crowd.idOf(index), dueAt: dueAt(index) }))
}

/** What the node takes while these instances, too, only wait. */
async function idleWith(bench: Bench, crowd: Crowd<Timed>, dueAt: number): Promise<Idleness> {
  const { interrupted, node } = bench
  const startsPerSecond = await begin(crowd, () => dueAt)
  await crowd.rest(async () => (await measure(node, false)).resident)
  const before = await measure(node, true)
  progress.say(`nothing happens for ${settings.idle} s`)
  await pause(settings.idle * 1000, undefined, { signal: interrupted })
  const after = await measure(node, false)
  return { ...before, cpuMsPerSecond: (after.cpuMs - before.cpuMs) / settings.idle, startsPerSecond }
}

/** Milliseconds. */
async function timeToList(crowd: Crowd<Timed>): Promise<number> {
  const startedAt = performance.now()
  await crowd.list()
  return performance.now() - startedAt
}

/** Timers that fire one after the other; answers how late. */
async function fire({ node }: Bench, crowd: Crowd<Timed>, readyMs: number): Promise<Spread> {
  const dueAt = await arm(crowd, Date.now() + readyMs, spreadMs)
  const firedAt = await hear(node, crowd, dueAt)
  const late = [...firedAt].map(([id, at]) => at - dueAt.get(id)!)
  const early = late.filter(ms => ms < 0)
  if (early.length > 0)
    throw new Error(`${early.length} timers fired early, by up to ${-Math.min(...early)} ms`)
  await check(crowd, 1)
  await requireQuiet(node)
  return spreadOf(late)
}

/** Starts instances whose timers are due from that moment on; answers when, by id, as their records promise it. */
async function arm(
  crowd: Crowd<Timed>,
  fromMs: number,
  withinMs: number,
): Promise<ReadonlyMap<string, number>> {
  await begin(crowd, index => Math.round(fromMs + (withinMs * index) / crowd.count))
  const dueAt = new Map<string, number>()
  await crowd.reach('timers are stored', async () => {
    for (const [id, row] of await crowd.list()) {
      if (row.dueAt === undefined) throw new Error(`the timer of ${id} fired before all were stored`)
      dueAt.set(id, row.dueAt.getTime())
    }
    return dueAt.size
  })
  return dueAt
}

/**
 * Waits until all have fired; answers when each did, by id. After a crash the actions of others may run again, which are
 * of no interest.
 */
async function hear(
  node: TimersNode,
  crowd: Crowd<Timed>,
  dueAt: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, number>> {
  const firedAt = new Map<string, number>()
  await crowd.reach('timers have fired', async () => {
    const { fired } = await node.ask({ type: 'take' }, 'taken')
    for (const [id, at] of fired) {
      if (!dueAt.has(id)) continue
      if (firedAt.has(id)) throw new Error(`the timer of ${id} fired twice`)
      firedAt.set(id, at)
    }
    return firedAt.size
  })
  return firedAt
}

/** All that was to fire has been heard of. */
async function requireQuiet(node: TimersNode): Promise<void> {
  const { fired } = await node.ask({ type: 'take' }, 'taken')
  if (fired.length > 0) throw new Error(`timers fired that had fired before: ${JSON.stringify(fired)}`)
}

/** Each timer has fired so often, as the records say. */
async function check(crowd: Crowd<Timed>, firings: number): Promise<void> {
  await crowd.check(async handle => {
    const snapshot = await handle.get()
    const isRight = snapshot?.context.firings === firings && snapshot.timers.length === 1 - firings
    if (!isRight) throw new Error(`${handle.address.id} fired ${snapshot?.context.firings} times`)
  })
}

async function checkWaiting(crowd: Crowd<Timed>): Promise<void> {
  const rows = [...(await crowd.list()).values()]
  const waiting = rows.filter(({ dueAt }) => dueAt !== undefined)
  if (waiting.length === crowd.count) return
  throw new Error(`${waiting.length} of ${crowd.count} timers still wait`)
}

async function measure(node: TimersNode, gc: boolean): Promise<Measures> {
  return (await node.ask({ type: 'measure', gc }, 'measured')).measures
}

await runScript({ json, ...settings }, run, printFigures)
