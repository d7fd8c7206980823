/**
 * A process that stops nodes, and workers, in the middle of everything they do, says what is left of them, and ends by itself or not at
 * all: `node --import tsx stopped-process.ts <url> <namespace>`.
 */
import { watchTimers } from '../support/open-timers.ts'
import { createNode, createWorker, type Node, type TaskContext } from '../../src/index.ts'
import { gatherer } from '../support/bulks.ts'
import { child, listener, teller } from '../support/families.ts'
import { workerOf } from '../support/pausing.ts'
import { slowReader } from '../support/readers.ts'
import { echo, tally } from '../support/workflows.ts'

const [servers = '', namespace = ''] = process.argv.slice(2)
const timers = watchTimers()
const problems: string[] = []
process.on('unhandledRejection', reason => problems.push(`unhandled: ${String(reason)}`))
process.on('warning', warning => problems.push(`warning: ${String(warning)}`))

const attempts: AbortSignal[] = []
const worker = workerOf(({ signal }) => attempts.push(signal))
const workflows = [tally, echo, gatherer, child, listener, teller, worker, slowReader]
const start = () => createNode({ servers, namespace, name: 'one', partitions: 4, log: 'silent', workflows })

/** Work of every kind, none of it waited for. */
async function begin({ client }: Node, round: number): Promise<void> {
  const id = (name: string) => `${name}-${round}`
  const paused = await client.start(tally, { id: id('paused'), input: undefined })
  await paused.pause()
  const telling = await client.start(teller, { id: id('teller'), input: { friend: id('friend') } })
  const working = await client.start(worker, { id: id('worker'), input: undefined })
  await working.update({ type: 'WORK' })
  const retrying = await client.start(tally, { id: id('retrying'), input: { from: -5 } })
  const talking = await client.start(echo, { id: id('echo'), input: undefined })
  const waiting = await client.start(tally, { id: id('waiting'), input: undefined })
  await waiting.send({ type: 'WAIT', ms: 60_000 })
  await client.start(gatherer, { id: id('gatherer'), input: { count: 500, waitEvery: 50 } })
  await telling.send({ type: 'BEGIN' })
  // Nobody hears how these end: the node may be gone before they are sent.
  for (let n = 0; n < 200; n++) {
    paused.send({ type: 'ADD', n }).catch(() => {})
    telling.send({ type: 'TELL' }).catch(() => {})
    talking.send({ type: 'SAY', text: 'hello' }).catch(() => {})
    client
      .instance(tally, id('missing'))
      .send({ type: 'ADD', n })
      .catch(() => {})
  }
  await retrying.send({ type: 'GREET' })
  retrying.update({ type: 'ADD', n: 1 }, { timeout: '60s' }).catch(() => {})
  waiting.waitFor(() => false).catch(() => {})
  waiting.result().catch(() => {})
  client
    .watch()
    [Symbol.asyncIterator]()
    .next()
    .catch(() => {})
}

/** A worker that reads and says so, until it stops. */
async function read({ client }: Node, round: number): Promise<void> {
  const reading = await createWorker({
    servers,
    namespace,
    log: 'silent',
    drainTimeout: 0,
    activities: {
      read: ({ heartbeat }: TaskContext<string>) => {
        heartbeat('page 1')
        heartbeat('page 2')
        return new Promise<string>(() => {})
      },
    },
  })
  const handle = await client.start(slowReader, { id: `reader-${round}` })
  await handle.waitFor(({ activities }) => activities[0]?.remote?.isBegun === true)
  await reading.stop()
}

for (let round = 0; round < 3; round++) {
  // In every round but the first the records of those before are being looked through when the node stops.
  const node = await start()
  if (round % 2 === 0) {
    await begin(node, round)
    await read(node, round)
    const gathering = node.client.instance(gatherer, `gatherer-${round}`)
    await gathering.waitFor(({ activities }) => (activities[0]?.bulk?.completed ?? 0) > 20 * round)
  }
  await node.stop()
  const { activities, resident } = node.status()
  if (resident + activities.running + activities.waiting > 0) problems.push(JSON.stringify(node.status()))
}
// What is settled has told whoever waits for it by now.
await new Promise(setImmediate)
if (attempts.length === 0 || attempts.some(({ aborted }) => !aborted)) problems.push('an attempt goes on')
const left = timers()
const stoppedAt = performance.now()
// Comes when nothing keeps the process alive any more.
process.once('beforeExit', () => {
  const lingeredMs = Math.round(performance.now() - stoppedAt)
  process.stdout.write(`${JSON.stringify({ lingeredMs, problems, timers: left })}\n`)
})
