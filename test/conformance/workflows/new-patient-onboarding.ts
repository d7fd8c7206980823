import { assign, fromPromise, setup } from 'xstate'

import { send, settle, type Scenario } from '../scenario.ts'

interface Patient {
  readonly name: string
  readonly condition: string
}

async function retrying<T>(attempts: number, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (attempts <= 1) throw error
    return retrying(attempts - 1, run)
  }
}

/** Three services in a row, each tried several times; the last may give up. */
export function newPatientOnboarding(): Scenario {
  const performed: string[] = []
  let refusals = 2
  const unsteady = (name: string) => () => {
    performed.push(name)
    return refusals-- > 0 ? Promise.reject(new Error('service unavailable')) : Promise.resolve(name)
  }
  const machine = setup({
    types: {} as {
      context: { patient: Patient | null; error: unknown }
      events: { type: 'newPatient'; patient: Patient }
    },
    actors: {
      storePatient: fromPromise(() => retrying(3, unsteady('store'))),
      assignDoctor: fromPromise(() => retrying(1, unsteady('doctor'))),
      scheduleAppointment: fromPromise(() => retrying(2, () => Promise.reject(new Error('no appointment')))),
    },
  }).createMachine({
    id: 'newPatientOnboarding',
    context: { patient: null, error: null },
    initial: 'idle',
    states: {
      idle: {
        on: {
          newPatient: { target: 'onboarding', actions: assign({ patient: ({ event }) => event.patient }) },
        },
      },
      onboarding: {
        initial: 'storing',
        onDone: 'onboarded',
        states: {
          storing: { invoke: { src: 'storePatient', onDone: 'assigning' } },
          assigning: { invoke: { src: 'assignDoctor', onDone: 'scheduling', onError: 'gaveUp' } },
          scheduling: {
            invoke: {
              src: 'scheduleAppointment',
              onDone: 'scheduled',
              onError: { target: 'gaveUp', actions: assign({ error: ({ event }) => event.error }) },
            },
          },
          scheduled: { type: 'final' },
          gaveUp: { type: 'final' },
        },
      },
      onboarded: { type: 'final' },
    },
    output: ({ context }) => context.error,
  })
  return {
    machine,
    script: [send('newPatient', { patient: { name: 'Lee', condition: 'flu' } }), settle],
    ends: { status: 'done', output: new Error('no appointment') },
    performed,
  }
}
