/**
 * How soon a node that was killed runs again what it was running: many instances, each in the middle of an activity.
 *
 * The node is a process of its own, and so is NATS, which syncs every write. Times count from the moment the program
 * of the new node runs. In the end every activity must have ended once, with the result of its second attempt. Goal:
 * 10,000 activities run again within 5 s.
 */
import { connect } from '../src/index.ts'
import { Crowd } from './crowd.ts'
import { NodeProcess } from './node-process.ts'
import { ProgressLine } from './progress-line.ts'
import type { RecoveryNews, RecoveryNodeOptions, RecoveryOrder, Worker } from './recovery-node.ts'
import { printFigures, runScript, type Surroundings } from './script.ts'
import type { MeasureOrder } from './served-node.ts'
import { readSettings } from './settings.ts'
import { rounded, spreadOf } from './spread.ts'

const help = `Measures how soon a node that was killed runs again what it was running.

  npm run bench:recovery -- [options]

  --instances <n>     each in the middle of an activity (default 10000)
  --partitions <n>    (default 32)
  --json              figures as JSON
  --help

HOLDFAST_NATS_SERVER names the nats-server to use.
`

type RecoveryNode = NodeProcess<RecoveryOrder | MeasureOrder, RecoveryNews>

/** A node that is started again under its name must not wait for the lease of the one before. */
const leaseTtlMs = 60_000

const { json, ...settings } = readSettings(help, {
  instances: { byDefault: 10_000 },
  partitions: { byDefault: 32 },
})
const progress = new ProgressLine()

async function run({ servers, interrupted }: Surroundings): Promise<Record<string, number>> {
  const { instances: count, partitions } = settings
  const connection = { servers, namespace: 'recovery' }
  const node = { ...connection, leaseTtl: leaseTtlMs, name: 'node', partitions }
  const options: RecoveryNodeOptions = { activities: count, node }
  await using first: RecoveryNode = new NodeProcess('recovery-node', options, interrupted)
  await first.next('serving')
  await using client = await connect(connection)
  const crowd = new Crowd<Worker>({ client, count, interrupted, prefix: 'w-', progress, workflow: 'worker' })
  const startsPerSecond = await crowd.start()
  await crowd.reach('activities run', () => begunOn(first))
  requireAttempt(1, (await first.next('allRun')).attempts)

  progress.say('the node is killed and started again')
  await first.kill()
  await using again: RecoveryNode = new NodeProcess('recovery-node', options, interrupted)
  const { at: upAt, measures: up } = await again.next('up')
  const { at: servingAt } = await again.next('serving')
  await crowd.reach('activities run again', () => begunOn(again))
  const { attempts, begunAt } = await again.next('allRun')
  const { measures } = await again.ask({ type: 'measure', gc: false }, 'measured')
  requireAttempt(2, attempts)
  const begun = spreadOf(begunAt.map(at => at - upAt))

  const endedAt = performance.now()
  await again.ask({ type: 'end' }, 'counted')
  await crowd.reach('activities have ended', () => endedOf(crowd))
  const endMs = performance.now() - endedAt
  await crowd.check(async handle => {
    const { activities, context } = (await handle.get({ signal: interrupted }))!
    if (activities.length === 0 && context.ends === 1 && context.attempt === 2) return
    throw new Error(`the activity of ${handle.address.id} came to ${JSON.stringify(context)}`)
  })
  if ((await begunOn(again)) !== count) throw new Error('activities were begun that nobody waits for')
  return {
    startsPerSecond: Math.round(startsPerSecond),
    restartToServingMs: rounded(servingAt - upAt),
    activityAgainP50Ms: begun.p50,
    activityAgainP99Ms: begun.p99,
    allActivitiesAgainMs: begun.max,
    restartCpuMs: rounded(measures.cpuMs - up.cpuMs),
    runningMiB: rounded(measures.rssMiB),
    allEndedAfterMs: Math.round(endMs),
  }
}

async function begunOn(node: RecoveryNode): Promise<number> {
  return (await node.ask({ type: 'count' }, 'counted')).begun
}

async function endedOf(crowd: Crowd<Worker>): Promise<number> {
  let ended = 0
  for (const { address, event, status } of (await crowd.list()).values()) {
    if (status !== 'running') throw new Error(`${address.id} is ${status}`)
    if (event.startsWith('xstate.done.actor.')) ended++
  }
  return ended
}

function requireAttempt(wanted: number, attempts: readonly number[]): void {
  if (attempts.length === 1 && attempts[0] === wanted) return
  throw new Error(`attempts ${attempts.join(', ')} run where all should be attempt ${wanted}`)
}

await runScript({ json, ...settings }, run, printFigures)
