import { fromPromise, setup } from 'xstate'

import { send, settle, type Scenario } from '../scenario.ts'

interface Applicant {
  readonly name: string
  readonly age: number
}

/** Starts an application for adults, turns minors away, and rejects when the application cannot be started. */
export function applicantRequest(): Scenario {
  const performed: string[] = []
  const machine = setup({
    types: {} as {
      context: { applicant: Applicant }
      events: { type: 'submit' } | { type: 'revise'; applicant: Applicant }
      input: { applicant: Applicant }
    },
    actors: {
      startApplication: fromPromise(({ input }: { input: Applicant }) =>
        input.name === ''
          ? Promise.reject(new TypeError('applicant has no name'))
          : Promise.resolve(`started ${input.name}`),
      ),
      sendRejection: fromPromise(({ input }: { input: { reason: string } }) => {
        performed.push(`rejection: ${input.reason}`)
        return Promise.resolve()
      }),
    },
    guards: { isAdult: ({ context }, minimum: number) => context.applicant.age >= minimum },
  }).createMachine({
    id: 'applicantRequest',
    context: ({ input }) => ({ applicant: input.applicant }),
    initial: 'checking',
    states: {
      checking: {
        on: {
          submit: [{ guard: { type: 'isAdult', params: 18 }, target: 'starting' }, { target: 'rejecting' }],
          revise: { actions: ({ event }) => performed.push(`revised to ${event.applicant.age}`) },
        },
      },
      starting: {
        invoke: {
          src: 'startApplication',
          input: ({ context }) => context.applicant,
          onDone: 'started',
          onError: 'rejecting',
        },
      },
      rejecting: {
        invoke: {
          src: 'sendRejection',
          input: ({ event }) => ({ reason: 'error' in event ? String(event.error) : 'too young' }),
          onDone: 'rejected',
        },
      },
      started: { type: 'final' },
      rejected: { type: 'final' },
    },
  })
  return {
    machine,
    input: { applicant: { name: '', age: 21 } },
    script: [send('revise', { applicant: { name: '', age: 22 } }), send('submit'), settle],
    ends: { status: 'done', value: 'rejected' },
    performed,
  }
}
