import { assign, sendTo, setup } from 'xstate'

import { activity } from '../../src/workflow/activity.ts'
import { childWorkflow } from '../../src/workflow/child-workflow.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'
import { instanceRef, startInstance } from '../../src/workflow/instance-ref.ts'

/** Squares a number, at once or when told to go on; fails for those below zero. */
export const child = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly n: number; readonly waits: boolean },
      events: {} as { type: 'GO' },
      input: {} as { readonly n: number; readonly waits: boolean },
      output: {} as number,
    },
    actors: {
      work: activity({
        name: 'work',
        run: async ({ input }: { input: { n: number } }) => {
          if (input.n < 0) throw new Error(`${input.n} is below zero`)
          return input.n * input.n
        },
      }),
    },
  }).createMachine({
    id: 'child',
    context: ({ input }) => input,
    initial: 'starting',
    output: ({ context }) => context.n,
    states: {
      starting: {
        always: [{ guard: ({ context }) => context.waits, target: 'waiting' }, { target: 'working' }],
      },
      waiting: { on: { GO: 'working' } },
      working: {
        invoke: {
          src: 'work',
          input: ({ context }) => ({ n: context.n }),
          onDone: { target: 'done', actions: assign({ n: ({ event }) => event.output }) },
        },
      },
      done: { type: 'final' },
    },
  }),
)

/** Has one child at a time and keeps what came of each. */
export const parent = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly n: number; readonly waits: boolean; readonly results: readonly string[] },
      events: {} as
        | { type: 'RUN' | 'RUN_DETACHED'; n: number; waits?: boolean }
        | { type: 'DROP' }
        | { type: 'FINISH' },
      output: {} as readonly string[],
    },
    actions: {
      note: assign(({ event }) => ('n' in event ? { n: event.n, waits: event.waits ?? false } : {})),
    },
    actors: { child: childWorkflow(child), detached: childWorkflow(child, { detached: true }) },
  }).createMachine({
    id: 'parent',
    context: { n: 0, waits: false, results: [] },
    initial: 'resting',
    output: ({ context }) => context.results,
    states: {
      resting: {
        on: {
          RUN: { target: 'running', actions: 'note' },
          RUN_DETACHED: { target: 'leaving', actions: 'note' },
          FINISH: 'finished',
        },
      },
      running: {
        invoke: {
          id: 'square',
          src: 'child',
          input: ({ context: { n, waits } }) => ({ n, waits }),
          onDone: {
            target: 'resting',
            actions: assign({
              results: ({ context, event }) => [...context.results, `done ${event.output}`],
            }),
          },
          onError: {
            target: 'resting',
            actions: assign({
              results: ({ context, event }) => [
                ...context.results,
                `failed ${(event.error as Error).message}`,
              ],
            }),
          },
        },
        on: { DROP: 'resting', FINISH: 'finished' },
      },
      leaving: {
        invoke: { id: 'square', src: 'detached', input: ({ context: { n, waits } }) => ({ n, waits }) },
        on: { DROP: 'resting' },
      },
      finished: { type: 'final' },
    },
  }),
)

/** Takes note of what others tell it. */
export const listener = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly heard: readonly number[] },
      events: {} as { type: 'TOLD'; n: number } | { type: 'FINISH' },
      input: {} as { readonly first: number } | undefined,
    },
  }).createMachine({
    id: 'listener',
    context: ({ input }) => ({ heard: input === undefined ? [] : [input.first] }),
    initial: 'open',
    states: {
      open: {
        on: {
          TOLD: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.n] }) },
          FINISH: 'closed',
        },
      },
      closed: { type: 'final' },
    },
  }),
)

/** Starts a listener and tells it numbers. */
export const teller = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly friend: string; readonly n: number },
      events: {} as { type: 'BEGIN' } | { type: 'TELL' } | { type: 'TELL_LATER'; ms: number },
      input: {} as { readonly friend: string },
    },
    delays: { later: ({ event }) => (event.type === 'TELL_LATER' ? event.ms : 0) },
    actions: { next: assign({ n: ({ context }) => context.n + 1 }) },
  }).createMachine({
    id: 'teller',
    context: ({ input }) => ({ friend: input.friend, n: 0 }),
    on: {
      BEGIN: {
        actions: startInstance(listener, ({ context }) => ({ id: context.friend, input: { first: -1 } })),
      },
      TELL: {
        actions: [
          sendTo(
            ({ context }) => instanceRef(listener, context.friend),
            ({ context }) => ({ type: 'TOLD', n: context.n }),
          ),
          'next',
        ],
      },
      TELL_LATER: {
        actions: [
          sendTo(
            ({ context }) => instanceRef(listener, context.friend),
            ({ context }) => ({ type: 'TOLD', n: context.n }),
            { delay: 'later' },
          ),
          'next',
        ],
      },
    },
  }),
)
