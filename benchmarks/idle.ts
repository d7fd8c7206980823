/**
 * What instances cost that only lie in their bucket: memory of the node, how long it takes to start again, and how long
 * an event waits for an instance that must be woken first. Of starts it tells two rates: of those stored, and of those
 * that the node has made records of, which comes after it.
 *
 * The node is a process of its own, and so is NATS, which syncs every write. Its memory is measured after garbage was
 * collected, and holds what running TypeScript takes besides (`programMiB`). Goals, with a million instances: below
 * 150 MiB, serving within 15 s after a kill, 99 of 100 events to sleeping instances applied within 20 ms.
 *
 * Instances are woken twice, others each time: as soon as the node has looked through all records (`earlyWake…`), while
 * NATS still collects the garbage of having shown them, and half a minute later (`wake…`), when NATS has dropped from its
 * memory what nobody has asked for since.
 */
import { setTimeout as pause } from 'node:timers/promises'

import { connect } from '../src/index.ts'
import { randomFrom } from '../test/support/random.ts'
import { Crowd } from './crowd.ts'
import type { IdleNews, IdleNodeOptions, IdleOrder, Idler } from './idle-node.ts'
import { NodeProcess } from './node-process.ts'
import { ProgressLine } from './progress-line.ts'
import { printFigures, runScript, type Surroundings } from './script.ts'
import type { Measures } from './served-node.ts'
import { readSettings } from './settings.ts'
import { rounded, spreadOf } from './spread.ts'

const help = `Measures what idle instances cost: memory, restart of the node, and waking them.

  npm run bench:idle -- [options]

  --instances <n>     (default 100000)
  --partitions <n>    (default 32)
  --wakes <n>         how many of them are woken, one after the other, right after the restart, and as many
                      half a minute later (default 1000)
  --timers            each instance has a timer an hour away
  --seed <n>          chooses which are woken (default: another each time)
  --json              figures as JSON
  --help

HOLDFAST_NATS_SERVER names the nats-server to use.
`

type IdleNode = NodeProcess<IdleOrder, IdleNews>

/** A node that is started again under its name must not wait for the lease of the one before. */
const leaseTtlMs = 60_000
const passivateAfterMs = 2_000
/** nats-server forgets what it has read of a file after 10 s without another read. */
const quietMs = 30_000

const { json, ...settings } = readSettings(
  help,
  {
    instances: { byDefault: 100_000 },
    partitions: { byDefault: 32 },
    wakes: { byDefault: 1000 },
    seed: { byDefault: Date.now() % 2 ** 31, least: 0 },
  },
  ['timers'],
)
const progress = new ProgressLine()

async function run({ servers, interrupted }: Surroundings): Promise<Record<string, number>> {
  const { instances, partitions, timers } = settings
  const connection = { servers, namespace: 'idle' }
  const options: IdleNodeOptions = {
    node: { ...connection, leaseTtl: leaseTtlMs, name: 'node', partitions, passivateAfter: passivateAfterMs },
    timers,
  }
  await using first: IdleNode = new NodeProcess('idle-node', options, interrupted)
  const { measures: program } = await first.next('up')
  await first.next('recovered')
  const fresh = await measure(first, true)
  await using client = await connect(connection)
  const crowd = new Crowd<Idler>({
    client,
    count: instances,
    interrupted,
    prefix: 'i-',
    progress,
    workflow: 'idler',
  })
  const begunAt = performance.now()
  const startsPerSecond = await crowd.start()
  let restingMs: number | undefined
  await crowd.rest(async () => {
    const { resident } = await measure(first, false)
    if (resident === 0) restingMs ??= performance.now() - begunAt - passivateAfterMs
    return resident
  })
  const busy = await measure(first, false)
  const idle = await measure(first, true)

  progress.say('the node is killed and started again')
  await first.kill()
  await using again: IdleNode = new NodeProcess('idle-node', options, interrupted)
  const { at: upAt } = await again.next('up')
  const { at: servingAt } = await again.next('serving')
  const { at: recoveredAt } = await again.next('recovered')
  const recovered = await measure(again, false)
  const restarted = await measure(again, true)
  const [early, late] = choose(crowd.count)
  const earlyWakes = spreadOf(await wake(crowd, early, interrupted))
  progress.say(`NATS is left alone for ${quietMs / 1000} s`)
  await pause(quietMs, undefined, { signal: interrupted })
  const wakes = spreadOf(await wake(crowd, late, interrupted))
  progress.say('every record is looked at')
  await check(crowd, early.length + late.length)
  return {
    startsPerSecond: Math.round(startsPerSecond),
    recordsPerSecond: Math.round((instances / restingMs!) * 1000),
    programMiB: rounded(program.rssMiB),
    freshMiB: rounded(fresh.rssMiB),
    freshHeapMiB: rounded(fresh.heapMiB),
    afterStartsMiB: rounded(busy.rssMiB),
    idleMiB: rounded(idle.rssMiB),
    idleHeapMiB: rounded(idle.heapMiB),
    restartToServingMs: rounded(servingAt - upAt),
    restartToRecoveredMs: rounded(recoveredAt - upAt),
    recoveredMiB: rounded(recovered.rssMiB),
    recoveredCpuMs: rounded(recovered.cpuMs),
    restartedMiB: rounded(restarted.rssMiB),
    restartedHeapMiB: rounded(restarted.heapMiB),
    wakes: wakes.count,
    earlyWakeP50Ms: earlyWakes.p50,
    earlyWakeP99Ms: earlyWakes.p99,
    earlyWakeMaxMs: earlyWakes.max,
    wakeP50Ms: wakes.p50,
    wakeP99Ms: wakes.p99,
    wakeMaxMs: wakes.max,
  }
}

async function measure(node: IdleNode, gc: boolean): Promise<Measures> {
  return (await node.ask({ type: 'measure', gc }, 'measured')).measures
}

/** Two lists of as many instances each, chosen at random; none is in both. */
function choose(count: number): readonly [readonly number[], readonly number[]] {
  const random = randomFrom(settings.seed)
  const chosen = new Set<number>()
  const each = Math.min(settings.wakes, Math.floor(count / 2))
  while (chosen.size < 2 * each) chosen.add(Math.floor(random() * count))
  const all = [...chosen]
  return [all.slice(0, each), all.slice(each)]
}

/** Wakes instances one after the other; answers how long each event took until it was applied. */
async function wake(
  crowd: Crowd<Idler>,
  chosen: readonly number[],
  signal: AbortSignal,
): Promise<readonly number[]> {
  const times: number[] = []
  for (const index of chosen) {
    const handle = crowd.handle(index)
    const startedAt = performance.now()
    const outcome = await handle.update({ type: 'POKE' }, { signal })
    times.push(performance.now() - startedAt)
    const isRight = outcome.type === 'accepted' && outcome.snapshot.context.pokes === 1
    if (!isRight) throw new Error(`a poke of instance ${index} came to ${JSON.stringify(outcome)}`)
    progress.count(times.length, chosen.length, 'instances are woken')
  }
  return times
}

/** Whoever was poked has been poked once, and everybody is still there. */
async function check(crowd: Crowd<Idler>, wanted: number): Promise<void> {
  const { stored, counted: poked } = await crowd.tally(({ event, status }) => {
    if (status !== 'running') throw new Error(`an instance that was only poked is ${status}`)
    return event === 'POKE'
  })
  if (stored === crowd.count && poked === wanted) return
  throw new Error(`${stored} of ${crowd.count} instances are there, ${poked} of ${wanted} poked`)
}

await runScript({ json, ...settings }, run, printFigures)
