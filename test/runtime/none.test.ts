import { describe, expect, it } from 'vitest'
import { assign, sendTo, setup } from 'xstate'
import { childWorkflow, defineWorkflow, instanceRef, type Workflow } from '../../src/index.ts'
import { startNode } from '../support/node.ts'
import { noteUnhandled } from '../support/unhandled.ts'
import { tally } from '../support/workflows.ts'

const child = (id: string, output: () => unknown) =>
  defineWorkflow(
    setup({ types: { output: {} as unknown } }).createMachine({
      id,
      initial: 'over',
      states: { over: { type: 'final' } },
      output,
    }),
    { persist: 'none' },
  )
const parentOf = (id: string, workflow: Workflow) =>
  defineWorkflow(
    setup({ actors: { child: childWorkflow(workflow) as never } }).createMachine({
      id,
      initial: 'waiting',
      states: {
        waiting: { invoke: { src: 'child', onDone: 'done', onError: 'failed' } as never },
        done: { type: 'final' },
        failed: { type: 'final' },
      },
    }),
  )
const odd = child('odd', () => ({ undo: () => {} }))
const large = child('large', () => 'x'.repeat(2 * 1024 * 1024))
const parents = [parentOf('parent-odd', odd), parentOf('parent-large', large)]

const courier = defineWorkflow(
  setup({ types: { input: {} as { n: number }, context: {} as { n: number } } }).createMachine({
    id: 'courier',
    context: ({ input }) => ({ n: input.n }),
    initial: 'over',
    states: {
      over: {
        type: 'final',
        entry: sendTo(
          () => instanceRef(tally, 'sum'),
          ({ context }) => ({ type: 'ADD', n: context.n }) as const,
        ),
      },
    },
  }),
  { persist: 'none' },
)

const keeper = defineWorkflow(
  setup({
    types: { context: {} as { kept?: unknown }, events: {} as { type: 'KEEP'; size: number } },
  }).createMachine({
    id: 'keeper',
    context: {},
    on: {
      KEEP: {
        actions: assign({ kept: ({ event }) => (event.size === 0 ? () => {} : 'x'.repeat(event.size)) }),
      },
    },
  }),
  { persist: 'none' },
)

describe('an instance that is never stored', () => {
  it.each(parents)('tells its parent when its output cannot be told: $name', async parent => {
    const { client } = await startNode({ workflows: [odd, large, ...parents], partitions: 1 })

    const handle = await client.start(parent, { id: 'one' } as never)

    await expect.poll(async () => (await handle.get())?.value, { timeout: 3_000 }).toBe('failed')
  })

  it('is heard in a later life under the same id', async () => {
    const { client } = await startNode({ workflows: [courier, tally], partitions: 1 })
    const sum = await client.start(tally, { id: 'sum', input: undefined })

    await client.start(courier, { id: 'daily', input: { n: 1 } })
    await sum.waitFor(({ context }) => context.count === 1, { timeout: '5s' })
    await client.start(courier, { id: 'daily', input: { n: 10 } })

    await expect.poll(async () => (await sum.get())?.context.count, { timeout: 3_000 }).toBe(11)
  })

  it.each([0, 2 * 1024 * 1024])('ends no node with a state that cannot be told (%s)', async size => {
    const unhandled = noteUnhandled()
    const { client } = await startNode({ workflows: [keeper], partitions: 1, drainTimeout: '1s' })
    const handle = await client.start(keeper, { id: 'one' })

    await handle.update({ type: 'KEEP', size }, { timeout: '2s' }).catch(() => {})
    const next = await handle.update({ type: 'KEEP', size: 1 }, { timeout: '2s' })

    expect(next).toMatchObject({ type: 'accepted', snapshot: { context: { kept: 'x' } } })
    expect(unhandled).toEqual([])
  })
})
