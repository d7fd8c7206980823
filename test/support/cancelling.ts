import { assign, setup } from 'xstate'

import type { CancelEvent } from '../../src/index.ts'
import { activity } from '../../src/workflow/activity.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'

/** An attempt of an activity of a {@link bookingOf booking}. */
export interface Work {
  readonly attempt: number
  readonly id: string
  readonly name: 'book' | 'undo'
  /** When its signal was aborted. */
  readonly aborted: Promise<void>
  readonly finish: (answer: string) => void
}

/**
 * Works for as long as the test likes. `BOOK`: told to end, it undoes what it has done; `WORK`: it does not know how to end.
 *
 * @param began told of every attempt; by default they never end
 */
export function bookingOf(began: (work: Work) => void = () => {}) {
  const workOf = (name: Work['name']) =>
    activity({
      name,
      run: ({ attempt, input, signal }: { attempt: number; input: string; signal: AbortSignal }) =>
        new Promise<string>(finish => {
          const aborted = new Promise<void>(resolve => {
            signal.addEventListener('abort', () => resolve())
          })
          began({ attempt, id: input, name, aborted, finish })
        }),
    })
  return defineWorkflow(
    setup({
      types: {
        context: {} as { readonly id: string; readonly answer: string },
        events: {} as { type: 'BOOK' | 'WORK' } | CancelEvent,
        input: {} as string,
        output: {} as string,
      },
      actors: { book: workOf('book'), undo: workOf('undo') },
    }).createMachine({
      id: 'booking',
      context: ({ input }) => ({ id: input, answer: '' }),
      output: ({ context }) => context.answer,
      initial: 'idle',
      states: {
        idle: { on: { BOOK: 'booking', WORK: 'working' } },
        booking: {
          invoke: { id: 'book', src: 'book', input: ({ context }) => context.id },
          on: { 'workflow.cancel': 'undoing' },
        },
        undoing: {
          invoke: {
            id: 'undo',
            src: 'undo',
            input: ({ context }) => context.id,
            onDone: { target: 'over', actions: assign({ answer: ({ event }) => event.output }) },
          },
        },
        working: {
          invoke: {
            id: 'work',
            src: 'book',
            input: ({ context }) => context.id,
            onDone: { target: 'over', actions: assign({ answer: ({ event }) => event.output }) },
          },
        },
        over: { type: 'final' },
      },
    }),
  )
}
