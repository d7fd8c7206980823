/**
 * W9: mixed work for an hour while nodes and the nats-server are killed. Nothing may be lost or doubled, and nothing may
 * grow that depends on how long it runs, or on how much has ended.
 *
 * Errands begin all the time: instances that are sent numbers, run activities that fail at first, wait for timers, have
 * children and end. There are two nodes. One is killed again and again, at times until the other has taken over; the
 * other lives as long as the run, loses its server now and then, and is measured, as is the client. Before each kill,
 * when every partition is where it belongs, a sample is taken. A straight line goes through those of each figure, and a
 * figure has grown when the line rises by more than its bound, and three standard errors more. In the end nobody may hold
 * anything any more.
 *
 * What has ended stays in its bucket, so the nats-server and the disk do grow: that is not judged.
 */
import { connect, type Client } from '../src/index.ts'
import { setTimeout as pause } from 'node:timers/promises'

import { randomFrom } from '../test/support/random.ts'
import { NatsServers } from './nats-servers.ts'
import { ProgressLine } from './progress-line.ts'
import { runAlone } from './script.ts'
import { readSettings } from './settings.ts'
import { Errands } from './soak/errands.ts'
import { Nodes } from './soak/nodes.ts'
import { clientSubscriptions, sample, streamsOf, type Sample } from './soak/sample.ts'
import { rounded, spreadOf } from './spread.ts'
import { trendOf } from './trend.ts'

const help = `Runs mixed work while nodes and the nats-server are killed, and checks every instance and what grows.

  npm run soak -- [options]

  --minutes <n>       (default 60)
  --every <s>         seconds between two kills, with a sample before each (default 20)
  --warm-up <s>       samples of so many seconds at the beginning are not judged (default 180)
  --rate <n>          instances that begin each second, 1 to 200 (default 10)
  --partitions <n>    (default 32)
  --seed <n>          chooses work and kills (default: another each time)
  --json              figures and samples as JSON
  --help

To try it out: --minutes 4 --every 5 --warm-up 90. Ends with exit code 1 when anything was lost or doubled, or has grown.
HOLDFAST_NATS_SERVER names the nats-server to use.
`

/** By how much each may rise while it is judged, by chance aside. */
const bounds = {
  nodeHeapMiB: 2,
  nodeResidentMiB: 16,
  nodeFiles: 1,
  nodeSubscriptions: 1,
  clientHeapMiB: 2,
  consumers: 4,
} as const satisfies Partial<Record<keyof Sample, number>>

/** Standard errors. */
const sureness = 3
const leastSamples = 5
const namespace = 'soak'
/** So soon that instances leave memory and come again. */
const passivateAfterMs = 2000
const emptyWithinMs = 60_000
const mostRate = 200

interface Growth {
  /** The median of all samples that are judged. */
  readonly usual: number
  readonly growth: number
  readonly error: number
  readonly bound: number
  readonly hasGrown: boolean
}

interface Figures {
  readonly minutes: number
  readonly errands: number
  /** Starts and events that were acknowledged. */
  readonly accepted: number
  readonly repeated: number
  readonly kills: Readonly<Record<Fault, number>>
  /** From a kill until each node had its share of the partitions, and the server took requests. */
  readonly settledAgainP50Ms: number
  readonly settledAgainMaxMs: number
  readonly growth: Readonly<Record<string, Growth>>
  /** What was lost, doubled or left behind, and what has grown. */
  readonly wrong: readonly string[]
  readonly samples: readonly Sample[]
}

type Fault = 'restartNode' | 'loseNode' | 'killServer'
const faults: readonly Fault[] = ['restartNode', 'loseNode', 'killServer']

const { json, ...settings } = readSettings(help, {
  every: { byDefault: 20 },
  minutes: { byDefault: 60 },
  partitions: { byDefault: 32 },
  rate: { byDefault: 10 },
  seed: { byDefault: Date.now() % 2 ** 31, least: 0 },
  'warm-up': { byDefault: 180, least: 0 },
})
const { every, minutes, partitions, rate, seed } = settings
if (rate > mostRate) fail(`--rate must be at most ${mostRate}; got ${rate}`)
if ((60 * minutes - settings['warm-up']) / every < leastSamples) {
  fail(`--minutes ${minutes} leave fewer than ${leastSamples} samples to judge: see --every and --warm-up`)
}
const progress = new ProgressLine()

