import { once } from 'node:events'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { connect, formatAddress } from '../../src/index.ts'
import { subjectsOf } from '../../src/nats/subjects.ts'
import { testConnection } from '../contract/fixtures.ts'
import { fragile } from '../support/fragile.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { codeOf, collect, startNode } from '../support/node.ts'
import { forkScript, nextMessage } from '../support/processes.ts'
import { tally } from '../support/workflows.ts'
import { crash } from './tally-node.ts'

const workflow = fragile(false)

async function startFragileNode(namespace: string, state: 'broken' | 'fixed') {
  const child = forkScript(
    join(import.meta.dirname, 'fragile-process.ts'),
    sharedServerUrl(),
    namespace,
    state,
  )
  await nextMessage(child)
  return child
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index + 100)
}

describe('a suspended instance', { timeout: 120_000 }, () => {
  it('holds up no other, and applies all it was sent, in order, once a fixed node has retried it', async () => {
    const namespace = freshNamespace()
    const broken = await startFragileNode(namespace, 'broken')
    await using client = await connect({ servers: sharedServerUrl(), namespace })
    const connection = await testConnection()
    const parked = async () =>
      (await connection.jsm.streams.info(subjectsOf(namespace).parkedStream)).state.messages
    const handle = await client.start(workflow, { id: 'one', input: undefined })
    const other = await client.start(tally, { id: 'other', input: undefined })

    await handle.send({ type: 'ADD', n: 1 })
    const outcome = await handle.update({ type: 'ADD', n: 13 }, { timeout: '30s' })
    const sending = Promise.all(range(1_000).map(n => handle.send({ type: 'ADD', n })))
    const elsewhere = await other.update({ type: 'ADD', n: 1 }, { timeout: '30s' })
    await sending
    await expect.poll(parked, { timeout: 30_000 }).toBe(1_000)
    const meanwhile = await handle.get()
    const again = await codeOf(handle.retry({ timeout: '30s' }))
    const retried = await handle.get()
    await crash(broken)
    const fixed = await startFragileNode(namespace, 'fixed')
    const afterwards = await handle.get()
    await handle.retry({ timeout: '30s' })
    // While it takes what was parked.
    await crash(fixed)
    await startFragileNode(namespace, 'fixed')
    const { context, incident } = await handle.waitFor(s => s.context.seen.length >= 1_002, {
      timeout: '60s',
    })

    expect(outcome).toMatchObject({ type: 'suspended', snapshot: { context: { seen: [1] } } })
    expect(elsewhere).toMatchObject({ type: 'accepted' })
    expect(meanwhile).toMatchObject({
      status: 'suspended',
      event: 'suspend',
      context: { seen: [1] },
      incident: {
        code: 'STEP_FAILED',
        tries: 1,
        cause: { type: 'envelope', envelope: { event: { type: 'ADD', n: 13 } } },
      },
    })
    expect(again).toBe('STEP_FAILED')
    expect(retried).toMatchObject({ status: 'suspended', incident: { tries: 2 } })
    expect(afterwards).toEqual({ ...retried, matches: expect.any(Function) as unknown })
    expect(context.seen).toEqual([1, 13, ...range(1_000)])
    expect(incident).toBeUndefined()
    await expect.poll(parked, { timeout: 30_000 }).toBe(0)
  })

  it('is retried once however often the node dies on the way', async () => {
    const namespace = freshNamespace()
    let child = await startFragileNode(namespace, 'broken')
    await using client = await connect({ servers: sharedServerUrl(), namespace })
    const handle = await client.start(workflow, { id: 'one', input: undefined })
    await handle.update({ type: 'ADD', n: 13 }, { timeout: '30s' })
    await handle.send({ type: 'ADD', n: 14 })
    for (let round = 0; round < 3; round++) {
      await crash(child)
      // Durable before anyone can take it up; each node dies while it is taking it up.
      const abort = new AbortController()
      const retrying = handle
        .retry({ id: 'retry', timeout: '60s', signal: abort.signal })
        .catch(() => undefined)
      child = await startFragileNode(namespace, 'fixed')
      abort.abort()
      await retrying
    }

    const { context } = await handle.waitFor(s => s.context.seen.length >= 2, { timeout: '60s' })
    expect(context.seen).toEqual([13, 14])
    expect(await codeOf(handle.retry({ timeout: '30s' }))).toBe('INSTANCE_NOT_SUSPENDED')
    child.kill('SIGKILL')
    await once(child, 'exit')
  })

  it('is found with all others, and they are retried together', async () => {
    const namespace = freshNamespace()
    const first = await startNode({ namespace, workflows: [workflow] })
    const ids = Array.from({ length: 40 }, (_, index) => `i-${index}`)
    for (const id of ids) {
      const handle = await first.client.start(workflow, { id, input: undefined })
      await handle.send({ type: 'ADD', n: id === 'i-7' ? 7 : 13 })
    }
    const unborn = await first.client.start(workflow, { id: 'unborn', input: { from: 13 } })
    await unborn.waitFor(s => s.status === 'suspended', { timeout: '20s' })
    await expect
      .poll(async () => (await collect(first.client.list({ status: 'suspended' }))).length, {
        timeout: 20_000,
      })
      .toBe(40)

    const found = await collect(first.client.incidents({ workflow }))
    const tooSoon = await first.client.retryAll({ workflow })
    await first.stop()
    const second = await startNode({ namespace, workflows: [fragile(true)] })
    const retried = await second.client.retryAll({ workflow })
    const left = await collect(second.client.incidents())
    const nothing = await second.client.retryAll()
    const born = await second.client.instance(workflow, 'unborn').get()

    const expected = [...ids.filter(id => id !== 'i-7'), 'unborn']
    expect(found.map(({ address }) => address.id).toSorted()).toEqual(expected.toSorted())
    expect(found.every(({ incident }) => incident?.code === 'STEP_FAILED')).toBe(true)
    expect(tooSoon.settled).toBe(0)
    expect(tooSoon.suspended.map(formatAddress)).toHaveLength(40)
    expect(retried).toEqual({ settled: 40, suspended: [] })
    expect([left, nothing]).toEqual([[], { settled: 0, suspended: [] }])
    expect(born).toMatchObject({ status: 'running', value: 'open', context: { seen: [] } })
  })

  it('is skipped, failed or edited', async () => {
    const node = await startNode({ workflows: [workflow] })
    const suspended = async (id: string) => {
      const handle = await node.client.start(workflow, { id, input: undefined })
      await handle.update({ type: 'ADD', n: 13 })
      return handle
    }
    const skipped = await suspended('skipped')
    const failed = await suspended('failed')
    const edited = await suspended('edited')

    await skipped.skip()
    const after = await skipped.update({ type: 'ADD', n: 1 })
    await failed.fail({ reason: 'nobody needs it' })
    const error = await failed.result({ timeout: '10s' }).catch((cause: unknown) => (cause as Error).cause)
    const wrong = await codeOf(edited.edit(state => ({ ...state, value: 'nowhere' as 'open' })))
    let calls = 0
    await edited.edit(state => {
      calls++
      return { ...state, context: { seen: [...state.context.seen, 5] } }
    })
    const stillSuspended = await edited.get()
    await edited.skip()
    const result = await edited.update({ type: 'FINISH' })

    expect(after).toMatchObject({ type: 'accepted', snapshot: { context: { seen: [1] } } })
    expect(error).toMatchObject({ code: 'WORKFLOW_FAILED', message: 'nobody needs it' })
    expect(wrong).toBe('EDIT_INVALID')
    expect(calls).toBe(1)
    expect(stillSuspended).toMatchObject({ status: 'suspended', context: { seen: [5] } })
    expect(result).toMatchObject({ type: 'accepted', snapshot: { output: [5] } })
  })

  it('is edited anew when another has edited it in between', async () => {
    const node = await startNode({ workflows: [workflow] })
    const handle = await node.client.start(workflow, { id: 'one', input: undefined })
    await handle.update({ type: 'ADD', n: 13 })
    const add = (n: number) =>
      handle.edit(state => ({ ...state, context: { seen: [...state.context.seen, n] } }), { timeout: '20s' })

    await Promise.all([add(1), add(2), add(3)])

    const { context } = (await handle.get())!
    expect(context.seen.toSorted((a, b) => a - b)).toEqual([1, 2, 3])
  })
})

