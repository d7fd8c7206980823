import { assign, fromPromise, setup } from 'xstate'

import { answer, outside, type Scenario } from '../scenario.ts'

/** Two branches of different length; the workflow goes on when both have ended. */
export function parallel(): Scenario {
  const short = answer<string>()
  const long = answer<string>()
  const machine = setup({
    types: {} as { context: Record<string, string> },
    actors: { short: fromPromise(() => short.promise), long: fromPromise(() => long.promise) },
  }).createMachine({
    id: 'parallel',
    context: {},
    initial: 'branching',
    states: {
      branching: {
        type: 'parallel',
        onDone: 'joined',
        states: {
          short: {
            initial: 'running',
            states: {
              running: {
                invoke: {
                  src: 'short',
                  onDone: { target: 'ended', actions: assign(({ event }) => ({ short: event.output })) },
                },
              },
              ended: { type: 'final' },
            },
          },
          long: {
            initial: 'running',
            states: {
              running: {
                invoke: {
                  src: 'long',
                  onDone: {
                    target: 'ended',
                    actions: assign(({ context, event }) => ({ ...context, long: event.output })),
                  },
                },
              },
              ended: { type: 'final' },
            },
          },
        },
      },
      joined: { type: 'final' },
    },
    output: ({ context }) => context,
  })
  return {
    machine,
    script: [outside(() => short.resolve('short')), outside(() => long.resolve('long'))],
    ends: { status: 'done', output: { short: 'short', long: 'long' } },
  }
}
