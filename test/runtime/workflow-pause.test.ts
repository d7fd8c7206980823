import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

import { connect, type Client, type InstanceHandle, type Node } from '../../src/index.ts'
import { subjectsOf } from '../../src/nats/subjects.ts'
import { testConnection } from '../contract/fixtures.ts'
import { until } from '../contract/until.ts'
import { child, parent } from '../support/families.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { codeOf, collect, startNode } from '../support/node.ts'
import { workerOf, type Attempt } from '../support/pausing.ts'
import { forkScript, nextMessage } from '../support/processes.ts'
import { echo, tally } from '../support/workflows.ts'

const script = join(import.meta.dirname, 'node-process.ts')
const partitions = 12

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** How many envelopes are parked in the namespace. */
async function parkedIn(namespace: string): Promise<() => Promise<number>> {
  const connection = await testConnection()
  const { parkedStream } = subjectsOf(namespace)
  return async () => (await connection.jsm.streams.info(parkedStream)).state.messages
}

async function revisionsOf(client: Client, workflow: string): Promise<ReadonlyMap<string, number>> {
  const rows = await collect(client.list({ workflow }))
  return new Map(rows.map(({ address, revision }) => [address.id, revision]))
}

/** Sends numbers to all of them until told to stop, and answers how many each was sent. */
function sendingTo(handles: readonly InstanceHandle<typeof tally>[]): {
  sent: () => number
  finish(): Promise<number>
} {
  let [isOver, sent] = [false, 0]
  const sending = (async () => {
    for (; !isOver; sent++) await Promise.all(handles.map(handle => handle.send({ type: 'ADD', n: sent })))
  })()
  return {
    sent: () => sent,
    async finish() {
      isOver = true
      await sending
      return sent
    },
  }
}

async function threeNodes(namespace: string): Promise<readonly Node[]> {
  const nodes = await Promise.all(
    ['a', 'b', 'c'].map(name => startNode({ namespace, name, partitions, workflows: [tally, echo] })),
  )
  const serving = () => nodes.reduce((sum, node) => sum + node.status().partitions.serving, 0)
  await expect.poll(serving, { timeout: 20_000 }).toBe(partitions)
  await until(() => nodes.every(node => node.status().partitions.serving > 0))
  return nodes
}

