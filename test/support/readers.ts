import { assign, setup } from 'xstate'

import { defineWorkflow } from '../../src/workflow/define-workflow.ts'
import type { Duration } from '../../src/workflow/duration.ts'
import { remoteActivity } from '../../src/workflow/remote-activity.ts'

const retry = { maxAttempts: 3, initialInterval: '10ms' } as const

/** Has a worker read, which says how far it is, and must not be silent for long. */
export const reader = readerOf('reader', '700ms')

/** The same, with more patience. */
export const slowReader = readerOf('slow-reader', '1m')

/** The same, with all the patience there is. */
export const patientReader = readerOf('patient-reader')

function readerOf(name: string, heartbeat?: Duration) {
  const read = remoteActivity<string, string>({
    name: 'read',
    format: 'json',
    retry,
    ...(heartbeat !== undefined && { timeout: { heartbeat } }),
  })
  return defineWorkflow(
    setup({
      types: { context: {} as { readonly answer: string } },
      actors: { read },
      actions: {
        keep: assign(({ event }) => {
          const { error, output } = event as { error?: { code?: string }; output?: string }
          return { answer: output ?? `failed ${error?.code}` }
        }),
      },
    }).createMachine({
      id: name,
      context: { answer: '' },
      initial: 'reading',
      output: ({ context }) => context.answer,
      states: {
        reading: {
          invoke: {
            id: 'read',
            src: 'read',
            input: 'book',
            onDone: { target: 'read', actions: 'keep' },
            onError: { target: 'read', actions: 'keep' },
          },
        },
        read: { type: 'final' },
      },
    }),
  )
}
