import { assign, fromPromise, setup } from 'xstate'

interface Numbered {
  readonly n: number
}

/** Five steps, one after the other, each of which adds one. */
export const stepsMachine = setup({
  types: { context: {} as Numbered, input: {} as Numbered, output: {} as Numbered },
  actors: { increment: fromPromise<number, number>(async ({ input }) => input + 1) },
}).createMachine({
  id: 'steps',
  context: ({ input }) => ({ n: input.n }),
  output: ({ context }) => ({ n: context.n }),
  initial: 'one',
  states: {
    one: step('two'),
    two: step('three'),
    three: step('four'),
    four: step('five'),
    five: step('over'),
    over: { type: 'final' },
  },
})

function step<Next extends string>(next: Next) {
  return {
    invoke: {
      src: 'increment',
      input: ({ context }: { readonly context: Numbered }) => context.n,
      onDone: {
        target: next,
        actions: assign<
          Numbered,
          { readonly type: string; readonly output: number },
          undefined,
          { type: string },
          never
        >({ n: ({ event }) => event.output }),
      },
    },
  } as const
}
