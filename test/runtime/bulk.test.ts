import { describe, expect, it } from 'vitest'
import { assign, setup, type PromiseActorLogic } from 'xstate'

import {
  bulk,
  defineWorkflow,
  RuntimeError,
  type BulkOutcome,
  type BulkResult,
  type Client,
  type Node,
} from '../../src/index.ts'
import { until } from '../contract/until.ts'
import { gatherer } from '../support/bulks.ts'
import { child } from '../support/families.ts'
import { freshNamespace } from '../support/nats.ts'
import { collect, startNode } from '../support/node.ts'

const workflows = [gatherer, child]

/** What must come of children that square their index, every so-manyth of which fails, in short. */
function expected(count: number, failEvery: number): unknown[] {
  return Array.from({ length: count }, (_, index) =>
    index % failEvery === failEvery - 1 ? [index, `${-index - 1} is below zero`] : [index, index * index],
  )
}

/** What came of each child, in the order of the children. */
async function resultsOf(client: Client, outcome: BulkOutcome<number> | undefined): Promise<unknown[]> {
  const results = await collect(client.bulkResults(outcome!.results))
  return byIndex(results).map(result =>
    result.status === 'done'
      ? [result.index, result.output]
      : [result.index, (result.error as Error).message],
  )
}

function byIndex<T>(results: readonly BulkResult<T>[]): readonly BulkResult<T>[] {
  return results.toSorted((a, b) => a.index - b.index)
}

async function statusesOf(node: Node): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {}
  for await (const { status } of node.client.list({ workflow: child })) {
    statuses[status] = (statuses[status] ?? 0) + 1
  }
  return statuses
}