async function run(interrupted: AbortSignal): Promise<{ figures: Figures; nats: string }> {
  progress.say(`seed ${seed}`)
  await using servers = await NatsServers.start({ count: 1, isMonitored: true })
  const connection = { servers: servers.urls, namespace }
  const options = { ...connection, log: 'error', partitions, passivateAfter: passivateAfterMs } as const
  await using nodes = await Nodes.start(options, interrupted)
  await using client = await connect(connection)
  const errands = new Errands({ client, interrupted, rate, seed })
  const kills = { restartNode: 0, loseNode: 0, killServer: 0 }
  const settledAgain: number[] = []
  const samples: Sample[] = []
  const random = randomFrom(seed)
  const startedAt = performance.now()
  for (;;) {
    await pause(every * 1000, undefined, { signal: interrupted })
    const minute = (performance.now() - startedAt) / 60_000
    samples.push(await sample(nodes, servers.running[0]!, minute))
    progress.say(tell(samples.at(-1)!, errands))
    if (minute >= minutes) break
    const fault = faults[Math.floor(random() * faults.length)]!
    kills[fault]++
    const killedAt = performance.now()
    await inject(fault, nodes, servers)
    await nodes.settle()
    settledAgain.push(performance.now() - killedAt)
    progress.say(`${fault}: settled after ${Math.round(settledAgain.at(-1)!)} ms`)
  }
  await errands.stop()
  progress.say('every record is looked at')
  const judged = samples.filter(({ minute }) => minute * 60 >= settings['warm-up'])
  const growth = growthOf(judged)
  const wrong = [
    // Kills may have taken longer than was to be expected.
    ...(judged.length < leastSamples ? [`only ${judged.length} samples were there to be judged`] : []),
    ...errands.wrong,
    ...(await leftBehind(client, errands, servers)),
    ...Object.entries(growth).flatMap(([name, { hasGrown }]) => (hasGrown ? [`${name} has grown`] : [])),
  ]
  wrong.push(...(await nodes.rest()))
  const fewest = Math.min(...samples.map(taken => taken.clientSubscriptions))
  const left = await clientSubscriptions(servers.running[0]!)
  if (left > fewest) wrong.push(`the client is left with ${left} subscriptions; it had only ${fewest}`)
  if (wrong.length > 0) process.exitCode = 1
  const settled = spreadOf(settledAgain)
  const figures = {
    minutes: rounded((performance.now() - startedAt) / 60_000),
    errands: errands.ended,
    accepted: errands.accepted,
    repeated: errands.repeated,
    kills,
    settledAgainP50Ms: settled.p50,
    settledAgainMaxMs: settled.max,
    growth,
    wrong,
    samples,
  }
  return { figures, nats: servers.running[0]!.serverVersion }
}

async function inject(fault: Fault, nodes: Nodes, servers: NatsServers): Promise<void> {
  switch (fault) {
    case 'restartNode':
      return nodes.restart()
    case 'loseNode':
      return nodes.lose()
    case 'killServer':
      return servers.crash()
  }
}

/** What there should not be, once all has ended: instances that have not, envelopes that nobody took. */
async function leftBehind(
  client: Client,
  errands: Errands,
  servers: NatsServers,
): Promise<readonly string[]> {
  const wrong: string[] = []
  const wanted = { errand: errands.begun, square: errands.children }
  for (const [workflow, count] of Object.entries(wanted)) {
    let found = 0
    for await (const { address, status } of client.list({ workflow })) {
      found++
      if (status !== 'done') wrong.push(`${workflow} ${address.id} is ${status}`)
    }
    if (found !== count) wrong.push(`there are ${found} of ${workflow} instead of ${count}`)
  }
  const giveUpAt = performance.now() + emptyWithinMs
  const queues = ['inbox', 'parked', 'tasks', 'dead'].map(name => `hf_${namespace}_${name}`)
  for (;;) {
    const streams = await streamsOf(servers.running[0]!)
    const full = streams.filter(({ messages, name }) => messages > 0 && queues.includes(name))
    if (full.length === 0) return wrong
    if (performance.now() > giveUpAt) {
      return [...wrong, ...full.map(({ messages, name }) => `${name} still holds ${messages} messages`)]
    }
    await pause(100)
  }
}

function growthOf(judged: readonly Sample[]): Readonly<Record<string, Growth>> {
  const entries = Object.entries(bounds).map(([name, bound]) => {
    const valueOf = (of: Sample) => of[name as keyof typeof bounds]
    const { growth, error } = trendOf(judged.map(of => [of.minute, valueOf(of)]))
    const hasGrown = growth - sureness * error > bound
    const usual = spreadOf(judged.map(valueOf)).p50
    return [name, { usual, growth: rounded(growth), error: hundredths(error), bound, hasGrown }] as const
  })
  return Object.fromEntries(entries)
}

function tell(taken: Sample, { ended, repeated, underWay, wrong }: Errands): string {
  const { clientHeapMiB, consumers, minute, nodeFiles, nodeHeapMiB, nodeResidentMiB, nodeSubscriptions } =
    taken
  const node = `${rounded(nodeHeapMiB)} MiB of heap, ${Math.round(nodeResidentMiB)} MiB, ${nodeFiles} files, ${nodeSubscriptions} subscriptions`
  const more = `client ${rounded(clientHeapMiB)} MiB of heap; ${consumers} consumers`
  return `${rounded(minute)} of ${minutes} min: ${ended} have ended, ${underWay} are under way, ${wrong.length} went wrong, ${repeated} repeated; node ${node}; ${more}`
}

function print({ growth, kills, samples: _, wrong, ...numbers }: Figures): string {
  const lines = Object.entries({ ...numbers, ...kills }).map(([name, value]) => `${name.padEnd(20)}${value}`)
  const header = `${''.padEnd(20)}${['usually', 'growth', '± error', 'bound'].map(title => title.padStart(10)).join('')}`
  const grown = Object.entries(growth).map(([name, { bound, error, growth: by, hasGrown, usual }]) => {
    const columns = [usual, by, error, bound].map(value => String(value).padStart(10)).join('')
    return `${name.padEnd(20)}${columns}${hasGrown ? '  has grown' : ''}`
  })
  const verdict =
    wrong.length === 0
      ? ['every accepted start and event was applied once, and nothing has grown']
      : [`${wrong.length} went wrong`, ...wrong.slice(0, 50)]
  return `${[...lines, header, ...grown, ...verdict].join('\n')}\n`
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

await runAlone({ json, ...settings }, run, print)
