import { assign, fromPromise, setup } from 'xstate'

import { settle, type Scenario } from '../scenario.ts'

/** Calls a greeting function with the name from the input; its answer is the output. */
export function greeting(): Scenario {
  const machine = setup({
    types: {} as {
      context: { name: string; text: string }
      input: { name: string }
      output: { text: string }
    },
    actors: {
      greet: fromPromise(({ input }: { input: { name: string } }) =>
        Promise.resolve(`Welcome, ${input.name}!`),
      ),
    },
  }).createMachine({
    id: 'greeting',
    context: ({ input }) => ({ name: input.name, text: '' }),
    initial: 'greeting',
    states: {
      greeting: {
        invoke: {
          src: 'greet',
          input: ({ context }) => ({ name: context.name }),
          onDone: { target: 'greeted', actions: assign({ text: ({ event }) => event.output }) },
        },
      },
      greeted: { type: 'final' },
    },
    output: ({ context }) => ({ text: context.text }),
  })
  return {
    machine,
    input: { name: 'Ada' },
    script: [settle],
    ends: { status: 'done', output: { text: 'Welcome, Ada!' } },
  }
}
