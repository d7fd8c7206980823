import { setup } from 'xstate'

import { send, type Scenario } from '../scenario.ts'

type Vital = 'highTemperature' | 'highPressure' | 'lowBreathing'

/** Every alarming measurement calls someone else. */
export function monitorPatient(): Scenario {
  const performed: string[] = []
  const machine = setup({
    types: {} as {
      context: { patientId: string }
      events: { type: Vital; value: number } | { type: 'discharged' }
    },
    actions: {
      callDoctor: ({ context }) => performed.push(`doctor for ${context.patientId}`),
      callNurse: ({ event }) => performed.push(`nurse because of ${event.type}`),
      callEmergency: ({ context }, params: { reading: number }) =>
        performed.push(`emergency for ${context.patientId} at ${params.reading}`),
    },
  }).createMachine({
    id: 'monitorPatient',
    context: { patientId: 'p-12' },
    initial: 'monitoring',
    states: {
      monitoring: {
        on: {
          highTemperature: { actions: ['callDoctor', 'callNurse'] },
          highPressure: { actions: 'callNurse' },
          lowBreathing: {
            actions: { type: 'callEmergency', params: ({ event }) => ({ reading: event.value }) },
          },
          discharged: 'discharged',
        },
      },
      discharged: { type: 'final' },
    },
  })
  return {
    machine,
    script: [
      send('highTemperature', { value: 40 }),
      send('lowBreathing', { value: 7 }),
      send('highPressure', { value: 180 }),
      send('discharged'),
    ],
    ends: { status: 'done', value: 'discharged' },
    performed,
  }
}
