/** A node in a process of its own, for bulk.ts: runs a bulk of squares, and can be killed. */
import { assign, setup } from 'xstate'

import { activity, bulk, defineWorkflow, type BulkOutcome } from '../src/index.ts'
import { serve, tell, type ServedNews, type ServedOptions } from './served-node.ts'

/** What the node is told when it is started. */
export interface BulkNodeOptions {
  /** Whether each child runs an activity: it is committed once more then. */
  readonly activity: boolean
  readonly concurrency: number
  /** Every so-manyth child fails. */
  readonly failEvery: number
  readonly node: ServedOptions
}

/** What the node tells: how far it is, and every so often what it has taken. */
export type BulkNodeNews = ServedNews | Taken

interface Taken {
  readonly type: 'taken'
  readonly cpuMs: number
  readonly rssBytes: number
}

const options = JSON.parse(process.argv[2]!) as BulkNodeOptions
const tellEveryMs = 250

function squareOf(n: number): number {
  if (n % options.failEvery === options.failEvery - 1) throw new Error(`${n} is not wanted`)
  return n * n
}

/** Squares a number, in an activity or while it starts. */
const square = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly n: number },
      input: {} as { readonly n: number },
      output: {} as number,
    },
    actors: {
      work: activity({ name: 'work', run: async ({ input }: { input: number }) => squareOf(input) }),
    },
  }).createMachine({
    id: 'square',
    context: ({ input }) => ({ n: options.activity ? input.n : squareOf(input.n) }),
    initial: options.activity ? 'working' : 'done',
    output: ({ context }) => context.n,
    states: {
      working: {
        invoke: {
          src: 'work',
          input: ({ context }) => context.n,
          onDone: { target: 'done', actions: assign({ n: ({ event }) => event.output }) },
        },
      },
      done: { type: 'final' },
    },
  }),
  // Else one that throws would wait for somebody to see to it, and the bulk for that.
  { onError: 'fail' },
)

const squares = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly count: number; readonly outcome?: BulkOutcome<number> },
      input: {} as { readonly count: number },
    },
    actors: {
      squares: bulk(square, {
        concurrency: options.concurrency,
        items: ({ count }: { count: number }) => ({ length: count, at: n => ({ n }) }),
      }),
    },
  }).createMachine({
    id: 'squares',
    context: ({ input }) => input,
    initial: 'squaring',
    states: {
      squaring: {
        invoke: {
          src: 'squares',
          input: ({ context }) => context,
          onDone: { target: 'done', actions: assign({ outcome: ({ event }) => event.output }) },
        },
      },
      done: {},
    },
  }),
)

export type Squares = typeof squares

await serve(options.node, [squares, square])
setInterval(() => {
  const { system, user } = process.cpuUsage()
  tell<Taken>({ type: 'taken', cpuMs: (system + user) / 1000, rssBytes: process.memoryUsage().rss })
}, tellEveryMs)
