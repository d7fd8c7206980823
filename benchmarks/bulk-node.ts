/** A node in a process of its own, for bulk.ts: runs a bulk of squares, and can be killed. */
import { assign, setup } from 'xstate'

import {
  activity,
  bulk,
  createNode,
  defineWorkflow,
  type BulkOutcome,
  type NodeOptions,
} from '../src/index.ts'

/** What the node is told when it is started. */
export interface BulkNodeOptions {
  /** Whether each child runs an activity: it is committed once more then. */
  readonly activity: boolean
  readonly concurrency: number
  /** Every so-manyth child fails. */
  readonly failEvery: number
  readonly node: Omit<NodeOptions, 'workflows'>
}

/** What the node tells: once when it serves, then every so often. */
export interface BulkNodeNews {
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

// The one who started it is gone.
process.on('disconnect', () => process.exit())
await createNode({ ...options.node, workflows: [squares, square] })
tell()
setInterval(tell, tellEveryMs)

function tell(): void {
  const { system, user } = process.cpuUsage()
  const news: BulkNodeNews = { cpuMs: (system + user) / 1000, rssBytes: process.memoryUsage().rss }
  process.send!(news)
}
