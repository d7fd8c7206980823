import { fromPromise, setup } from 'xstate'

import { send, settle, type Scenario } from '../scenario.ts'

/** An application is complete once three documents have come in, in whatever order. */
export function finalizeCollegeApp(): Scenario {
  const performed: string[] = []
  const document = (event: 'application' | 'testScores' | 'recommendation') =>
    ({
      initial: 'missing',
      states: { missing: { on: { [event]: 'present' } }, present: { type: 'final' } },
    }) as const
  const machine = setup({
    types: {} as {
      context: { applicantId: string }
      events: { type: 'application' | 'testScores' | 'recommendation' }
      input: { applicantId: string }
    },
    actors: {
      finalize: fromPromise(({ input }: { input: string }) => {
        performed.push(`finalize ${input}`)
        return Promise.resolve('FINAL')
      }),
    },
  }).createMachine({
    id: 'finalizeCollegeApp',
    context: ({ input }) => ({ applicantId: input.applicantId }),
    initial: 'collecting',
    states: {
      collecting: {
        type: 'parallel',
        states: {
          application: document('application'),
          testScores: document('testScores'),
          recommendation: document('recommendation'),
        },
        onDone: 'finalizing',
      },
      finalizing: {
        invoke: { src: 'finalize', input: ({ context }) => context.applicantId, onDone: 'finalized' },
      },
      finalized: { type: 'final' },
    },
  })
  return {
    machine,
    input: { applicantId: 'a-3' },
    script: [send('recommendation'), send('recommendation'), send('application'), send('testScores'), settle],
    ends: { status: 'done', value: 'finalized' },
    performed,
  }
}
