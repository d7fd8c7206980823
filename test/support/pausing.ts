import { assign, setup } from 'xstate'

import { activity } from '../../src/workflow/activity.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'

/** An attempt of the activity of a {@link worker}. */
export interface Attempt {
  readonly attempt: number
  readonly key: string
  readonly signal: AbortSignal
  finish(answer: string): void
}

/** Works once, for as long as the test likes, and counts how often its timer rings. */
export function workerOf(began: (attempt: Attempt) => void) {
  return defineWorkflow(
    setup({
      types: {
        context: {} as { readonly answer: string; readonly rings: number },
        events: {} as { type: 'WORK' } | { type: 'WAIT'; ms: number },
      },
      actors: {
        work: activity({
          name: 'work',
          run: ({
            attempt,
            idempotencyKey,
            signal,
          }: {
            attempt: number
            idempotencyKey: string
            signal: AbortSignal
          }) => new Promise<string>(finish => began({ attempt, key: idempotencyKey, signal, finish })),
        }),
      },
      delays: { asked: ({ event }) => (event.type === 'WAIT' ? event.ms : 0) },
    }).createMachine({
      id: 'worker',
      context: { answer: '', rings: 0 },
      initial: 'idle',
      on: { WAIT: '.waiting' },
      states: {
        idle: { on: { WORK: 'working' } },
        working: {
          invoke: {
            src: 'work',
            onDone: { target: 'idle', actions: assign({ answer: ({ event }) => event.output }) },
          },
        },
        waiting: {
          after: {
            asked: { target: 'idle', actions: assign({ rings: ({ context }) => context.rings + 1 }) },
          },
        },
      },
    }),
  )
}
