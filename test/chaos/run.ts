import { connect, partitionOf, type NodeOptions } from '../../src/index.ts'
import { systemClock } from '../../src/clock.ts'
import { connectNats } from '../../src/nats/connection.ts'
import { subjectsOf } from '../../src/nats/subjects.ts'
import { check } from './checker.ts'
import { Times } from './figures.ts'
import { Load } from './load.ts'
import { Nodes } from './nodes.ts'
import { Probes } from './probes.ts'
import { randomFrom } from '../support/random.ts'
import { Servers } from './servers.ts'

export interface ChaosSettings {
  readonly faults: number
  readonly instances: number
  readonly leaseTtlMs: number
  /** What the nodes write to standard error. */
  readonly log: NonNullable<NodeOptions['log']>
  readonly nodes: number
  readonly partitions: number
  /** Events per second. */
  readonly rate: number
  readonly seed: number
  readonly servers: 1 | 3
  /** Which nats-server; default: whichever is found. */
  readonly serverPath?: string | undefined
}

export interface ChaosReport {
  readonly accepted: number
  /** Sends that were repeated because their outcome was unknown. */
  readonly repeated: number
  readonly instances: number
  /** From the death or pause of a node until all partitions are served. */
  readonly takeOver: Times
  /** From the restart of a node under its name until all partitions are served. */
  readonly restart: Times
  /** From the death of a server until all partitions are served. */
  readonly outage: Times
  /** Between two answers of one partition. */
  readonly gaps: Times
  /** What was lost, doubled or stuck. */
  readonly violations: readonly string[]
}

type Fault = 'kill a node' | 'restart a node' | 'pause a node' | 'kill a server' | 'kill the leader'

const namespace = 'chaos'

/** Runs nodes, servers and load, breaks them in turn, and answers what was found. */
export async function runChaos(
  settings: ChaosSettings,
  tell: (line: string) => void,
  signal?: AbortSignal,
): Promise<ChaosReport> {
  const { leaseTtlMs, nodes: nodeCount, partitions } = settings
  const random = randomFrom(settings.seed)
  await using servers = await Servers.start(settings.servers, settings.serverPath)
  const options = {
    servers: servers.urls,
    namespace,
    partitions,
    leaseTtl: leaseTtlMs,
    log: settings.log,
    replicas: settings.servers,
  }
  using nodes = new Nodes(options)
  const names = Array.from({ length: nodeCount }, (_, index) => `node-${index}`)
  await nodes.start(names[0]!)
  await Promise.all(names.slice(1).map(name => nodes.start(name)))
  await using client = await connect({ servers: servers.urls, namespace })
  const ids = Array.from({ length: settings.instances }, (_, index) => `i-${index}`)
  const probes = await Probes.start(client, probeIds(partitions))
  const load = await Load.start(client, ids, settings.rate, randomFrom(settings.seed + 1))
  await probes.served()
  tell(`${nodeCount} nodes and ${servers.count} nats-server(s) run`)
  const times = { takeOver: new Times(), restart: new Times(), outage: new Times() }
  const kinds = faultsOf(settings)

  for (let count = 1; count <= settings.faults && signal?.aborted !== true; count++) {
    const fault = kinds[Math.floor(random() * kinds.length)]!
    const victim = names[Math.floor(random() * names.length)]!
    const servedMs = await inject(fault, victim)
    tell(
      `${count}/${settings.faults} ${fault}: served again after ${Math.round(servedMs)} ms, ${load.total} accepted`,
    )
    await pause(random() * 1000)
  }
  await load.stop()
  await probes.stop()
  tell(`${load.total} events accepted; checking ${ids.length} instances`)
  const violations = await check(client, load.accepted)
  const { repeated, total: accepted } = load
  return { accepted, repeated, instances: ids.length, ...times, gaps: probes.gaps, violations }

  async function inject(fault: Fault, victim: string): Promise<number> {
    switch (fault) {
      case 'kill a node': {
        await nodes.crash(victim)
        const servedMs = await probes.served()
        times.takeOver.add(servedMs)
        await nodes.start(victim)
        return servedMs
      }
      case 'restart a node': {
        await nodes.crash(victim)
        const from = performance.now()
        await nodes.start(victim)
        await probes.served()
        const servedMs = performance.now() - from
        times.restart.add(servedMs)
        return servedMs
      }
      case 'pause a node': {
        nodes.pause(victim)
        const servedMs = await probes.served()
        times.takeOver.add(servedMs)
        await pause(random() * leaseTtlMs)
        nodes.resume(victim)
        return servedMs
      }
      case 'kill a server':
        return breakServer(Math.floor(random() * servers.count))
      case 'kill the leader':
        return breakServer(await leaderOf(servers))
    }
  }

  async function breakServer(index: number): Promise<number> {
    const from = performance.now()
    await servers.crash(index)
    await pause(random() * 2000)
    await servers.restart(index)
    await probes.served()
    const servedMs = performance.now() - from
    times.outage.add(servedMs)
    return servedMs
  }
}

function faultsOf({ nodes, servers }: ChaosSettings): readonly Fault[] {
  return [
    ...(nodes > 1 ? (['kill a node', 'pause a node'] as const) : []),
    'restart a node',
    'kill a server',
    ...(servers > 1 ? (['kill the leader'] as const) : []),
  ]
}

/** Which server leads the stream of the records. */
async function leaderOf(servers: Servers): Promise<number> {
  const nats = await connectNats({ clock: systemClock, servers: servers.urls })
  try {
    const info = await nats.jsm.streams.info(subjectsOf(namespace).recordStream)
    return Number(info.cluster?.leader?.split('-').at(-1) ?? 0)
  } finally {
    await nats.close()
  }
}

/** An instance in each partition. */
function probeIds(partitions: number): readonly string[] {
  const found = new Map<number, string>()
  for (let n = 0; found.size < partitions; n++) {
    const id = `probe-${n}`
    const partition = partitionOf({ workflow: 'counter', id }, partitions)
    if (!found.has(partition)) found.set(partition, id)
  }
  return [...found.values()]
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms)
  })
}