describe('a workflow that wants dead letters', { timeout: 60_000 }, () => {
  it('goes on without what threw, which is kept with the reason', async () => {
    const node = await startNode({ workflows: [fragile(false, 'deadLetter')] })
    const handle = await node.client.start(workflow, { id: 'one', input: undefined })

    await handle.send({ type: 'ADD', n: 1 })
    const outcome = await handle.update({ type: 'ADD', n: 13 })
    await handle.send({ type: 'ADD', n: 2 })
    const refused = await codeOf(
      node.client.start(workflow, { id: 'two', input: { from: 13 }, until: 'accepted' }),
    )
    const { context } = await handle.waitFor(s => s.context.seen.length === 2, { timeout: '10s' })
    const letters = () => collect(node.client.deadLetters.list())
    await expect.poll(async () => (await letters()).length, { timeout: 10_000 }).toBe(2)

    expect(outcome).toMatchObject({ type: 'rejected', code: 'STEP_FAILED' })
    expect(refused).toBe('STEP_FAILED')
    expect(context.seen).toEqual([1, 2])
    expect((await letters()).map(({ code, reason }) => [code, /13 is (.*)$/m.exec(reason)?.[1]])).toEqual([
      ['STEP_FAILED', 'unlucky'],
      ['STEP_FAILED', 'no beginning'],
    ])
    expect(await node.client.instance(workflow, 'two').get()).toBeUndefined()
  })
})