describe('a bulk', () => {
  it('runs a thousand children and answers what came of each', { timeout: 90_000 }, async () => {
    const { client } = await startNode({ workflows })
    const handle = await client.start(gatherer, { id: 'g', input: { count: 1000, failEvery: 10 } })

    const { activities, context } = await handle.waitFor(s => s.matches('gathered'), { timeout: '80s' })

    expect(context.outcome).toMatchObject({ total: 1000, succeeded: 900, failed: 100 })
    expect(activities).toEqual([])
    expect(await resultsOf(client, context.outcome)).toEqual(expected(1000, 10))
  })

  it('shows how far it is, and never runs more children than may', async () => {
    const { client } = await startNode({ workflows })
    const handle = await client.start(gatherer, { id: 'g', input: { count: 60, strictly: true } })

    const seen: number[] = []
    for await (const snapshot of handle.watch()) {
      if (snapshot.matches('gathered')) break
      const { completed, running, started, total } = snapshot.activities[0]!.bulk!
      expect([total, started - running.length]).toEqual([60, completed])
      expect(running.length).toBeLessThanOrEqual(20)
      seen.push(completed)
    }

    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    expect(seen.length).toBeGreaterThan(2)
  })

  it('ends at once when there is nothing to do', async () => {
    const { client } = await startNode({ workflows })
    const handle = await client.start(gatherer, { id: 'g', input: { count: 0 } })

    const { context } = await handle.waitFor(s => s.matches('gathered'), { timeout: '10s' })

    expect(context.outcome).toMatchObject({ total: 0, succeeded: 0, failed: 0 })
    expect(await collect(client.bulkResults(context.outcome!.results))).toEqual([])
  })

  it(
    'goes on where it was when its node is stopped in the middle, and again',
    { timeout: 60_000 },
    async () => {
      const namespace = freshNamespace()
      const first = await startNode({ namespace, workflows })
      await first.client.start(gatherer, { id: 'g', input: { count: 300, failEvery: 7 } })

      let node = first
      for (const least of [30, 150]) {
        const handle = node.client.instance(gatherer, 'g')
        await handle.waitFor(s => (s.activities[0]?.bulk?.completed ?? 0) >= least, { timeout: '30s' })
        await node.stop()
        node = await startNode({ namespace, workflows })
      }
      const handle = node.client.instance(gatherer, 'g')
      const { context } = await handle.waitFor(s => s.matches('gathered'), { timeout: '40s' })

      expect(await resultsOf(node.client, context.outcome)).toEqual(expected(300, 7))
    },
  )

  it('leaves memory while its children wait, and comes back with the first of them', async () => {
    const node = await startNode({ workflows, passivateAfter: '40ms' })
    const { client } = node
    const handle = await client.start(gatherer, { id: 'g', input: { count: 3, waits: true } })
    await expect.poll(() => statusesOf(node)).toEqual({ running: 3 })
    await expect.poll(() => node.status().resident, { timeout: 10_000 }).toBe(0)

    for await (const { address } of client.list({ workflow: child })) {
      await client.instance(child, address.id).send({ type: 'GO' })
    }
    const { context } = await handle.waitFor(s => s.matches('gathered'), { timeout: '10s' })

    expect(context.outcome).toMatchObject({ succeeded: 3 })
  })

  it.each([
    ['the invoking state is left', 'DROP'],
    ['its parent ends', 'FINISH'],
  ] as const)('leaves no child running when %s in the middle', async (_, type) => {
    const node = await startNode({ workflows })
    const handle = await node.client.start(gatherer, { id: 'g', input: { count: 500, waitEvery: 3 } })
    await handle.waitFor(s => (s.activities[0]?.bulk?.completed ?? 0) >= 20, { timeout: '20s' })

    await handle.update({ type })

    await expect.poll(async () => (await statusesOf(node))['running'] ?? 0, { timeout: 10_000 }).toBe(0)
    const { cancelled = 0, done = 0 } = await statusesOf(node)
    expect(cancelled).toBeGreaterThan(0)
    expect(cancelled + done).toBeLessThan(500)
    expect((await handle.get())?.activities).toEqual([])
  })

  it('ends at the first failure if that is wanted, and leaves no child running', async () => {
    const node = await startNode({ workflows })
    const input = { count: 500, failEvery: 50, waitEvery: 3, strictly: true }
    const handle = await node.client.start(gatherer, { id: 'g', input })

    const { context } = await handle.waitFor(s => s.matches('failed'), { timeout: '20s' })

    expect(context.error).toMatchObject({
      code: 'WORKFLOW_FAILED',
      cause: { message: '-50 is below zero' },
      fields: { index: 49 },
    })
    await expect.poll(async () => (await statusesOf(node))['running'] ?? 0, { timeout: 10_000 }).toBe(0)
  })

  it('hands on results that are far too large for one record', { timeout: 60_000 }, async () => {
    const large = defineWorkflow(
      setup({
        types: { context: {} as { n: number }, input: {} as number, output: {} as string },
      }).createMachine({
        id: 'large',
        context: ({ input }) => ({ n: input }),
        initial: 'done',
        output: ({ context }) => `${context.n}`.padEnd(200_000, 'x'),
        states: { done: { type: 'final' } },
      }),
    )
    const numbers = Array.from({ length: 30 }, (_, index) => index)
    const holder = holderOf(bulk(large, { items: () => numbers }))
    const { client } = await startNode({ workflows: [large, holder] })
    const handle = await client.start(holder, { id: 'h' })

    const { context } = await handle.waitFor(s => s.matches('done'), { timeout: '50s' })

    const results = await collect(client.bulkResults(context.outcome!.results))
    expect(results.map(({ status }) => status)).toEqual(numbers.map(() => 'done'))
    const outputs = byIndex(results).map(result => (result as { output: string }).output)
    expect(outputs.map(output => [Number.parseInt(output, 10), output.length])).toEqual(
      numbers.map(index => [index, 200_000]),
    )
  })

  it('takes children that cannot start for failed ones', async () => {
    const inputs: unknown[] = [
      { n: 2 },
      { n: () => {} },
      { n: 'x'.repeat(2_000_000) },
      { n: 'two' },
      { n: 3 },
    ]
    const known = defineWorkflow(child.machine, {
      input: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: value =>
            typeof (value as { n: unknown }).n === 'number'
              ? { value: value as { n: number; waits: boolean } }
              : { issues: [{ message: 'a number is wanted' }] },
        },
      },
    })
    const items = () => ({
      length: 6,
      at: (index: number) => {
        if (index === 5) throw new Error('no such item')
        return inputs[index] as { n: number; waits: boolean }
      },
    })
    const holder = holderOf(bulk(known, { items, concurrency: 2 }))
    const { client } = await startNode({ workflows: [known, holder] })
    const handle = await client.start(holder, { id: 'h' })

    const { context } = await handle.waitFor(s => s.matches('done'), { timeout: '20s' })

    expect(context.outcome).toMatchObject({ total: 6, succeeded: 2, failed: 4 })
    expect(byIndex(await collect(client.bulkResults(context.outcome!.results)))).toMatchObject([
      { status: 'done', output: 4 },
      { status: 'failed', error: { code: 'VALUE_UNSUPPORTED' } },
      { status: 'failed', error: { code: 'PAYLOAD_TOO_LARGE' } },
      { status: 'failed', error: { code: 'INPUT_INVALID' } },
      { status: 'done', output: 9 },
      { status: 'failed', error: { message: 'no such item' } },
    ])
  })

  it('hears of a child that cannot start also when that turns out while its parent is paused', async () => {
    let error: Error = new RuntimeError('STORE_UNAVAILABLE', 'not now', { retryable: true })
    let tried: Error | undefined
    const at = (): { n: number; waits: boolean } => {
      tried = error
      throw error
    }
    const holder = holderOf(bulk(child, { items: () => ({ length: 1, at }) }))
    const { client } = await startNode({ workflows: [child, holder] })
    const handle = await client.start(holder, { id: 'h' })
    await until(() => tried !== undefined)
    await handle.pause()

    error = new Error('no such item')
    await until(() => tried === error)
    await handle.resume()
    const { context } = await handle.waitFor(s => s.matches('done'), { timeout: '5s' })

    expect(context.outcome).toMatchObject({ total: 1, failed: 1 })
    expect(await collect(client.bulkResults(context.outcome!.results))).toMatchObject([
      { status: 'failed', error: { message: 'no such item' } },
    ])
  })

  it('of a workflow that no node knows has failed as many times as it has children', async () => {
    const { client } = await startNode({ workflows: [gatherer] })
    const handle = await client.start(gatherer, { id: 'g', input: { count: 50 } })

    const { context } = await handle.waitFor(s => s.matches('gathered'), { timeout: '20s' })

    expect(context.outcome).toMatchObject({ total: 50, failed: 50 })
  })

  it('whose items cannot be told arrives as an error', async () => {
    const items = (): never => {
      throw new Error('no items')
    }
    const holder = holderOf(bulk(child, { items }))
    const { client } = await startNode({ workflows: [child, holder] })
    const handle = await client.start(holder, { id: 'h' })

    const { context } = await handle.waitFor(s => s.matches('failed'), { timeout: '10s' })

    expect(context.error).toMatchObject({ message: 'no items' })
  })

  it('may not nest without end', async () => {
    const endless = defineWorkflow(
      setup({
        actors: {
          many: bulk({ name: 'endless' } as typeof child, { items: () => [{ n: 1, waits: false }] }),
        },
      }).createMachine({
        id: 'endless',
        initial: 'nesting',
        states: { nesting: { invoke: { src: 'many', onDone: 'done' } }, done: { type: 'final' } },
      }),
    )
    const { client } = await startNode({ workflows: [endless] })
    const root = await client.start(endless, { id: 'root' })

    await root.result({ timeout: '20s' })
    const all = await collect(client.list({ workflow: endless }))
    expect(all.filter(({ status }) => status === 'failed')).toHaveLength(1)
    expect(all).toHaveLength(33)
  })
})

/** A workflow that runs one bulk and keeps what it answers. */
function holderOf<TOutput>(many: PromiseActorLogic<BulkOutcome<TOutput>>) {
  return defineWorkflow(
    setup({
      types: { context: {} as { readonly outcome?: BulkOutcome<TOutput>; readonly error?: unknown } },
      actors: { many },
    }).createMachine({
      id: 'holder',
      context: {},
      initial: 'holding',
      states: {
        holding: {
          invoke: {
            src: 'many',
            onDone: { target: 'done', actions: assign({ outcome: ({ event }) => event.output }) },
            onError: { target: 'failed', actions: assign({ error: ({ event }) => event.error }) },
          },
        },
        done: {},
        failed: {},
      },
    }),
  )
}
