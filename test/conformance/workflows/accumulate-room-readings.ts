import { assign, fromPromise, setup } from 'xstate'

import { advance, send, settle, type Scenario } from '../scenario.ts'

interface Reading {
  readonly roomId: string
  readonly value: number
}

/** Gathers temperature and humidity of a home and reports them every hour. */
export function accumulateRoomReadings(): Scenario {
  const performed: string[] = []
  const machine = setup({
    types: {} as {
      context: { temperature: Map<string, number>; humidity: Map<string, number>; reports: number }
      events: ({ type: 'temperature' } & Reading) | ({ type: 'humidity' } & Reading)
    },
    actors: {
      report: fromPromise(
        ({ input }: { input: { temperature: Map<string, number>; rooms: Set<string> } }) => {
          performed.push(
            `report on ${[...input.rooms].join('+')}: ${[...input.temperature.values()].join('/')}`,
          )
          return Promise.resolve()
        },
      ),
    },
  }).createMachine({
    id: 'roomReadings',
    context: () => ({ temperature: new Map(), humidity: new Map(), reports: 0 }),
    initial: 'consuming',
    states: {
      consuming: {
        on: {
          temperature: {
            actions: assign({
              temperature: ({ context, event }) =>
                new Map([...context.temperature, [event.roomId, event.value]]),
            }),
          },
          humidity: {
            actions: assign({
              humidity: ({ context, event }) => new Map([...context.humidity, [event.roomId, event.value]]),
            }),
          },
        },
        after: { 3_600_000: 'reporting' },
      },
      reporting: {
        invoke: {
          src: 'report',
          input: ({ context }) => ({
            temperature: context.temperature,
            rooms: new Set([...context.temperature.keys(), ...context.humidity.keys()]),
          }),
          onDone: {
            target: 'consuming',
            actions: assign({ temperature: new Map(), reports: ({ context }) => context.reports + 1 }),
          },
        },
      },
    },
  })
  return {
    machine,
    script: [
      send('temperature', { roomId: 'kitchen', value: 21 }),
      send('humidity', { roomId: 'bath', value: 80 }),
      send('temperature', { roomId: 'kitchen', value: 22 }),
      advance(3_600_000),
      settle,
      send('temperature', { roomId: 'bath', value: 25 }),
      advance(3_600_000),
      settle,
    ],
    ends: {
      value: 'consuming',
      context: { temperature: new Map(), humidity: new Map([['bath', 80]]), reports: 2 },
    },
    performed,
  }
}
