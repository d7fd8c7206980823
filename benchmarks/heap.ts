/**
 * What instances that have ended leave in the memory of their node: nothing, is the goal.
 *
 * The node is a process of its own, and so is NATS. Instances with a context, an input and an activity are started, some
 * at a time; when all of them have ended, garbage is collected and the heap measured. Its slope is that of the straight
 * line with the least squares. Meanwhile some instances are held in their activity: these and no others may be alive
 * whenever it is measured. The node passivates nothing: what has ended leaves memory by itself.
 */
import { setTimeout as pause } from 'node:timers/promises'

import { connect } from '../src/index.ts'
import { Crowd } from './crowd.ts'
import type { HeapNews, HeapOrder, Job } from './heap-node.ts'
import { NodeProcess } from './node-process.ts'
import { ProgressLine } from './progress-line.ts'
import { printFigures, runScript, type Surroundings } from './script.ts'
import type { Measures } from './served-node.ts'
import { readSettings } from './settings.ts'
import { rounded } from './spread.ts'
import { trendOf } from './trend.ts'

const help = `Measures what instances that have ended leave in the memory of their node.

  npm run bench:heap -- [options]

  --instances <n>     that work once and end (default 200000)
  --held <n>          that are at work all the time (default 100)
  --samples <n>       how often the heap is measured on the way, from 3 (default 20)
  --bytes <n>         of text in each context (default 1000)
  --partitions <n>    (default 32)
  --json              figures as JSON
  --help

HOLDFAST_NATS_SERVER names the nats-server to use.
`

type HeapNode = NodeProcess<HeapOrder, HeapNews>

const lookEveryMs = 100

const { json, ...settings } = readSettings(help, {
  bytes: { byDefault: 1000, least: 0 },
  held: { byDefault: 100 },
  instances: { byDefault: 200_000 },
  partitions: { byDefault: 32 },
  samples: { byDefault: 20, least: 3 },
})
const progress = new ProgressLine()

/** What the node held when so many instances had ended. */
interface Sample extends Measures {
  readonly ended: number
}

async function run({ servers, interrupted }: Surroundings): Promise<Record<string, number>> {
  const { bytes, held, instances, partitions, samples } = settings
  const connection = { servers, namespace: 'heap' }
  const options = { ...connection, name: 'node', partitions, passivateAfter: '1h' }
  await using node: HeapNode = new NodeProcess('heap-node', options, interrupted)
  await node.next('recovered')
  await using client = await connect(connection)
  const crowd = (prefix: string, count: number) =>
    new Crowd<Job>({ client, count, interrupted, prefix, progress, workflow: 'job' })
  const inputOf = (isHeld: boolean) => (index: number) => ({
    isHeld,
    text: String(index).padEnd(bytes, 'x').slice(0, bytes),
  })

  await crowd('held-', held).start(inputOf(true))
  await untilAlive(node, held, interrupted)
  const taken: Sample[] = []
  const startedAt = performance.now()
  for (let ended = 0; taken.length < samples;) {
    const next = Math.round((instances * (taken.length + 1)) / samples)
    await crowd(`${taken.length}-`, next - ended).start(inputOf(false))
    ended = next
    await untilWorked(node, ended, interrupted)
    await untilAlive(node, held, interrupted)
    taken.push({ ...(await measure(node, true)), ended })
    progress.say(`${ended} have ended: ${rounded(taken.at(-1)!.heapMiB)} MiB of heap`)
  }
  const seconds = (performance.now() - startedAt) / 1000
  node.tell({ type: 'release' })
  await untilWorked(node, instances + held, interrupted)
  await untilAlive(node, 0, interrupted)
  const [first, last] = [taken[0]!, taken.at(-1)!]
  return {
    ended: last.ended,
    endedPerSecond: Math.round(last.ended / seconds),
    firstHeapMiB: rounded(first.heapMiB),
    lastHeapMiB: rounded(last.heapMiB),
    heapMiBPer100000: hundredths(slopeOf(taken, ({ heapMiB }) => heapMiB) * 100_000),
    firstResidentMiB: rounded(first.rssMiB),
    lastResidentMiB: rounded(last.rssMiB),
    residentMiBPer100000: hundredths(slopeOf(taken, ({ rssMiB }) => rssMiB) * 100_000),
    heldInstances: last.resident,
    heldActivities: last.activities,
  }
}

/** Waits until so many instances, each with its activity, are in memory, and no others. */
async function untilAlive(node: HeapNode, wanted: number, signal: AbortSignal): Promise<void> {
  await reach(signal, async () => {
    const { activities, resident } = await measure(node, false)
    const isSo = activities === wanted && resident === wanted
    return isSo ? undefined : `${resident} instances and ${activities} activities in memory, not ${wanted}`
  })
}

async function untilWorked(node: HeapNode, wanted: number, signal: AbortSignal): Promise<void> {
  await reach(signal, async () => {
    const { worked } = await node.ask({ type: 'count' }, 'counted')
    if (worked > wanted) throw new Error(`${worked} have worked, and there were only ${wanted}`)
    return worked === wanted ? undefined : `${worked} of ${wanted} have worked`
  })
}

/**
 * Looks until nothing is wrong.
 *
 * @throws Error with what is, when it stays the same for a minute
 */
async function reach(signal: AbortSignal, look: () => Promise<string | undefined>): Promise<void> {
  let [last, since] = ['', performance.now()]
  for (;;) {
    const wrong = await look()
    if (wrong === undefined) return
    if (wrong !== last) [last, since] = [wrong, performance.now()]
    else if (performance.now() - since > 60_000) throw new Error(wrong)
    await pause(lookEveryMs, undefined, { signal })
  }
}

async function measure(node: HeapNode, gc: boolean): Promise<Measures> {
  return (await node.ask({ type: 'measure', gc }, 'measured')).measures
}

/** By how much it rises with each instance. */
function slopeOf(samples: readonly Sample[], valueOf: (sample: Sample) => number): number {
  return trendOf(samples.map(sample => [sample.ended, valueOf(sample)])).slope
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100
}

await runScript({ json, ...settings }, run, printFigures)
