import { describe, expect, it } from 'vitest'

import { connect, type Node } from '../../src/index.ts'
import { subjectsOf } from '../../src/nats/subjects.ts'
import { testConnection } from '../contract/fixtures.ts'
import { child, parent } from '../support/families.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { codeOf, collect, startNode } from '../support/node.ts'
import { workerOf, type Attempt } from '../support/pausing.ts'
import { tally } from '../support/workflows.ts'

/** How many envelopes are parked in the namespace. */
async function parkedIn(namespace: string): Promise<() => Promise<number>> {
  const connection = await testConnection()
  const { parkedStream } = subjectsOf(namespace)
  return async () => (await connection.jsm.streams.info(parkedStream)).state.messages
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index)
}

async function addAll(node: Pick<Node, 'client'>, id: string, numbers: readonly number[]): Promise<void> {
  const handle = node.client.instance(tally, id)
  await Promise.all(numbers.map(n => handle.send({ type: 'ADD', n })))
}

describe('a paused instance', () => {
  it(
    'holds up no other of its partition, and applies all it was sent, in order, once resumed',
    { timeout: 60_000 },
    async () => {
      const namespace = freshNamespace()
      const node = await startNode({ namespace, partitions: 1 })
      const parked = await parkedIn(namespace)
      const busy = await node.client.start(tally, { id: 'busy', input: undefined })
      const other = await node.client.start(tally, { id: 'other', input: undefined })
      await busy.update({ type: 'ADD', n: -1 })

      await busy.pause()
      await addAll(node, 'busy', range(2_000))
      const outcome = await other.update({ type: 'ADD', n: 1 }, { timeout: '30s' })
      const meanwhile = await busy.get()
      await expect.poll(parked, { timeout: 30_000 }).toBe(2_000)

      expect(outcome).toMatchObject({ type: 'accepted', snapshot: { context: { count: 1 } } })
      expect(meanwhile).toMatchObject({ status: 'paused', context: { seen: [-1] } })
      await busy.resume()
      const { context } = await busy.waitFor(s => s.context.seen.length >= 2_001, { timeout: '60s' })
      expect(context.seen).toEqual([-1, ...range(2_000)])
      await expect.poll(parked, { timeout: 30_000 }).toBe(0)
      expect(await busy.update({ type: 'ADD', n: 7 })).toMatchObject({ type: 'accepted' })
    },
  )

  it('leaves memory, and is known to be paused by whoever owns it next', async () => {
    const namespace = freshNamespace()
    const first = await startNode({ namespace })
    const handle = await first.client.start(tally, { id: 'one', input: undefined })
    await handle.pause({ reason: 'the bank is closed' })
    await expect.poll(() => first.status().resident, { timeout: 10_000 }).toBe(0)
    await addAll(first, 'one', [1, 2])
    await first.stop()

    const second = await startNode({ namespace })
    await addAll(second, 'one', [3, 4])
    const parked = await parkedIn(namespace)
    await expect.poll(parked, { timeout: 10_000 }).toBe(4)
    const again = second.client.instance(tally, 'one')
    const found = await again.get()
    await again.resume()
    const { context, stopReason } = await again.waitFor(s => s.context.seen.length === 4, { timeout: '10s' })

    expect(found).toMatchObject({ status: 'paused', stopReason: 'the bank is closed', event: 'pause' })
    expect(context.seen).toEqual([1, 2, 3, 4])
    expect(stopReason).toBeUndefined()
  })

  it('has its activity stopped, and run again under the same key once resumed', async () => {
    const attempts: Attempt[] = []
    const worker = workerOf(attempt => attempts.push(attempt))
    const { client } = await startNode({ workflows: [worker] })
    const handle = await client.start(worker, { id: 'one' })
    await handle.update({ type: 'WORK' })
    await expect.poll(() => attempts.length, { timeout: 10_000 }).toBe(1)

    await handle.pause()
    await expect.poll(() => attempts[0]!.signal.aborted, { timeout: 10_000 }).toBe(true)
    attempts[0]!.finish('too late')
    await handle.resume()
    await expect.poll(() => attempts.length, { timeout: 10_000 }).toBe(2)
    attempts[1]!.finish('in time')
    const { context } = await handle.waitFor(s => s.context.answer !== '', { timeout: '10s' })

    expect(context.answer).toBe('in time')
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(attempts[1]!.key).toBe(attempts[0]!.key)
  })

  it('lets no timer fire; one that is overdue fires once it is resumed, once', async () => {
    const worker = workerOf(() => {})
    const { client } = await startNode({ workflows: [worker] })
    const handle = await client.start(worker, { id: 'one' })
    await handle.update({ type: 'WAIT', ms: 300 })
    await handle.pause()
    const { timers, revision } = (await handle.get())!
    await expect.poll(() => Date.now() > timers[0]!.dueAt + 100, { timeout: 10_000 }).toBe(true)

    const overdue = await handle.get()
    const [listed] = await collect(client.list({ status: 'paused' }))
    await handle.resume()
    await handle.waitFor(s => s.context.rings > 0, { timeout: '10s' })
    await handle.update({ type: 'WORK' })
    const after = await handle.get()

    expect(overdue).toMatchObject({ revision, status: 'paused', context: { rings: 0 } })
    expect(listed).toMatchObject({ address: handle.address, dueAt: undefined })
    expect(after).toMatchObject({ status: 'running', context: { rings: 1 }, timers: [] })
  })

  it('is cancelled at once, and refuses what has waited', async () => {
    const namespace = freshNamespace()
    const node = await startNode({ namespace, workflows: [child, parent] })
    const parked = await parkedIn(namespace)
    const handle = await node.client.start(parent, { id: 'p' })
    await handle.update({ type: 'RUN', n: 2, waits: true })
    await expect.poll(async () => (await collect(node.client.list({ workflow: child }))).length).toBe(1)
    const [row] = await collect(node.client.list({ workflow: child }))
    const wanted = node.client.instance(child, row!.address.id)
    await wanted.pause()
    const waiting = wanted.update({ type: 'GO' }, { timeout: '30s' })
    await expect.poll(parked, { timeout: 10_000 }).toBe(1)

    await handle.update({ type: 'DROP' })

    await expect.poll(async () => (await wanted.get())?.status, { timeout: 10_000 }).toBe('cancelled')
    expect(await waiting).toMatchObject({ type: 'rejected', code: 'INSTANCE_FINISHED' })
    await expect.poll(parked, { timeout: 10_000 }).toBe(0)
  })

  it('answers an update once it is resumed', async () => {
    const { client } = await startNode()
    const handle = await client.start(tally, { id: 'one', input: undefined })
    await handle.pause()

    const updating = handle.update({ type: 'ADD', n: 5 }, { timeout: '30s' })
    await handle.resume()

    expect(await updating).toMatchObject({ type: 'accepted', snapshot: { context: { count: 5 } } })
  })

  it('shows its status to watchers', async () => {
    const { client } = await startNode()
    const handle = await client.start(tally, { id: 'one', input: undefined })
    await handle.waitFor(() => true)
    const watched = collect(handle.watch())

    await handle.pause()
    await handle.resume()
    await handle.update({ type: 'FINISH' })

    expect((await watched).map(({ status }) => status)).toEqual(['running', 'paused', 'running', 'done'])
  })
})

