import { setup } from 'xstate'
import { describe, expect, it } from 'vitest'

import { childWorkflow, defineWorkflow, type Node, type Workflow } from '../../src/index.ts'
import { child, listener, parent, teller } from '../support/families.ts'
import { freshNamespace } from '../support/nats.ts'
import { codeOf, collect, startNode } from '../support/node.ts'

const workflows = [child, parent, listener, teller]

/** The one child there is. */
async function childOf(node: Node): Promise<{ id: string; status: string }> {
  const [only, ...others] = await collect(node.client.list({ workflow: child }))
  expect(others).toEqual([])
  return { id: only!.address.id, status: only!.status }
}

describe('a child workflow', () => {
  it('runs as an instance of its own and hands its output to its parent', async () => {
    const { client } = await startNode({ workflows })
    const handle = await client.start(parent, { id: 'p' })

    await handle.update({ type: 'RUN', n: 7 })
    const { context } = await handle.waitFor(s => s.context.results.length === 1, { timeout: '10s' })

    expect(context.results).toEqual(['done 49'])
  })

  it('hands its failure to its parent', async () => {
    const { client } = await startNode({ workflows })
    const handle = await client.start(parent, { id: 'p' })

    await handle.update({ type: 'RUN', n: -1 })
    const { context } = await handle.waitFor(s => s.context.results.length === 1, { timeout: '10s' })

    expect(context.results).toEqual(['failed -1 is below zero'])
  })

  it('is cancelled when the state that invoked it is left, and its result is not wanted', async () => {
    const node = await startNode({ workflows })
    const handle = await node.client.start(parent, { id: 'p' })
    await handle.update({ type: 'RUN', n: 2, waits: true })
    await expect.poll(async () => (await collect(node.client.list({ workflow: child }))).length).toBe(1)

    await handle.update({ type: 'DROP' })
    await expect.poll(async () => (await childOf(node)).status).toBe('cancelled')
    await handle.update({ type: 'RUN', n: 3 })
    const { context } = await handle.waitFor(s => s.context.results.length === 1, { timeout: '10s' })

    expect(context.results).toEqual(['done 9'])
  })

  it('is cancelled when its parent ends', async () => {
    const node = await startNode({ workflows })
    const handle = await node.client.start(parent, { id: 'p' })
    await handle.update({ type: 'RUN', n: 2, waits: true })
    await expect.poll(async () => (await collect(node.client.list({ workflow: child }))).length).toBe(1)

    await handle.update({ type: 'FINISH' })

    await expect.poll(async () => (await childOf(node)).status).toBe('cancelled')
  })

  it('goes on when it is detached', async () => {
    const node = await startNode({ workflows })
    const handle = await node.client.start(parent, { id: 'p' })
    await handle.update({ type: 'RUN_DETACHED', n: 2, waits: true })
    await expect.poll(async () => (await collect(node.client.list({ workflow: child }))).length).toBe(1)

    await handle.update({ type: 'DROP' })
    const { id } = await childOf(node)
    await node.client.instance(child, id).send({ type: 'GO' })

    expect(await node.client.instance(child, id).result({ timeout: '10s' })).toBe(4)
  })

  it('lets its parent leave memory while it runs, and brings it back with its result', async () => {
    const node = await startNode({ workflows, passivateAfter: '40ms' })
    const handle = await node.client.start(parent, { id: 'p' })
    await handle.update({ type: 'RUN', n: 5, waits: true })
    await expect.poll(() => node.status().resident, { timeout: 10_000 }).toBe(0)

    const { id } = await childOf(node)
    await node.client.instance(child, id).send({ type: 'GO' })
    const { context } = await handle.waitFor(s => s.context.results.length === 1, { timeout: '10s' })

    expect(context.results).toEqual(['done 25'])
  })

  it('and its parent go on on another node', async () => {
    const namespace = freshNamespace()
    const first = await startNode({ namespace, workflows })
    await (await first.client.start(parent, { id: 'p' })).update({ type: 'RUN', n: 5, waits: true })
    await expect.poll(async () => (await collect(first.client.list({ workflow: child }))).length).toBe(1)
    await first.stop()

    const second = await startNode({ namespace, workflows })
    const { id } = await childOf(second)
    await second.client.instance(child, id).send({ type: 'GO' })
    const handle = second.client.instance(parent, 'p')
    const { context } = await handle.waitFor(s => s.context.results.length === 1, { timeout: '10s' })

    expect(context.results).toEqual(['done 25'])
  })

  it('that no node knows fails, and its parent hears so', async () => {
    const { client } = await startNode({ workflows: [parent] })
    const handle = await client.start(parent, { id: 'p' })

    await handle.update({ type: 'RUN', n: 7 })
    const { context } = await handle.waitFor(s => s.context.results.length === 1, { timeout: '10s' })

    expect(context.results[0]).toMatch(
      /^failed child child\/parent\.p\.\d+ could not start: no workflow 'child'/,
    )
  })

  it('S16: may not nest without end', async () => {
    const endless: Workflow = defineWorkflow(
      setup({ actors: { self: childWorkflow({ name: 'endless' } as Workflow) } }).createMachine({
        id: 'endless',
        initial: 'nesting',
        states: { nesting: { invoke: { src: 'self', onDone: 'done' } }, done: { type: 'final' } },
      }),
    )
    const { client } = await startNode({ workflows: [endless] })
    const root = await client.start(endless, { id: 'root' })

    expect(await codeOf(root.result({ timeout: '20s' }))).toBe('WORKFLOW_FAILED')
    const all = await collect(client.list({ workflow: endless }))
    expect(all).toHaveLength(33)
    const error = await root
      .result({ timeout: '1s' })
      .catch((cause: unknown) => String((cause as Error).message))
    expect(error).toContain('32 parents')
    const errors = await Promise.all(
      all.map(async ({ address }) => (await client.instance(endless, address.id).get())!.error),
    )
    expect(errors).toContainEqual(expect.objectContaining({ code: 'DEPTH_EXCEEDED' }))
  })
})

describe('an instance', () => {
  it('starts another and sends it events, which arrive once and in order', async () => {
    const { client } = await startNode({ workflows })
    const handle = await client.start(teller, { id: 't', input: { friend: 'f' } })

    await handle.send({ type: 'BEGIN' })
    await Promise.all(Array.from({ length: 100 }, () => handle.send({ type: 'TELL' })))
    const friend = client.instance(listener, 'f')
    const { context } = await friend.waitFor(s => s.context.heard.length >= 101, { timeout: '20s' })

    expect(context.heard).toEqual(Array.from({ length: 101 }, (_, index) => index - 1))
  })

  it('sends another an event later, even when it has left memory', async () => {
    const { client } = await startNode({ workflows, passivateAfter: '20ms' })
    const handle = await client.start(teller, { id: 't', input: { friend: 'f' } })
    await handle.send({ type: 'BEGIN' })

    const before = Date.now()
    await handle.send({ type: 'TELL_LATER', ms: 300 })
    const friend = client.instance(listener, 'f')
    await friend.waitFor(s => s.context.heard.length === 2, { timeout: '10s' })

    expect(Date.now() - before).toBeGreaterThanOrEqual(300)
  })
})