describe('a paused workflow', () => {
  it(
    'of three nodes makes no transition within a second, and applies all it is sent, in order, once resumed',
    { timeout: 90_000 },
    async () => {
      const namespace = freshNamespace()
      await threeNodes(namespace)
      const parked = await parkedIn(namespace)
      await using client = await connect({ servers: sharedServerUrl(), namespace })
      const handles = await Promise.all(
        range(24).map(n => client.start(tally, { id: `i-${n}`, input: undefined })),
      )
      const load = sendingTo(handles)
      await until(() => load.sent() > 20)

      await client.pauseWorkflow(tally, { reason: 'the bank is closed' })
      const pausedAt = performance.now()
      const sentBefore = load.sent()
      await until(() => performance.now() - pausedAt >= 1_000)
      const atRest = await revisionsOf(client, 'tally')
      await until(async () => load.sent() > sentBefore + 40 && (await parked()) > 500)
      const other = await client.start(echo, { id: 'other', until: 'accepted' })
      const spoken = await other.update({ type: 'SAY', text: 'hello' })
      const sent = await load.finish()
      const whilePaused = await revisionsOf(client, 'tally')
      const counts = await Promise.all(handles.map(async handle => (await handle.get())!.context.seen.length))

      expect(spoken.type).toBe('accepted')
      expect(whilePaused).toEqual(atRest)
      expect(Math.max(...counts)).toBeLessThan(sent)
      expect(await client.pauseOf('tally')).toMatchObject({ reason: 'the bank is closed', scope: 'workflow' })
      await client.resumeWorkflow('tally')
      for (const handle of handles) {
        const { context } = await handle.waitFor(s => s.context.seen.length >= sent, { timeout: '60s' })
        expect(context.seen).toEqual(range(sent))
      }
      await expect.poll(parked, { timeout: 20_000 }).toBe(0)
      expect(await handles[0]!.update({ type: 'ADD', n: -1 })).toMatchObject({ type: 'accepted' })
    },
  )

  it('is not run by a node that starts, takes over, or was killed and starts again', async () => {
    const namespace = freshNamespace()
    const spawn = async () => {
      const process = forkScript(script, sharedServerUrl(), namespace)
      await nextMessage(process)
      return process
    }
    const first = await spawn()
    await using client = await connect({ servers: sharedServerUrl(), namespace })
    const handles = await Promise.all(
      range(8).map(n => client.start(tally, { id: `i-${n}`, input: undefined, until: 'accepted' })),
    )
    for (const handle of handles) await handle.update({ type: 'ADD', n: 0 })
    await client.pauseAll()
    const before = await revisionsOf(client, 'tally')
    first.kill('SIGKILL')
    await once(first, 'exit')
    await Promise.all(handles.map(handle => handle.send({ type: 'ADD', n: 1 })))
    const fresh = await client.start(tally, { id: 'fresh', input: undefined })

    const second = await spawn()
    await Promise.all(handles.map(handle => handle.send({ type: 'ADD', n: 2 })))
    const parked = await parkedIn(namespace)
    await expect.poll(parked, { timeout: 20_000 }).toBe(17)
    const whilePaused = await revisionsOf(client, 'tally')
    second.kill('SIGKILL')
    await once(second, 'exit')
    await spawn()
    await client.resumeAll()
    const seen = handles.map(async handle => {
      return (await handle.waitFor(s => s.context.seen.length >= 3, { timeout: '20s' })).context.seen
    })

    expect(whilePaused).toEqual(before)
    expect(await Promise.all(seen)).toEqual(handles.map(() => [0, 1, 2]))
    expect(await fresh.waitFor(() => true, { timeout: '20s' })).toMatchObject({ status: 'running' })
    await expect.poll(parked, { timeout: 20_000 }).toBe(0)
  }, 90_000)

  it('has its activities aborted; the next owner runs them again once it is resumed', async () => {
    const namespace = freshNamespace()
    const [mine, yours]: Attempt[][] = [[], []]
    const first = await startNode({ namespace, workflows: [workerOf(attempt => mine!.push(attempt))] })
    const handle = await first.client.start(
      workerOf(() => {}),
      { id: 'one' },
    )
    await handle.update({ type: 'WORK' })
    await until(() => mine!.length === 1)

    await first.client.pauseAll()
    await until(() => mine![0]!.signal.aborted)
    mine![0]!.finish('too late')
    const { revision } = (await handle.get())!
    const second = await startNode({ namespace, workflows: [workerOf(attempt => yours!.push(attempt))] })
    await first.stop()
    await expect.poll(() => second.status().partitions.serving, { timeout: 20_000 }).toBe(4)
    const again = second.client.instance(
      workerOf(() => {}),
      'one',
    )
    await again.pause()
    const known = await again.get()
    await again.resume()
    const idle = second.status()
    await second.client.resumeAll()
    await until(() => yours!.length === 1)
    yours![0]!.finish('in time')
    const { context } = await again.waitFor(s => s.context.answer !== '', { timeout: '10s' })

    // Control envelopes are still taken: they change the record, and run nothing.
    expect(known).toMatchObject({ status: 'paused', revision: expect.any(Number) })
    expect(known!.revision).toBeGreaterThan(revision)
    expect(idle.activities.running).toBe(0)
    expect(mine!.length).toBe(1)
    expect(yours!.map(({ attempt, key }) => [attempt, key])).toEqual([[2, mine![0]!.key]])
    expect(context.answer).toBe('in time')
  })

  it('lets no timer fire; one that is overdue fires once, whether its instance is in memory or not', async () => {
    const worker = workerOf(() => {})
    const node = await startNode({ workflows: [worker], passivateAfter: '200ms' })
    const { client } = node
    const handles = await Promise.all(range(2).map(n => client.start(worker, { id: `i-${n}` })))
    await handles[0]!.update({ type: 'WAIT', ms: 400 })
    await until(() => node.status().resident === 0)
    await handles[1]!.update({ type: 'WAIT', ms: 400 })

    await client.pauseWorkflow('worker')
    const { timers, revision } = (await handles[1]!.get())!
    await until(() => Date.now() > timers[0]!.dueAt + 200)
    const overdue = await Promise.all(handles.map(handle => handle.get()))
    await client.resumeWorkflow('worker')
    const rung = handles.map(handle => handle.waitFor(s => s.context.rings > 0, { timeout: '10s' }))
    await Promise.all(rung)
    for (const handle of handles) await handle.update({ type: 'WORK' })
    const after = await Promise.all(handles.map(handle => handle.get()))

    expect(overdue[1]).toMatchObject({ revision, status: 'running', context: { rings: 0 } })
    expect(overdue[0]).toMatchObject({ context: { rings: 0 } })
    expect(after.map(s => s?.context.rings)).toEqual([1, 1])
  })

  it('keeps few instances in memory, however many are sent something', async () => {
    const namespace = freshNamespace()
    const node = await startNode({ namespace })
    const parked = await parkedIn(namespace)
    const { client } = node
    await client.pauseAll()

    const handles = await Promise.all(
      range(300).map(n => client.start(tally, { id: `i-${n}`, input: undefined })),
    )
    await Promise.all(handles.map(handle => handle.send({ type: 'ADD', n: 1 })))
    await expect.poll(parked, { timeout: 20_000 }).toBe(600)
    const { resident } = node.status()
    await client.resumeAll()
    const seen = handles.map(async handle => {
      return (await handle.waitFor(s => s.context.seen.length > 0, { timeout: '20s' })).context.seen
    })

    expect(resident).toBe(0)
    expect(await Promise.all(seen)).toEqual(handles.map(() => [1]))
    await expect.poll(parked, { timeout: 20_000 }).toBe(0)
  })

  it('cancels a child whose start waits, after its start', async () => {
    const namespace = freshNamespace()
    const { client } = await startNode({ namespace, workflows: [child, parent] })
    const parked = await parkedIn(namespace)
    await client.pauseWorkflow(child)
    const handle = await client.start(parent, { id: 'p' })
    await handle.update({ type: 'RUN', n: 2, waits: true })
    await expect.poll(parked, { timeout: 10_000 }).toBe(1)

    await handle.update({ type: 'DROP' })
    await expect.poll(parked, { timeout: 10_000 }).toBe(2)
    const before = await collect(client.list({ workflow: child }))
    await client.resumeWorkflow(child)

    expect(before).toEqual([])
    const statuses = async () => (await collect(client.list({ workflow: child }))).map(row => row.status)
    await expect.poll(statuses, { timeout: 10_000 }).toEqual(['cancelled'])
    await expect.poll(parked, { timeout: 10_000 }).toBe(0)
  })
})

