import { assign, fromPromise, setup } from 'xstate'

import { settle, type Scenario } from '../scenario.ts'

/** Solves a list of sums in one call. */
export function mathProblem(): Scenario {
  const solve = (expression: string) => {
    const [left, right] = expression.split('+').map(Number)
    return Promise.resolve(left! + right!)
  }
  const machine = setup({
    types: {} as { context: { expressions: string[]; results: number[] }; input: { expressions: string[] } },
    actors: {
      solveAll: fromPromise(({ input }: { input: string[] }) => Promise.all(input.map(solve))),
    },
  }).createMachine({
    id: 'mathProblem',
    context: ({ input }) => ({ expressions: input.expressions, results: [] }),
    initial: 'solving',
    states: {
      solving: {
        invoke: {
          src: 'solveAll',
          input: ({ context }) => context.expressions,
          onDone: { target: 'solved', actions: assign({ results: ({ event }) => event.output }) },
        },
      },
      solved: { type: 'final' },
    },
    output: ({ context }) => ({ results: context.results }),
  })
  return {
    machine,
    input: { expressions: ['2+2', '4+1', '10+35'] },
    script: [settle],
    ends: { status: 'done', output: { results: [4, 5, 45] } },
  }
}
