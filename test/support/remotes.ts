import { assign, setup } from 'xstate'

import { defineWorkflow } from '../../src/workflow/define-workflow.ts'
import { remoteActivity } from '../../src/workflow/remote-activity.ts'

export interface Chore {
  readonly n: number
  /** How long it takes, in milliseconds. */
  readonly ms?: number
}

/** Done by workers. */
export const chore = remoteActivity<Chore, number>({
  name: 'chore',
  retry: { maxAttempts: 3, initialInterval: '10ms', nonRetryable: ['Hopeless'] },
})

/** The same, with little patience. */
const hastyChore = remoteActivity<Chore, number>({
  name: 'chore',
  retry: { maxAttempts: 2, initialInterval: '10ms' },
  timeout: { attempt: '300ms' },
})

/** Done by the worker of the README, which knows only JSON. Its output is its file, or its error. */
export const picture = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly input: { readonly width: number } | undefined; readonly output: string },
      input: {} as number | undefined,
    },
    actors: {
      resize: remoteActivity<{ width: number } | undefined, string>({ name: 'resize', format: 'json' }),
    },
  }).createMachine({
    id: 'picture',
    context: ({ input }) => ({ input: input === undefined ? undefined : { width: input }, output: '' }),
    initial: 'resizing',
    output: ({ context }) => context.output,
    states: {
      resizing: {
        invoke: {
          src: 'resize',
          input: ({ context }) => context.input,
          onDone: { target: 'resized', actions: assign({ output: ({ event }) => event.output }) },
          onError: {
            target: 'resized',
            actions: assign({
              output: ({ event }) => {
                const { message, name } = event.error as Error
                return `${name}: ${message}`
              },
            }),
          },
        },
      },
      resized: { type: 'final' },
    },
  }),
)

/** Has chores done one after the other and keeps what came of each. */
export const delegator = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly chore: Chore; readonly results: readonly string[] },
      events: {} as ({ type: 'DO' | 'DO_HASTILY' } & Chore) | { type: 'DROP' } | { type: 'FINISH' },
    },
    actors: { chore, hastyChore },
    actions: {
      note: assign(({ event }) => ('n' in event ? { chore: { n: event.n, ms: event.ms ?? 0 } } : {})),
    },
  }).createMachine({
    id: 'delegator',
    context: { chore: { n: 0 }, results: [] },
    initial: 'idle',
    on: { FINISH: '.finished' },
    states: {
      idle: {
        on: {
          DO: { target: 'doing', actions: 'note' },
          DO_HASTILY: { target: 'doingHastily', actions: 'note' },
        },
      },
      doing: {
        on: { DROP: 'idle' },
        invoke: {
          id: 'chore',
          src: 'chore',
          input: ({ context }) => context.chore,
          onDone: {
            target: 'idle',
            actions: assign(({ context, event }) => add(context, `done ${event.output}`)),
          },
          onError: {
            target: 'idle',
            actions: assign(({ context, event }) => add(context, failed(event.error))),
          },
        },
      },
      doingHastily: {
        invoke: {
          src: 'hastyChore',
          input: ({ context }) => context.chore,
          onDone: {
            target: 'idle',
            actions: assign(({ context, event }) => add(context, `done ${event.output}`)),
          },
          onError: {
            target: 'idle',
            actions: assign(({ context, event }) => add(context, failed(event.error))),
          },
        },
      },
      finished: { type: 'final' },
    },
  }),
)

function add({ results }: { readonly results: readonly string[] }, result: string): { results: string[] } {
  return { results: [...results, result] }
}

function failed(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string }
  return `failed ${code ?? message}`
}
