import { assign, setup } from 'xstate'

import type { Count } from '../contest/counters.ts'

/** Counts events, and what they carry. */
export const counterMachine = setup({
  types: { context: {} as Count, events: {} as { readonly type: 'ADD'; readonly n: number } },
}).createMachine({
  id: 'counter',
  context: { count: 0, squares: 0, sum: 0 },
  on: {
    ADD: {
      actions: assign({
        count: ({ context }) => context.count + 1,
        squares: ({ context, event }) => context.squares + event.n * event.n,
        sum: ({ context, event }) => context.sum + event.n,
      }),
    },
  },
})
