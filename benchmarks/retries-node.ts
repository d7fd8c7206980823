/** A node in a process of its own, for retries.ts: its activities fail at first, and each attempt is written down. */
import { openSync, writeSync } from 'node:fs'

import { assign, setup } from 'xstate'

import { activity, defineWorkflow, type ActivityContext } from '../src/index.ts'
import { serve, tell, type ServedNews, type ServedOptions } from './served-node.ts'

export interface RetriesNodeOptions {
  readonly concurrency: number
  /** Where attempts are written down: they outlive the process. */
  readonly file: string
  readonly node: ServedOptions
  /** The first attempt that succeeds. */
  readonly succeedsAt: number
  /** How long the wait between two attempts is, give or take half of it. */
  readonly waitMs: number
}

/** Tell how many attempts have begun. */
export interface RetriesOrder {
  readonly type: 'count'
}

export type RetriesNews = ServedNews | Counted

interface Counted {
  readonly type: 'counted'
  readonly begun: number
}

/** What is written down of an attempt, a line of words. */
export type AttemptNote = readonly [what: 'begun' | 'failed', id: string, attempt: string, at: string]

interface FlakyInput {
  /** Of the instance. */
  readonly id: string
}

const options = JSON.parse(process.argv[2]!) as RetriesNodeOptions
const file = openSync(options.file, 'a')
let begun = 0

function note(what: AttemptNote[0], id: string, attempt: number): void {
  writeSync(file, `${what} ${id} ${attempt} ${Date.now()}\n`)
}

const work = activity({
  name: 'flaky',
  concurrency: options.concurrency,
  retry: { maxAttempts: Infinity, initialInterval: options.waitMs, backoff: 1, jitter: 0.5 },
  run: async ({ attempt, input: { id } }: ActivityContext<FlakyInput>) => {
    begun++
    note('begun', id, attempt)
    await new Promise(setImmediate)
    if (attempt >= options.succeedsAt) return attempt
    note('failed', id, attempt)
    throw new Error(`attempt ${attempt} fails`)
  },
})

const flaky = defineWorkflow(
  setup({
    types: { context: {} as FlakyInput & { readonly attempts: readonly number[] }, input: {} as FlakyInput },
    actors: { work },
  }).createMachine({
    id: 'flaky',
    context: ({ input }) => ({ ...input, attempts: [] }),
    invoke: {
      src: 'work',
      input: ({ context: { id } }) => ({ id }),
      // Without a target: an activity that ends again counts again.
      onDone: {
        actions: assign({ attempts: ({ context, event }) => [...context.attempts, event.output] }),
      },
    },
  }),
)

export type Flaky = typeof flaky

await serve<RetriesOrder>(options.node, [flaky], () => tell<Counted>({ type: 'counted', begun }))