describe('pausing and resuming workflows', () => {
  it('changes nothing when it was done before; one paused by itself stays so when all are resumed', async () => {
    const { client } = await startNode()
    const handle = await client.start(tally, { id: 'one', input: undefined, until: 'accepted' })
    await client.resumeWorkflow(tally)
    await client.resumeAll()

    await client.pauseWorkflow(tally, { reason: 'first' })
    await client.pauseWorkflow(tally, { reason: 'second' })
    await client.pauseAll({ reason: 'all' })
    const workflows = await client.workflows()
    await client.resumeAll()
    const still = await client.workflows()
    await handle.send({ type: 'ADD', n: 1 })
    await client.resumeWorkflow(tally)

    expect(workflows.map(({ name, paused }) => [name, paused?.scope, paused?.reason])).toEqual([
      ['echo', 'namespace', 'all'],
      ['tally', 'workflow', 'second'],
    ])
    expect(still.map(({ paused }) => paused?.reason)).toEqual([undefined, 'second'])
    expect(await handle.waitFor(s => s.context.count === 1, { timeout: '10s' })).toBeDefined()
    expect(await client.pauseOf(tally)).toBeUndefined()
  })

  it('refuses what is not there, and reasons without end', async () => {
    const { client } = await startNode()

    expect(await codeOf(client.pauseWorkflow('taly'))).toBe('WORKFLOW_UNKNOWN')
    expect(await codeOf(client.resumeWorkflow('taly'))).toBe('WORKFLOW_UNKNOWN')
    expect(await codeOf(client.pauseAll({ reason: 'x'.repeat(1_025) }))).toBe('OPTIONS_INVALID')
    expect(await client.pauseOf('tally')).toBeUndefined()
  })
})
