import { appendFileSync } from 'node:fs'

import { assign, setup } from 'xstate'

import { activity, defineWorkflow, pool, type ActivityContext } from '../../src/index.ts'

/** How many may be treated at a time. */
export const bedCount = 3

export interface Illness {
  readonly treatmentMs: number
  /** The attempts that fail. */
  readonly relapses: number
}

/**
 * Patients whose treatment needs a permit of the pool `beds`. Each attempt is written down in the file when it begins and
 * when it ends, however it ends, with its process and its key.
 */
export function patientOf(file: string) {
  const treat = activity({
    name: 'treat',
    pool: pool({ name: 'beds', permits: bedCount }),
    retry: { initialInterval: '20ms', jitter: 0 },
    run: async ({ attempt, idempotencyKey, input, signal }: ActivityContext<Illness>) => {
      const note = (what: string) => {
        appendFileSync(file, `${what} ${process.pid} ${idempotencyKey}\n`)
      }
      note('begun')
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(resolve, input.treatmentMs)
        signal.addEventListener('abort', () => {
          clearTimeout(timer)
          note('ended')
          reject(signal.reason as Error)
        })
      })
      note('ended')
      if (attempt <= input.relapses) throw new Error('a relapse')
      return attempt
    },
  })
  return defineWorkflow(
    setup({
      types: {
        context: {} as Illness & { readonly attempts: number },
        events: {} as { type: 'LEAVE' },
        input: {} as Illness,
        output: {} as number,
      },
      actors: { treat },
    }).createMachine({
      id: 'patient',
      context: ({ input }) => ({ ...input, attempts: 0 }),
      initial: 'ill',
      output: ({ context }) => context.attempts,
      states: {
        ill: {
          invoke: {
            src: 'treat',
            input: ({ context }) => context,
            onDone: { target: 'home', actions: assign({ attempts: ({ event }) => event.output }) },
          },
          on: { LEAVE: 'home' },
        },
        home: { type: 'final' },
      },
    }),
  )
}
