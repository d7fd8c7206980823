/**
 * How close the runtime comes to what the same NATS takes from a bare client in the same run.
 *
 * Rounds are interleaved, medians compared. Every write is synced (`sync_interval: always`). Each Holdfast round
 * checks that every event was applied exactly once.
 *
 * Usage: npm run bench:commit -- [--events 20000] [--instances 1000] [--concurrency 256] [--rounds 3] [--json]
 */
import { parseArgs } from 'node:util'

import { AckPolicy, connect, RetentionPolicy, type NatsConnection } from 'nats'
import { assign, setup } from 'xstate'

import { createNode, defineWorkflow, startServer, type Client } from '../src/index.ts'
import { inLanes } from './lanes.ts'

const counter = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly count: number; readonly sum: number; readonly padding: string },
      events: {} as { type: 'ADD'; n: number },
    },
  }).createMachine({
    id: 'counter',
    context: { count: 0, sum: 0, padding: 'x'.repeat(400) },
    on: {
      ADD: {
        actions: assign({
          count: ({ context }) => context.count + 1,
          sum: ({ context, event }) => context.sum + event.n,
        }),
      },
    },
  }),
)

interface Settings {
  readonly events: number
  readonly instances: number
  readonly concurrency: number
  readonly rounds: number
}

/** Compare-and-set writes of 700 bytes, as a bare client makes them. */
async function rawWrites(nc: NatsConnection, round: number, settings: Settings): Promise<number> {
  const { events, instances, concurrency } = settings
  const js = nc.jetstream()
  const bytes = new Uint8Array(700).fill(1)
  const revisions = new Map<number, number>()
  // Lanes own keys, so that none has to wait for another's revision.
  const lanes = Math.min(concurrency, instances)
  const perLane = Math.floor(events / lanes)
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      for (let index = 0; index < perLane; index++) {
        const key = lane + lanes * (index % Math.max(1, Math.floor(instances / lanes)))
        const expect = { lastSubjectSequence: revisions.get(key) ?? 0 }
        const { seq } = await js.publish(`raw.write.${round}.${key}`, bytes, { expect })
        revisions.set(key, seq)
      }
    }),
  )
  return (perLane * lanes) / ((performance.now() - startedAt) / 1000)
}

/** Publish, consume, compare-and-set, acknowledge: everything a durable event costs, and nothing else. */
async function rawLoop(nc: NatsConnection, round: number, settings: Settings): Promise<number> {
  const { events, instances, concurrency } = settings
  const js = nc.jetstream()
  const jsm = await nc.jetstreamManager()
  const stream = `raw_inbox_${round}`
  await jsm.streams.add({
    name: stream,
    subjects: [`raw.in.${round}.>`],
    retention: RetentionPolicy.Workqueue,
  })
  await jsm.consumers.add(stream, {
    durable_name: 'loop',
    ack_policy: AckPolicy.Explicit,
    max_ack_pending: 8192,
  })
  const consumer = await js.consumers.get(stream, 'loop')
  const bytes = new Uint8Array(700).fill(1)
  const revisions = new Map<string, number>()
  const tails = new Map<string, Promise<void>>()
  let applied = 0
  const { promise: done, resolve: finish } = withResolvers()
  const startedAt = performance.now()
  const messages = await consumer.consume({
    max_messages: 1000,
    callback: message => {
      const key = message.subject.split('.').at(-1)!
      const apply = async () => {
        const expect = { lastSubjectSequence: revisions.get(key) ?? 0 }
        const { seq } = await js.publish(`raw.state.${round}.${key}`, bytes, { expect })
        revisions.set(key, seq)
        message.ack()
        if (++applied === events) finish()
      }
      tails.set(key, (tails.get(key) ?? Promise.resolve()).then(apply))
    },
  })
  const event = new Uint8Array(150).fill(2)
  await inLanes(events, concurrency, index => js.publish(`raw.in.${round}.${index % instances}`, event))
  await done
  const perSecond = events / ((performance.now() - startedAt) / 1000)
  await messages.close()
  return perSecond
}

