/**
 * A node in a process of its own, whose activities fail once, and may kill it:
 * `node --import tsx retry-process.ts <url> <namespace> <file> [death]`. Attempts are written to the file as they begin.
 */
import { appendFileSync } from 'node:fs'

import { assign, setup } from 'xstate'

import { activity, createNode, defineWorkflow, type ActivityContext } from '../../src/index.ts'

/** Where the process kills itself: before an attempt fails, right after that, or when the next one begins. */
export type Death = 'failing' | 'failed' | 'begun' | 'never'

const [servers = '', namespace = '', file = '', death = 'never'] = process.argv.slice(2)
const die = () => process.kill(process.pid, 'SIGKILL')

const work = activity({
  name: 'work',
  concurrency: 1,
  retry: { initialInterval: '300ms', jitter: 0, maxAttempts: 10 },
  run: async ({ attempt, input }: ActivityContext<string>) => {
    appendFileSync(file, `${input} ${attempt} ${Date.now()}\n`)
    // Whoever holds the slot holds it in this life only.
    if (input === 'holder' && attempt === 1) return new Promise<number>(() => {})
    if (input === 'holder' || attempt > 1) {
      if (death === 'begun') die()
      return attempt
    }
    if (death === 'failing') die()
    if (death === 'failed') setImmediate(die)
    throw new Error('the first attempt fails')
  },
})

const flaky = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly id: string; readonly attempts: readonly number[] },
      input: {} as string,
    },
    actors: { work },
  }).createMachine({
    id: 'flaky',
    context: ({ input }) => ({ id: input, attempts: [] }),
    invoke: {
      src: 'work',
      input: ({ context }) => context.id,
      onDone: {
        actions: assign({ attempts: ({ context, event }) => [...context.attempts, event.output] }),
      },
    },
  }),
)

export type Flaky = typeof flaky

await createNode({ servers, namespace, name: 'mortal', partitions: 4, workflows: [flaky], log: 'error' })
process.send?.('ready')
