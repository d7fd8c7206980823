import { assign, emit, fromCallback, sendTo, setup } from 'xstate'

import { activity } from '../../src/workflow/activity.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'

/** Counts, greets through an activity, waits for a timer: a little of everything a runtime test needs. */
export const tally = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly count: number; readonly seen: readonly number[]; readonly greeting: string },
      events: {} as
        | { type: 'ADD'; n: number }
        | { type: 'GREET' }
        | { type: 'WAIT'; ms: number }
        | { type: 'ANNOUNCE' }
        | { type: 'BLOAT'; bytes: number }
        | { type: 'BREAK' }
        | { type: 'FINISH' },
      input: {} as { readonly from: number } | undefined,
      output: {} as { readonly count: number; readonly greeting: string },
    },
    actors: {
      greet: activity({
        name: 'greet',
        retry: { maxAttempts: 3, initialInterval: '10ms' },
        run: async ({ input, attempt }: { input: { name: string; failures: number }; attempt: number }) => {
          if (attempt <= input.failures) throw new Error(`attempt ${attempt} failed`)
          return `hello ${input.name}, attempt ${attempt}`
        },
      }),
    },
    actions: {
      add: assign(({ context, event }) =>
        event.type === 'ADD' ? { count: context.count + event.n, seen: [...context.seen, event.n] } : {},
      ),
    },
    delays: { asked: ({ event }) => (event.type === 'WAIT' ? event.ms : 0) },
  }).createMachine({
    id: 'tally',
    context: ({ input }) => ({ count: input?.from ?? 0, seen: [], greeting: '' }),
    initial: 'open',
    output: ({ context }) => ({ count: context.count, greeting: context.greeting }),
    states: {
      open: {
        on: {
          ADD: { actions: 'add' },
          GREET: 'greeting',
          WAIT: 'waiting',
          ANNOUNCE: { actions: emit({ type: 'announced' }) },
          BLOAT: { actions: assign({ greeting: ({ event }) => 'x'.repeat(event.bytes) }) },
          BREAK: {
            actions: assign(() => {
              throw new Error('broken on purpose')
            }),
          },
          FINISH: 'finished',
        },
      },
      greeting: {
        on: {
          ADD: { actions: 'add' },
        },
        invoke: {
          src: 'greet',
          input: ({ context }) => ({ name: `number ${context.count}`, failures: context.count < 0 ? 9 : 1 }),
          onDone: { target: 'open', actions: assign({ greeting: ({ event }) => event.output }) },
          onError: { target: 'open', actions: assign({ greeting: 'nobody' }) },
        },
      },
      waiting: { after: { asked: 'finished' } },
      finished: { type: 'final' },
    },
  }),
)

/** A callback activity that echoes what it is sent. */
export const echo = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly heard: readonly string[] },
      events: {} as { type: 'SAY'; text: string } | { type: 'HEARD'; text: string } | { type: 'HUSH' },
    },
    actors: {
      parrot: fromCallback<{ type: 'SAY'; text: string }>(({ receive, sendBack }) => {
        receive(event => sendBack({ type: 'HEARD', text: event.text.toUpperCase() }))
      }),
    },
  }).createMachine({
    id: 'echo',
    context: { heard: [] },
    initial: 'listening',
    states: {
      listening: {
        invoke: { id: 'parrot', src: 'parrot' },
        on: {
          SAY: { actions: sendTo('parrot', ({ event }) => event) },
          HEARD: {
            actions: assign({ heard: ({ context, event }) => [...context.heard, event.text] }),
          },
          HUSH: 'quiet',
        },
      },
      quiet: {},
    },
  }),
)
