import { describe, expect, it } from 'vitest'
import { createActor, fromPromise, setup, toPromise, waitFor } from 'xstate'

import { bulk, defineWorkflow, type BulkItems } from '../../src/index.ts'
import { errorOf } from './error-of.ts'

/** What the live children do, and how many of them run. */
class Children {
  running = 0
  most = 0
  readonly started: number[] = []
  readonly stopped: number[] = []
  readonly #wakes = new Map<number, () => void>()

  readonly workflow = defineWorkflow(
    setup({
      types: { context: {} as { n: number }, input: {} as number, output: {} as number },
      actors: {
        work: fromPromise<number, number>(async ({ input, signal }) => {
          this.started.push(input)
          this.running++
          this.most = Math.max(this.most, this.running)
          signal.addEventListener('abort', () => this.stopped.push(input))
          await new Promise<void>(resolve => this.#wakes.set(input, resolve))
          this.running--
          if (input < 0) throw new Error(`${input} is below zero`)
          return input * input
        }),
      },
    }).createMachine({
      id: 'square',
      context: ({ input }) => ({ n: input }),
      initial: 'working',
      output: ({ context }) => context.n,
      states: {
        working: { invoke: { src: 'work', input: ({ context }) => context.n, onDone: 'done' } },
        done: { type: 'final' },
      },
    }),
  )

  async finish(...numbers: number[]): Promise<void> {
    for (const n of numbers) this.#wakes.get(n)!()
    await new Promise(resolve => setImmediate(resolve))
  }
}

describe('bulk', () => {
  it('refuses a window that is none, and items that cannot be asked for', () => {
    const { workflow } = new Children()
    const items = () => [1]

    for (const concurrency of [0, 1001, 1.5, NaN]) {
      expect(errorOf(() => bulk(workflow, { concurrency, items }))).toMatchObject({
        code: 'OPTIONS_INVALID',
        fields: { field: 'concurrency' },
      })
    }
    expect(errorOf(() => bulk(workflow, { items: [1] as never }))).toMatchObject({
      code: 'OPTIONS_INVALID',
      fields: { field: 'items' },
    })
    expect(() => bulk(workflow, { concurrency: 1000, items })).not.toThrow()
  })

  it('is logic that a workflow can invoke', () => {
    const { workflow } = new Children()
    const machine = setup({ actors: { many: bulk(workflow, { items: () => [1] }) } }).createMachine({
      id: 'parent',
      invoke: { src: 'many' },
    })

    expect(defineWorkflow(machine).name).toBe('parent')
  })
})

describe('bulk in plain XState', () => {
  it('runs the machines live, as many at a time as may, and counts what came of them', async () => {
    const children = new Children()
    const actor = createActor(
      bulk(children.workflow, { concurrency: 2, items: (items: number[]) => items }),
      {
        input: [1, -2, 3, 4],
      },
    )
    const output = toPromise(actor)
    actor.start()

    expect(children.started).toEqual([1, -2])
    await children.finish(1)
    expect(children.started).toEqual([1, -2, 3])
    await children.finish(-2, 3)
    await children.finish(4)

    expect(await output).toEqual({ total: 4, succeeded: 3, failed: 1, results: { key: '', chunks: 0 } })
    expect(children.most).toBe(2)
  })

  it('takes anything that has a length and can be asked by index', async () => {
    const children = new Children()
    const items: BulkItems<number> = { length: 3, at: index => index + 10 }
    const actor = createActor(bulk(children.workflow, { items: () => items }))
    actor.start()

    expect(children.started).toEqual([10, 11, 12])
    await children.finish(10, 11, 12)
    expect((await toPromise(actor)).succeeded).toBe(3)
  })

  it('ends at once when there is nothing to do', async () => {
    const actor = createActor(bulk(new Children().workflow, { items: () => [] }))
    actor.start()

    expect(await toPromise(actor)).toMatchObject({ total: 0, succeeded: 0, failed: 0 })
  })

  it('stops the others at the first failure if that is wanted', async () => {
    const children = new Children()
    const logic = bulk(children.workflow, { failFast: true, items: () => [1, -2, 3] })
    const actor = createActor(logic)
    actor.subscribe({ error: () => undefined })
    actor.start()

    await children.finish(-2)

    const { error } = await waitFor(actor, snapshot => snapshot.status === 'error')
    expect(error).toMatchObject({
      code: 'WORKFLOW_FAILED',
      cause: { message: '-2 is below zero' },
      fields: { index: 1 },
    })
    expect(new Set(children.stopped)).toEqual(new Set([1, 3]))
  })

  it('stops all of them, and starts no more, when it is stopped', async () => {
    const children = new Children()
    const actor = createActor(bulk(children.workflow, { concurrency: 2, items: () => [1, 2, 3] }))
    actor.start()

    actor.stop()
    await children.finish(1, 2)

    expect(children.stopped).toEqual([1, 2])
    expect(children.started).toEqual([1, 2])
  })
})
