import { assign, setup } from 'xstate'

import { advance, type Scenario } from '../scenario.ts'

/** Fills a glass a little at a time until it is full. */
export function fillingWater(): Scenario {
  const machine = setup({
    types: {} as { context: { filled: number; capacity: number }; input: { capacity: number } },
    guards: { isFull: ({ context }) => context.filled >= context.capacity },
    actions: { pour: assign({ filled: ({ context }) => context.filled + 1 }) },
    delays: { pouring: ({ context }) => 500 + context.filled * 10 },
  }).createMachine({
    id: 'fillingWater',
    context: ({ input }) => ({ filled: 0, capacity: input.capacity }),
    initial: 'checking',
    states: {
      checking: { always: [{ guard: 'isFull', target: 'full' }, { target: 'filling' }] },
      filling: { after: { pouring: { target: 'checking', actions: 'pour' } } },
      full: { type: 'final' },
    },
    output: ({ context }) => context.filled,
  })
  return {
    machine,
    input: { capacity: 4 },
    script: [advance(499), advance(1), advance(509), advance(1), advance(10_000)],
    ends: { status: 'done', output: 4 },
  }
}
