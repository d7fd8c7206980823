/** A node in a process of its own, for timers.ts: runs instances with one timer each, and notes when it fires. */
import { assign, setup } from 'xstate'

import { defineWorkflow } from '../src/index.ts'
import { serve, tell, type MeasureOrder, type ServedNews, type ServedOptions } from './served-node.ts'

/** Tell what has fired since the last time. */
interface TakeOrder {
  readonly type: 'take'
}

export type TimersOrder = MeasureOrder | TakeOrder
export type TimersNews = ServedNews | Taken

interface Taken {
  readonly type: 'taken'
  /** Id of the instance, and when its action ran: milliseconds since the epoch. */
  readonly fired: readonly (readonly [string, number])[]
}

interface TimedInput {
  /** Milliseconds since the epoch; never when infinite. */
  readonly dueAt: number
  /** Its own id. */
  readonly id: string
}

let fired: (readonly [string, number])[] = []

const timed = defineWorkflow(
  setup({
    types: { context: {} as TimedInput & { readonly firings: number }, input: {} as TimedInput },
    delays: { untilDue: ({ context }) => context.dueAt - Date.now() },
  }).createMachine({
    id: 'timed',
    context: ({ input }) => ({ ...input, firings: 0 }),
    // Without a target: a timer that fires again counts again.
    after: {
      untilDue: {
        actions: [
          assign({ firings: ({ context }) => context.firings + 1 }),
          ({ context }) => fired.push([context.id, Date.now()]),
        ],
      },
    },
  }),
)

export type Timed = typeof timed

await serve<TakeOrder>(JSON.parse(process.argv[2]!) as ServedOptions, [timed], () => {
  tell<Taken>({ type: 'taken', fired })
  fired = []
})