/** The same through the runtime: sent durably, stepped, committed, acknowledged. */
async function holdfastEvents(client: Client, round: number, settings: Settings): Promise<number> {
  const { events, instances, concurrency } = settings
  const handles = await startInstances(client, round, instances)
  const startedAt = performance.now()
  await inLanes(events, concurrency, index => handles[index % instances]!.send({ type: 'ADD', n: 1 }))
  await Promise.all(
    handles.map((handle, index) => {
      const expected = Math.floor(events / instances) + (index < events % instances ? 1 : 0)
      return handle.waitFor(({ context }) => context.count >= expected, { timeout: '120s' })
    }),
  )
  const perSecond = events / ((performance.now() - startedAt) / 1000)
  await check(handles, events)
  return perSecond
}

type Handles = Awaited<ReturnType<typeof startInstances>>

async function startInstances(client: Client, round: number, instances: number) {
  const handles = Array.from({ length: instances }, (_, index) =>
    client.instance(counter, `${round}-${index}`),
  )
  await inLanes(instances, 64, index => client.start(counter, { id: `${round}-${index}` }))
  await Promise.all(handles.map(handle => handle.waitFor(() => true, { timeout: '60s' })))
  return handles
}

async function check(handles: Handles, events: number): Promise<void> {
  const snapshots = await Promise.all(handles.map(handle => handle.get()))
  const applied = snapshots.reduce((sum, snapshot) => sum + (snapshot?.context.count ?? 0), 0)
  if (applied !== events) throw new Error(`${events} events were sent and ${applied} applied`)
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function readSettings(): Settings & { readonly json: boolean } {
  const { values } = parseArgs({
    options: {
      concurrency: { type: 'string', default: '256' },
      events: { type: 'string', default: '20000' },
      instances: { type: 'string', default: '1000' },
      json: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
    },
  })
  const { json, ...numbers } = values
  const { concurrency, events, instances, rounds } = numbers
  return {
    concurrency: Number(concurrency),
    events: Number(events),
    instances: Number(instances),
    rounds: Number(rounds),
    json,
  }
}

const { json, ...settings } = readSettings()
await using server = await startServer({ path: process.env['HOLDFAST_NATS_SERVER'] })
const nc = await connect({ servers: server.url })
await (await nc.jetstreamManager()).streams.add({ name: 'raw', subjects: ['raw.write.>', 'raw.state.>'] })
await using node = await createNode({ servers: server.url, workflows: [counter], log: 'warn' })

const results: Record<'writes' | 'loop' | 'events', number[]> = { writes: [], loop: [], events: [] }
for (let round = 0; round < settings.rounds; round++) {
  results.writes.push(await rawWrites(nc, round, settings))
  results.loop.push(await rawLoop(nc, round, settings))
  results.events.push(await holdfastEvents(node.client, round, settings))
  process.stderr.write(`round ${round + 1} of ${settings.rounds} done\n`)
}

const [writes, loop, events] = [results.writes, results.loop, results.events].map(median) as [
  number,
  number,
  number,
]
const rows = {
  'raw compare-and-set writes': { perSecond: writes, rounds: results.writes },
  'raw publish + consume + compare-and-set + ack': { perSecond: loop, rounds: results.loop },
  'holdfast: sent, stepped, committed, acknowledged': {
    perSecond: events,
    rounds: results.events,
    ofLoop: events / loop,
    ofWrites: events / writes,
  },
}
const environment = {
  nats: server.serverVersion,
  node: process.version,
  syncInterval: server.syncInterval,
  ...settings,
}
if (json) {
  process.stdout.write(`${JSON.stringify({ environment, rows })}\n`)
} else {
  process.stdout.write(`${JSON.stringify(environment)}\n`)
  for (const [name, row] of Object.entries(rows)) {
    const spread = row.rounds.map(value => Math.round(value)).join(' ')
    process.stdout.write(
      `${name.padEnd(50)} ${Math.round(row.perSecond).toString().padStart(7)}/s   rounds: ${spread}\n`,
    )
  }
  process.stdout.write(`events of the raw loop: ${((100 * events) / loop).toFixed(0)} %\n`)
}
await nc.close()
