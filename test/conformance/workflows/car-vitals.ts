import { assign, fromPromise, setup } from 'xstate'

import { advance, send, settle, type Scenario } from '../scenario.ts'

interface Vitals {
  readonly oil: number
  readonly coolant: number
}

/** While the car is on, another workflow checks its vitals again and again. */
export function carVitals(): Scenario {
  const checkVitals = setup({
    types: {} as {
      context: { vitals: Vitals | null; round: number }
      input: { round: number }
      output: Vitals
    },
    actors: {
      readSensors: fromPromise(({ input }: { input: number }) =>
        Promise.resolve({ oil: 90 - input * 30, coolant: 70 }),
      ),
    },
  }).createMachine({
    id: 'checkVitals',
    context: ({ input }) => ({ vitals: null, round: input.round }),
    initial: 'reading',
    states: {
      reading: {
        invoke: {
          src: 'readSensors',
          input: ({ context }) => context.round,
          onDone: { target: 'read', actions: assign({ vitals: ({ event }) => event.output }) },
        },
      },
      read: { type: 'final' },
    },
    output: ({ context }) => context.vitals!,
  })
  const machine = setup({
    types: {} as {
      context: { rounds: number; warnings: string[] }
      events: { type: 'turnedOn' | 'turnedOff' }
      emitted: { type: 'warning'; what: string }
    },
    actors: { checkVitals },
  }).createMachine({
    id: 'carVitals',
    context: { rounds: 0, warnings: [] },
    initial: 'off',
    states: {
      off: { on: { turnedOn: 'on' } },
      on: {
        on: { turnedOff: 'off' },
        initial: 'checking',
        states: {
          checking: {
            invoke: {
              src: 'checkVitals',
              input: ({ context }) => ({ round: context.rounds }),
              onDone: [
                {
                  guard: ({ event }) => event.output.oil < 40,
                  target: 'waiting',
                  actions: assign(({ context }) => ({
                    rounds: context.rounds + 1,
                    warnings: [...context.warnings, 'oil'],
                  })),
                },
                { target: 'waiting', actions: assign({ rounds: ({ context }) => context.rounds + 1 }) },
              ],
            },
          },
          waiting: { after: { 1_000: 'checking' } },
        },
      },
    },
  })
  return {
    machine,
    script: [
      send('turnedOn'),
      settle,
      advance(1_000),
      settle,
      advance(1_000),
      settle,
      advance(1_000),
      // Turned off while the check is still running: its result no longer counts.
      send('turnedOff'),
      settle,
      advance(5_000),
    ],
    ends: { value: 'off', context: { rounds: 3, warnings: ['oil'] } },
  }
}
