import { assign, fromPromise, setup } from 'xstate'

import { answer, outside, send, type Scenario } from '../scenario.ts'

interface Patient {
  readonly name: string
  readonly breed: string
}

/** Asks the vet for an appointment and waits for the answer. */
export function eventBasedService(): Scenario {
  const appointment = answer<{ id: string; at: Date }>()
  const machine = setup({
    types: {} as {
      context: { patient?: Patient; appointment?: { id: string; at: Date } }
      events: { type: 'makeAppointment'; patient: Patient }
    },
    actors: {
      requestAppointment: fromPromise(({ input }: { input: Patient | undefined }) =>
        input === undefined ? Promise.reject(new Error('no patient')) : appointment.promise,
      ),
    },
  }).createMachine({
    id: 'vetAppointment',
    context: {},
    initial: 'idle',
    states: {
      idle: {
        on: {
          makeAppointment: {
            target: 'requesting',
            actions: assign({ patient: ({ event }) => event.patient }),
          },
        },
      },
      requesting: {
        invoke: {
          src: 'requestAppointment',
          input: ({ context }) => context.patient,
          onDone: { target: 'arranged', actions: assign({ appointment: ({ event }) => event.output }) },
        },
        after: { 86_400_000: 'idle' },
      },
      arranged: { type: 'final' },
    },
    output: ({ context }) => context.appointment,
  })
  const arranged = { id: 'v-1', at: new Date(Date.UTC(2030, 1, 3, 9)) }
  return {
    machine,
    script: [
      send('makeAppointment', { patient: { name: 'Mia', breed: 'German shepherd' } }),
      outside(() => appointment.resolve(arranged)),
    ],
    ends: { status: 'done', output: arranged },
  }
}
