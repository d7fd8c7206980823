/**
 * How soon work stops that is cancelled: many instances, each in the middle of an activity, cancelled some at a time.
 *
 * The node is a process of its own, and so is the worker, if one does the activities, and NATS, which syncs every write. Times count from each call of `cancel` to the
 * abort that its activity sees, by the clock that both processes share. Before, nothing is done for a while: reads that
 * running activities cause by themselves would be counted. Goal: 99 of 100 see it within 100 ms, and no reads.
 */
import { connect as connectLibrary } from 'nats'
import { setTimeout as pause } from 'node:timers/promises'

import { connect } from '../src/index.ts'
import type { Worker } from './cancel-node.ts'
import { Crowd } from './crowd.ts'
import type { CancelNews, CancelOrder } from './endless-work.ts'
import { inLanes } from './lanes.ts'
import { NodeProcess } from './node-process.ts'
import { ProgressLine } from './progress-line.ts'
import { printFigures, runScript, type Surroundings } from './script.ts'
import { preciseNow, type MeasureOrder } from './served-node.ts'
import { readSettings } from './settings.ts'
import { rounded, spreadOf } from './spread.ts'

const help = `Measures how soon activities that run are aborted once they are cancelled.

  npm run bench:cancel -- [options]

  --remote            a worker in another process does the activities
  --instances <n>     each in the middle of an activity (default 10000; 1000 with --remote)
  --window <n>        cancels on their way at a time (default 32)
  --idle <ms>         how long reads are counted while nothing happens (default 5000)
  --partitions <n>    (default 32)
  --json              figures as JSON
  --help

HOLDFAST_NATS_SERVER names the nats-server to use.
`

const { json, ...settings } = readSettings(
  help,
  {
    instances: { byDefault: process.argv.includes('--remote') ? 1_000 : 10_000 },
    window: { byDefault: 32 },
    idle: { byDefault: 5_000 },
    partitions: { byDefault: 32 },
  },
  ['remote'],
)
const progress = new ProgressLine()

async function run({ servers, interrupted }: Surroundings): Promise<Record<string, number>> {
  const { idle, instances: count, partitions, remote: isRemote, window } = settings
  const connection = { servers, namespace: 'cancel' }
  const options = { ...connection, name: 'node', partitions, isRemote }
  await using node: NodeProcess<CancelOrder | MeasureOrder, CancelNews> = new NodeProcess(
    'cancel-node',
    options,
    interrupted,
  )
  await node.next('serving')
  await using worker: NodeProcess<CancelOrder, CancelNews> | undefined = isRemote
    ? new NodeProcess('cancel-worker', { ...connection, concurrency: count }, interrupted)
    : undefined
  await worker?.next('serving')
  const doer = worker ?? node
  await using client = await connect(connection)
  const crowd = new Crowd<Worker>({ client, count, interrupted, prefix: 'w-', progress, workflow: 'worker' })
  await crowd.start(index => index)
  await crowd.reach('activities run', async () => (await doer.ask({ type: 'count' }, 'counted')).running)

  const reads = await countReads(servers)
  await pause(idle, undefined, { signal: interrupted })
  const idleReads = reads.soFar()
  progress.say(`${count} instances are cancelled, ${window} at a time`)
  const calledAt: number[] = []
  const answers: number[] = []
  const startedAt = performance.now()
  await inLanes(count, window, async index => {
    interrupted.throwIfAborted()
    calledAt[index] = preciseNow()
    const outcome = await crowd.handle(index).cancel({ signal: interrupted, timeout: '60s' })
    answers.push(preciseNow() - calledAt[index])
    if (outcome !== 'cancelled') throw new Error(`${crowd.idOf(index)} is ${outcome}`)
    progress.count(answers.length, count, 'are cancelled')
  })
  const allMs = performance.now() - startedAt
  const readsMeanwhile = reads.soFar() - idleReads
  await reads.stop()

  // A worker hears of it after the cancel is answered.
  if (isRemote)
    await crowd.reach(
      'are aborted',
      async () => count - (await doer.ask({ type: 'count' }, 'counted')).running,
    )
  const { abortedAt } = await doer.ask({ type: 'collect' }, 'collected')
  if (abortedAt.length !== count)
    throw new Error(`only ${abortedAt.length} of ${count} activities were aborted`)
  const { counted } = await crowd.tally(({ status }) => status === 'cancelled')
  if (counted !== count) throw new Error(`only ${counted} of ${count} instances are cancelled`)
  const aborts = spreadOf(abortedAt.map(([index, at]) => at - calledAt[index]!))
  const answered = spreadOf(answers)
  return {
    abortP50Ms: aborts.p50,
    abortP99Ms: aborts.p99,
    abortMaxMs: aborts.max,
    answerP50Ms: answered.p50,
    answerP99Ms: answered.p99,
    allCancelledAfterMs: Math.round(allMs),
    cancelsPerSecond: rounded((count / allMs) * 1_000),
    idleReads,
    readsWhileCancelling: readsMeanwhile,
  }
}

/** Counts what anyone reads of a stream from now on. */
async function countReads(servers: string) {
  const listener = await connectLibrary({ servers })
  let count = 0
  for (const subject of ['$JS.API.DIRECT.GET.>', '$JS.API.STREAM.MSG.GET.>']) {
    listener.subscribe(subject, { callback: () => count++ })
  }
  await listener.flush()
  return { soFar: () => count, stop: () => listener.close() }
}

await runScript({ json, ...settings }, run, printFigures)
