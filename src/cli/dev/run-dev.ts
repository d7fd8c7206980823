/**
 * What `holdfast dev` runs: NATS, a node, the feed. Each stops when what it stands on is about to, so that nothing
 * is lost, and nothing would be if the process were killed instead.
 */
import { join } from 'node:path'
import { destination, pino } from 'pino'

import { isRuntimeError, RuntimeError } from '../../../actors/errors.ts'
import type { Client } from '../../client/client.ts'
import { systemClock } from '../../clock.ts'
import { connectNats, type NatsConnection } from '../../nats/connection.ts'
import { startServer, type NatsServer } from '../../nats/server.ts'
import { createNode, type Node } from '../../runtime/node.ts'
import type { Workflow } from '../../workflow/define-workflow.ts'
import { publishDevFacts } from '../dev-file.ts'
import type { DevScreen } from './dev-screen.ts'
import { DevView } from './dev-view.ts'
import { keepPort, readLastPort } from './last-port.ts'
import { openSampleFeed, type OnRefused, type SampleFeed } from './sample-feed.ts'
import { startSampleOrders } from './sample-orders.ts'

export interface DevPlan {
  readonly dataFolder: string
  /** The folder as the user would call it. */
  readonly dataName: string
  readonly feed: boolean
  readonly namespace: string
  /** Path of the nats-server to run; undefined: whichever is found. */
  readonly natsServer: string | undefined
  /** How long the feed waits before each webhook. */
  readonly paceMs: number
  /** Port of the NATS that is started; undefined: a free one. */
  readonly port: number | undefined
  /** URL of a NATS that runs already: then none is started. */
  readonly server: string | undefined
  readonly workflows: readonly Workflow[]
}

const nodeName = 'dev'

/**
 * Runs until the signal aborts, or something ends that must not.
 *
 * @throws RuntimeError as `startServer` and `createNode`; `STORE_UNAVAILABLE` when NATS ends by itself; the signal's
 * reason when it aborts before anything ran
 */
export async function runDev(plan: DevPlan, screen: DevScreen, signal: AbortSignal): Promise<void> {
  if (plan.server !== undefined) {
    await runNode(plan, screen, { url: plan.server }, signal)
    return
  }
  const server = await startNats(plan, screen, signal)
  try {
    await runNode(plan, screen, server, signal)
  } finally {
    await server.stop()
  }
}

/** On the port asked for, else on that of the last time, else on a free one. */
async function startNats(plan: DevPlan, screen: DevScreen, signal: AbortSignal): Promise<NatsServer> {
  const { dataFolder, natsServer } = plan
  const onProgress = (message: string) => screen.preparing(message)
  const storeDir = join(dataFolder, 'nats')
  const start = (port: number | undefined) =>
    startServer({ onProgress, path: natsServer, port, storeDir }, signal)
  if (plan.port !== undefined) return start(plan.port)
  const server = await start(await readLastPort(dataFolder)).catch((error: unknown) => {
    if (isPortTaken(error)) return start(undefined)
    throw error
  })
  await keepPort(dataFolder, server.port)
  return server
}

function isPortTaken(error: unknown): boolean {
  if (!isRuntimeError(error, 'SERVER_START_FAILED')) return false
  return (error.fields['log'] as readonly string[]).some(line => line.includes('address already in use'))
}

type RunningServer = Pick<NatsServer, 'url'> & Partial<NatsServer>

async function runNode(
  plan: DevPlan,
  screen: DevScreen,
  server: RunningServer,
  signal: AbortSignal,
): Promise<void> {
  const { dataFolder, namespace, workflows } = plan
  // Not to standard error: there is a screen to keep tidy.
  const log = pino({ name: 'holdfast', level: 'info' }, destination({ dest: logFile(plan), sync: true }))
  const servers = server.url
  // Whatever is not finished in that time is finished by the next run.
  const drainTimeout = '5s'
  const node = await createNode({ drainTimeout, log, name: nodeName, namespace, servers, workflows })
  try {
    await publishDevFacts(dataFolder, { namespace, pid: process.pid, url: server.url })
    // The feed stands for the world outside, which has a connection of its own.
    const outside = await connectNats({ clock: systemClock, name: 'holdfast dev feed', servers })
    try {
      await serve(plan, screen, { node, outside, server }, signal)
    } finally {
      await outside.close()
    }
  } finally {
    await node.stop()
  }
}

interface Running {
  readonly node: Node
  readonly outside: NatsConnection
  readonly server: RunningServer
}

async function serve(plan: DevPlan, screen: DevScreen, running: Running, signal: AbortSignal): Promise<void> {
  const { client } = running.node
  const feed = plan.feed ? await openFeed(plan, running) : undefined
  const view = await createView(plan, running, feed)
  const ending = new AbortController()
  screen.started(view)
  const tasks = [show(client, view, screen, ending.signal)]
  const refuse: OnRefused = (position, error) => {
    view.refuse()
    screen.refused(position, error)
  }
  if (feed !== undefined) tasks.push(runFeed(feed, client, refuse, ending.signal))
  try {
    await Promise.race([aborted(signal), ended(running.server), ...tasks.map(failed)])
  } finally {
    screen.stopping()
    ending.abort()
    await Promise.allSettled(tasks)
  }
}

function openFeed(plan: DevPlan, { node, outside }: Running): Promise<SampleFeed> {
  return openSampleFeed({
    client: node.client,
    clock: systemClock,
    connection: outside,
    namespace: plan.namespace,
    paceMs: plan.paceMs,
  })
}

async function createView(
  plan: DevPlan,
  { node, server }: Running,
  feed: SampleFeed | undefined,
): Promise<DevView> {
  const { dataFolder, dataName, namespace, workflows } = plan
  const facts = {
    dataFolder,
    dataName,
    found: await countInstances(node.client),
    logFile: logFile(plan),
    namespace,
    node: node.name,
    partitions: node.status().partitions.total,
    pid: process.pid,
    server: { url: server.url, version: server.serverVersion },
    workflows: await Promise.all(
      workflows.map(async ({ name, version }) => {
        return { isPaused: (await node.client.pauseOf(name)) !== undefined, name, version }
      }),
    ),
  }
  if (feed === undefined) return new DevView(facts, undefined)
  const { deadLetters, deliveredBefore, total } = feed
  return new DevView(facts, { before: deliveredBefore, deadLetters, total })
}

async function runFeed(
  feed: SampleFeed,
  client: Client,
  onRefused: OnRefused,
  signal: AbortSignal,
): Promise<void> {
  await startSampleOrders(client, signal)
  await feed.run(onRefused, signal)
}

async function show(client: Client, view: DevView, screen: DevScreen, signal: AbortSignal): Promise<void> {
  for await (const snapshot of client.watch({}, { signal })) screen.changed(view.add(snapshot))
}

async function countInstances(client: Client): Promise<number> {
  let count = 0
  for await (const _ of client.list()) count += 1
  return count
}

function logFile({ dataFolder }: DevPlan): string {
  return join(dataFolder, 'dev.log')
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Rejects when the server ends; never resolves. */
async function ended({ exited, logFile: serverLog }: RunningServer): Promise<never> {
  const exit = await (exited ?? new Promise<never>(() => {}))
  throw new RuntimeError(
    'STORE_UNAVAILABLE',
    `nats-server ended by itself (${exit.signal ?? `code ${exit.code}`}); its log is ${serverLog}. Start again: ` +
      'what was acknowledged is there',
    { fields: { ...exit, log: serverLog } },
  )
}

/** Rejects when the task does; never resolves. */
async function failed(task: Promise<void>): Promise<never> {
  await task
  return new Promise(() => {})
}