describe('pausing and resuming', () => {
  it('twice changes nothing', async () => {
    const { client } = await startNode()
    const handle = await client.start(tally, { id: 'one', input: undefined })
    await handle.resume()
    const running = await handle.get()

    await handle.pause({ reason: 'first' })
    const paused = await handle.get()
    await handle.pause({ reason: 'second' })

    expect(running).toMatchObject({ status: 'running', event: 'xstate.init' })
    expect(await handle.get()).toMatchObject({ revision: paused!.revision, stopReason: 'first' })
  })

  it('says that an instance has finished, or is not there', async () => {
    const { client } = await startNode()
    const done = await client.start(tally, { id: 'one', input: undefined })
    await done.update({ type: 'FINISH' })
    const missing = client.instance(tally, 'missing')

    expect(await codeOf(done.pause())).toBe('INSTANCE_FINISHED')
    expect(await codeOf(done.resume())).toBe('INSTANCE_FINISHED')
    expect(await codeOf(missing.pause())).toBe('INSTANCE_NOT_FOUND')
  })

  it('is durable while no node is alive', async () => {
    const namespace = freshNamespace()
    const first = await startNode({ namespace })
    await (await first.client.start(tally, { id: 'one', input: undefined })).update({ type: 'ADD', n: 1 })
    await first.stop()
    await using client = await connect({ servers: sharedServerUrl(), namespace })
    const handle = client.instance(tally, 'one')

    const code = await codeOf(handle.pause({ timeout: '50ms' }))
    await handle.send({ type: 'ADD', n: 2 })
    await startNode({ namespace })
    const { context } = await handle.waitFor(s => s.status === 'paused', { timeout: '10s' })

    expect(code).toBe('TIMEOUT')
    expect(context.seen).toEqual([1])
  })
})
