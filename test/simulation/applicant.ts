import { sendParent, setup } from 'xstate'

import { pool } from '../../src/workflow/pool.ts'

/** Permits to be asked for, kept for a while, and given back. */
export interface Permission {
  readonly tag: string
  readonly permits: number
  /** 1 is served first. */
  readonly priority: number
  /** How long to wait for them; absent: for ever. */
  readonly timeout?: number
  readonly keepMs: number
  /** How long the ledger waits for all of it. */
  readonly patienceMs: number
}

/** How many permits the one pool of a run has. */
export const poolSize = 3

/** A nested machine: asks for permits, tells its parent when it has them, and says how it ended. */
export const applicantMachine = setup({
  types: {
    context: {} as Permission,
    events: {} as { readonly type: 'workflow.granted' },
    input: {} as Permission,
    output: {} as 'expired' | 'returned',
  },
  actors: { pool: pool({ name: 'permits', permits: poolSize }) },
  delays: { aWhile: ({ context }) => context.keepMs },
}).createMachine({
  id: 'applicant',
  context: ({ input }) => input,
  initial: 'applying',
  output: ({ event }) => (event as { readonly output: 'expired' | 'returned' }).output,
  states: {
    applying: {
      invoke: { src: 'pool', input: ({ context }) => context, onError: 'expired' },
      initial: 'waiting',
      states: {
        waiting: {
          on: {
            'workflow.granted': {
              target: 'holding',
              actions: sendParent(({ context }) => ({ type: 'GRANTED', tag: context.tag })),
            },
          },
        },
        holding: { after: { aWhile: '#applicant.returned' } },
      },
    },
    expired: { type: 'final', output: 'expired' },
    returned: { type: 'final', output: 'returned' },
  },
})
