/** A node in a process of its own, for cancel.ts: runs activities that last until they are aborted. */
import { setup } from 'xstate'

import { activity, defineWorkflow, type ActivityContext } from '../src/index.ts'
import { preciseNow, serve, tell, type ServedNews } from './served-node.ts'

/** Tell how many run, or when each was aborted. */
export interface CancelOrder {
  readonly type: 'count' | 'collect'
}

export type CancelNews =
  | ServedNews
  | { readonly type: 'counted'; readonly running: number }
  /** By the number of the instance, when the signal of its activity was aborted: milliseconds since the epoch. */
  | { readonly type: 'collected'; readonly abortedAt: readonly (readonly [index: number, at: number])[] }

let running = 0
const abortedAt = new Map<number, number>()

const work = activity({
  name: 'work',
  run: async ({ input: index, signal }: ActivityContext<number>) => {
    running++
    await new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        if (abortedAt.has(index)) throw new Error(`activity ${index} was aborted twice`)
        abortedAt.set(index, preciseNow())
        running--
        reject(signal.reason as Error)
      })
    })
  },
})

const worker = defineWorkflow(
  setup({
    types: { context: {} as { readonly index: number }, input: {} as number },
    actors: { work },
  }).createMachine({
    id: 'worker',
    context: ({ input }) => ({ index: input }),
    invoke: { src: 'work', input: ({ context }) => context.index },
  }),
)

export type Worker = typeof worker

await serve<CancelOrder>(JSON.parse(process.argv[2]!), [worker], order => {
  if (order.type === 'count') tell<CancelNews>({ type: 'counted', running })
  else tell<CancelNews>({ type: 'collected', abortedAt: [...abortedAt] })
})
