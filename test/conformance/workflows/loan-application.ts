import { assign, fromPromise, setup } from 'xstate'

import { answer, outside, send, settle, type Answer, type Scenario } from '../scenario.ts'

type Bureau = 'north' | 'south' | 'west'

/** Three credit bureaus are asked at once; each that fails is asked again; the middle score decides. */
export function loanApplication(): Scenario {
  const asked: Record<Bureau, Answer<number>[]> = { north: [], south: [], west: [] }
  const ask = (bureau: Bureau) =>
    fromPromise(() => {
      const next = answer<number>()
      asked[bureau].push(next)
      return next.promise
    })
  const region = (bureau: Bureau) =>
    ({
      initial: 'asking',
      states: {
        asking: {
          invoke: {
            id: bureau,
            src: bureau,
            onDone: {
              target: 'answered',
              actions: {
                type: 'keepScore',
                params: ({ event }: { event: { output: number } }) => event.output,
              },
            },
            onError: [
              { guard: 'mayRetry', target: 'asking', reenter: true, actions: 'countFailure' },
              { target: 'unavailable', actions: 'countFailure' },
            ],
          },
        },
        answered: { type: 'final' },
        unavailable: { type: 'final' },
      },
    }) as const
  const machine = setup({
    types: {} as { context: { scores: number[]; failures: number }; events: { type: 'apply' } },
    actors: { north: ask('north'), south: ask('south'), west: ask('west') },
    actions: {
      keepScore: assign({ scores: ({ context }, score: number) => [...context.scores, score] }),
      countFailure: assign({ failures: ({ context }) => context.failures + 1 }),
    },
    guards: { mayRetry: ({ context }) => context.failures < 2 },
  }).createMachine({
    id: 'loanApplication',
    context: { scores: [], failures: 0 },
    initial: 'idle',
    states: {
      idle: { on: { apply: 'asking' } },
      asking: {
        type: 'parallel',
        states: { north: region('north'), south: region('south'), west: region('west') },
        onDone: [
          { guard: ({ context }) => context.scores.length >= 2, target: 'decided' },
          { target: 'undecidable' },
        ],
      },
      decided: { type: 'final' },
      undecidable: { type: 'final' },
    },
    output: ({ context }) => context.scores.toSorted((a, b) => a - b)[Math.floor(context.scores.length / 2)],
  })
  return {
    machine,
    script: [
      send('apply'),
      settle,
      outside(() => asked.north[0]!.reject(new Error('north is down'))),
      outside(() => asked.west[0]!.resolve(640)),
      outside(() => asked.north[1]!.reject(new Error('north is still down'))),
      // Answers to an invocation that was given up long ago.
      outside(() => asked.north[0]!.resolve(1)),
      outside(() => asked.north[2]!.reject(new Error('north stays down'))),
      outside(() => asked.south[0]!.reject(new Error('south is down'))),
    ],
    ends: { status: 'done', value: 'undecidable', output: 640, context: { scores: [640], failures: 4 } },
  }
}
