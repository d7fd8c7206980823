import { assign, setup } from 'xstate'

import { defineWorkflow, type WorkflowOptions } from '../../src/workflow/define-workflow.ts'

/** Adds up what it is given, but for 13, which its code cannot take until that is fixed. */
export function fragile(isFixed: boolean, onError: WorkflowOptions<never>['onError'] = 'suspend') {
  return defineWorkflow(
    setup({
      types: {
        context: {} as { readonly seen: readonly number[] },
        events: {} as { type: 'ADD'; n: number } | { type: 'FINISH' },
        input: {} as { readonly from: number } | undefined,
        output: {} as readonly number[],
      },
      guards: {
        isLucky: ({ event }) => {
          if (!isFixed && event.type === 'ADD' && event.n === 13) throw new RangeError('13 is unlucky')
          return true
        },
      },
    }).createMachine({
      id: 'fragile',
      context: ({ input }) => {
        if (!isFixed && input?.from === 13) throw new RangeError('13 is no beginning')
        return { seen: [] }
      },
      output: ({ context }) => context.seen,
      initial: 'open',
      states: {
        open: {
          on: {
            ADD: {
              guard: 'isLucky',
              actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }),
            },
            FINISH: 'closed',
          },
        },
        closed: { type: 'final' },
      },
    }),
    { onError },
  )
}
