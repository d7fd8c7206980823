import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setImmediate } from 'node:timers/promises'

import { describe, expect, it } from 'vitest'
import { assign, setup } from 'xstate'

import { activity, defineWorkflow, type Client } from '../../src/index.ts'
import { until } from '../contract/until.ts'
import { collect, startNode } from '../support/node.ts'

const count = 2_000

/** What was made for instances and their activities, as far as it has not been collected. */
class Made {
  readonly #refs = new Set<WeakRef<object>>()

  add<T extends object>(made: T): T {
    this.#refs.add(new WeakRef(made))
    return made
  }

  get total(): number {
    return this.#refs.size
  }

  left(): number {
    return [...this.#refs].filter(ref => ref.deref() !== undefined).length
  }
}

/** Works, at once or when the gate opens, rests if it is told to, and ends. */
function jobs(made: Made, gate: Promise<void>) {
  const machine = setup({
    types: {
      context: {} as { readonly n: number; readonly rests: boolean },
      events: {} as { type: 'END' },
      input: {} as { readonly n: number; readonly rests: boolean },
    },
    actors: {
      work: activity({
        name: 'work',
        run: async (context: { input: { n: number } }) => {
          made.add(context)
          made.add(context.input)
          await gate
          return context.input.n + 1
        },
      }),
    },
  }).createMachine({
    id: 'job',
    context: ({ input }) => made.add({ ...input }),
    initial: 'working',
    states: {
      working: {
        invoke: {
          src: 'work',
          input: ({ context }) => ({ n: context.n }),
          onDone: { target: 'worked', actions: assign(({ event }) => made.add({ n: event.output })) },
        },
      },
      worked: {
        always: { guard: ({ context }) => !context.rests, target: 'ended' },
        on: { END: 'ended' },
      },
      ended: { type: 'final' },
    },
  })
  return defineWorkflow(machine)
}

/** As little as garbage collection can leave. */
async function collected(made: Made): Promise<void> {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  await until(async () => {
    await setImmediate()
    gc()
    return made.left() === 0
  })
}

async function startAll(client: Client, rests: boolean): Promise<void> {
  const starting = Array.from({ length: count }, (_, n) =>
    client.start('job', { id: `${n}`, input: { n, rests } }),
  )
  await Promise.all(starting)
}

describe('S10: in memory', { timeout: 60_000 }, () => {
  it('are the instances and activities at work, and nothing of those that have ended', async () => {
    const made = new Made()
    let open = () => {}
    const gate = new Promise<void>(resolve => (open = resolve))
    // So long that only the end of an instance takes it out of memory.
    const node = await startNode({ passivateAfter: '1h', workflows: [jobs(made, gate)] })

    await startAll(node.client, false)
    await until(() => node.status().activities.running === count)
    expect(node.status().resident).toBe(count)
    open()
    await until(() => node.status().resident === 0)

    expect(node.status().activities).toEqual({ running: 0, waiting: 0 })
    expect(await collect(node.client.list({ status: 'done' }))).toHaveLength(count)
    expect(made.total).toBeGreaterThanOrEqual(4 * count)
    await collected(made)
  })

  it('are no instances that rest, and nothing of the activities they had', async () => {
    const made = new Made()
    const node = await startNode({ passivateAfter: '200ms', workflows: [jobs(made, Promise.resolve())] })

    await startAll(node.client, true)
    await until(() => made.total >= 3 * count)
    await until(() => node.status().resident === 0 && node.status().activities.running === 0)

    const resting = (await collect(node.client.list())).filter(({ state }) => state === 'worked')
    expect(resting).toHaveLength(count)
    await collected(made)
  })
})
