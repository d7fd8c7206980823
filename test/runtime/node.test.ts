import { describe, expect, it } from 'vitest'

import { connect, defineWorkflow } from '../../src/index.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { codeOf, collect, startNode } from '../support/node.ts'
import { echo, tally } from '../support/workflows.ts'

describe('a node', () => {
  it('runs an instance from start to result', async () => {
    const { client } = await startNode()

    const handle = await client.start(tally, { id: 'one', input: { from: 40 } })
    await handle.send({ type: 'ADD', n: 2 })
    await handle.send({ type: 'FINISH' })

    expect(await handle.result({ timeout: '10s' })).toEqual({ count: 42, greeting: '' })
  })

  it('answers an update with what became of it', async () => {
    const { client } = await startNode()
    const handle = await client.start(tally, { id: 'one', input: undefined })

    const accepted = await handle.update({ type: 'ADD', n: 5 })
    const ignored = await handle.update({ type: 'NOBODY_LISTENS' } as never)
    await handle.update({ type: 'FINISH' })
    const rejected = await handle.update({ type: 'ADD', n: 1 })
    const missing = await client.instance(tally, 'nowhere').update({ type: 'FINISH' })

    expect(accepted).toMatchObject({ type: 'accepted', snapshot: { value: 'open', context: { count: 5 } } })
    expect(ignored).toMatchObject({ type: 'ignored' })
    expect(rejected).toMatchObject({ type: 'rejected', code: 'INSTANCE_FINISHED' })
    expect(missing).toMatchObject({ type: 'rejected', code: 'INSTANCE_NOT_FOUND' })
  })

  it('tries a failing activity again, and takes its result', async () => {
    const { client } = await startNode()
    const handle = await client.start(tally, { id: 'one', input: { from: 7 } })

    await handle.send({ type: 'GREET' })
    const snapshot = await handle.waitFor(({ context }) => context.greeting !== '', { timeout: '10s' })

    expect(snapshot.context.greeting).toBe('hello number 7, attempt 2')
  })

  it('hands the last error to the machine when every attempt has failed', async () => {
    const { client } = await startNode()
    const handle = await client.start(tally, { id: 'one', input: { from: -1 } })

    await handle.send({ type: 'GREET' })
    const snapshot = await handle.waitFor(({ context }) => context.greeting !== '', { timeout: '10s' })

    expect(snapshot.context.greeting).toBe('nobody')
  })

  it('fires a timer when it is due and not before', async () => {
    const { client } = await startNode()
    const handle = await client.start(tally, { id: 'one', input: undefined })
    const before = Date.now()

    await handle.send({ type: 'WAIT', ms: 300 })
    await handle.result({ timeout: '10s' })

    expect(Date.now() - before).toBeGreaterThanOrEqual(300)
  })

  it('hosts callbacks, hands them events and takes what they send back', async () => {
    const { client } = await startNode()
    const handle = await client.start(echo, { id: 'one' })

    await handle.send({ type: 'SAY', text: 'hi' })
    const snapshot = await handle.waitFor(({ context }) => context.heard.length > 0, { timeout: '10s' })

    expect(snapshot.context.heard).toEqual(['HI'])
  })

  it('applies the events of one sender in order, once each, whatever their number', async () => {
    const { client } = await startNode()
    const handle = await client.start(tally, { id: 'one', input: undefined })
    const numbers = Array.from({ length: 500 }, (_, index) => index)

    await Promise.all(numbers.map(n => handle.send({ type: 'ADD', n })))
    const snapshot = await handle.waitFor(({ context }) => context.seen.length >= 500, { timeout: '20s' })

    expect(snapshot.context.seen).toEqual(numbers)
  })

  it('takes the same start again for the same, and refuses another under its id', async () => {
    const { client } = await startNode()
    const first = await client.start(tally, { id: 'one', input: { from: 1 } })
    await first.update({ type: 'ADD', n: 1 })

    const again = await client.start(tally, { id: 'one', input: { from: 1 } })
    const other = codeOf(client.start(tally, { id: 'one', input: { from: 2 } }))

    expect((await again.get())?.context.count).toBe(2)
    expect(await other).toBe('INSTANCE_EXISTS')
  })

  it('applies an event sent twice under one id once', async () => {
    const { client } = await startNode()
    const handle = await client.start(tally, { id: 'one', input: undefined })

    await handle.send({ type: 'ADD', n: 1 }, { id: 'the-same' })
    await handle.send({ type: 'ADD', n: 1 }, { id: 'the-same' })

    expect(await handle.update({ type: 'ADD', n: 10 })).toMatchObject({
      snapshot: { context: { count: 11 } },
    })
  })

  it('lets instances go that have rested, and brings them back as they were', async () => {
    const node = await startNode({ passivateAfter: '40ms' })
    const handle = await node.client.start(tally, { id: 'one', input: { from: 3 } })
    await handle.update({ type: 'ADD', n: 1 })

    await expect.poll(() => node.status().resident, { timeout: 10_000 }).toBe(0)

    expect(await handle.update({ type: 'ADD', n: 1 })).toMatchObject({ snapshot: { context: { count: 5 } } })
  })

  it('lets those go that have rested longest when more rest than it may keep, and brings them back', async () => {
    const node = await startNode({ maxResting: 2 })
    const ids = ['one', 'two', 'three', 'four', 'five']
    for (const id of ids) {
      const handle = await node.client.start(tally, { id, input: { from: 3 } })
      await handle.update({ type: 'ADD', n: 1 })
    }

    expect(node.status().resident).toBe(2)
    for (const id of ids) {
      const outcome = await node.client.instance(tally, id).update({ type: 'ADD', n: 1 })
      expect(outcome).toMatchObject({ snapshot: { context: { count: 5 } } })
    }
    expect(node.status().resident).toBe(2)
  })

  it('leaves everything for its successor when it stops: timers, retries and running activities go on', async () => {
    const namespace = freshNamespace()
    const first = await startNode({ namespace })
    const waiting = await first.client.start(tally, { id: 'waiting', input: undefined })
    await waiting.update({ type: 'WAIT', ms: 600 })
    const talking = await first.client.start(echo, { id: 'talking' })
    await talking.waitFor(() => true)

    await first.stop()
    const second = await startNode({ namespace })
    const after = second.client.instance(echo, 'talking')
    await after.update({ type: 'SAY', text: 'again' })

    await second.client.instance(tally, 'waiting').result({ timeout: '10s' })
    expect((await after.waitFor(({ context }) => context.heard.length > 0)).context.heard).toEqual(['AGAIN'])
  })

  it('keeps events accepted while no node was alive', async () => {
    const namespace = freshNamespace()
    const first = await startNode({ namespace })
    const handle = await first.client.start(tally, { id: 'one', input: undefined })
    await handle.update({ type: 'ADD', n: 1 })
    await first.stop()
    await using client = await connect({ servers: sharedServerUrl(), namespace })

    await client.instance(tally, 'one').send({ type: 'ADD', n: 2 })
    await startNode({ namespace })

    const snapshot = await client.instance(tally, 'one').waitFor(({ context }) => context.count === 3)
    expect(snapshot.context.seen).toEqual([1, 2])
  })

  it('shows every commit to a watcher, from the present on, and ends with the instance', async () => {
    const { client } = await startNode()
    const handle = await client.start(tally, { id: 'one', input: undefined })
    await handle.waitFor(() => true)
    const watched = collect(handle.watch())

    for (const n of [1, 2, 3]) await handle.update({ type: 'ADD', n })
    await handle.update({ type: 'FINISH' })

    const snapshots = await watched
    expect(snapshots.map(({ context }) => context.count)).toEqual([0, 1, 3, 6, 6])
    expect(snapshots.at(-1)?.status).toBe('done')
  })

  it('lists instances from their headers, by workflow and status', async () => {
    const { client } = await startNode()
    await Promise.all(['a', 'b', 'c'].map(id => client.start(tally, { id, input: undefined })))
    await client.start(echo, { id: 'd' })
    const done = client.instance(tally, 'a')
    await done.update({ type: 'FINISH' })
    await client.instance(echo, 'd').update({ type: 'HUSH' })
    await Promise.all(['b', 'c'].map(id => client.instance(tally, id).waitFor(() => true)))

    const running = await collect(client.list({ workflow: tally, status: 'running' }))
    const all = await collect(client.list())

    expect(running.map(row => row.address.id).toSorted()).toEqual(['b', 'c'])
    expect(all.map(row => `${row.address.id} ${row.status} ${row.state}`).toSorted()).toEqual([
      'a done finished',
      'b running open',
      'c running open',
      'd running quiet',
    ])
  })

  it('reports the failure of an instance as its result, with the cause', async () => {
    const failing = defineWorkflow(tally.machine, { name: 'tally', onError: 'fail' })
    const { client } = await startNode({ workflows: [failing] })
    const handle = await client.start(failing, { id: 'one', input: undefined })

    await handle.send({ type: 'BREAK' })
    const failure: unknown = await handle.result({ timeout: '10s' }).catch((error: unknown) => error)

    expect(failure).toMatchObject({ code: 'WORKFLOW_FAILED', cause: { message: 'broken on purpose' } })
  })
})
