import { appendFileSync } from 'node:fs'

import { assign, setup } from 'xstate'

import { activity, defineWorkflow, type ActivityContext, type ActivityOptions } from '../../src/index.ts'

/** What an errand does with its attempt. */
export type Errand =
  /** Changes something outside, and is killed at once if that was the first time. */
  | 'pay'
  /** Says how far it is and waits to be killed; the next attempt answers how far it was told the last one was. */
  | 'read'
  /** Kills its process whenever it is begun. */
  | 'kill'
  /** Has two attempts and one slot for both: the one kills its process, while the other waits that later fails once. */
  | 'queue'
  /** Waits for ever, but not for long. */
  | 'wait'

export interface ErrandContext {
  readonly errand: Errand
  readonly answers: readonly unknown[]
  readonly error?: unknown
}

/** How long all attempts of a `wait` may take. */
export const waitTotalMs = 3_000

/** Runs one errand, whose attempts are written down in the file, one a line: their key and number. */
export function errandsOf(file: string) {
  const begin = ({ attempt, idempotencyKey }: ActivityContext) => {
    appendFileSync(file, `${idempotencyKey} ${attempt}\n`)
  }
  const errand = (
    name: Errand,
    run: (context: ActivityContext) => Promise<unknown>,
    options: Partial<ActivityOptions<unknown, unknown>> = {},
  ) =>
    activity<unknown, unknown>({
      name,
      run: context => {
        begin(context)
        return run(context)
      },
      ...options,
    })
  const forEver = () => new Promise<never>(() => {})
  const die = () => {
    process.kill(process.pid, 'SIGKILL')
    return forEver()
  }

  return defineWorkflow(
    setup({
      types: { context: {} as ErrandContext, input: {} as { readonly errand: Errand } },
      actors: {
        pay: errand('pay', ({ attempt }) => (attempt === 1 ? die() : Promise.resolve('paid'))),
        read: errand('read', ({ heartbeat, lastHeartbeat }) => {
          if (lastHeartbeat !== undefined) return Promise.resolve(lastHeartbeat)
          heartbeat({ page: 3, of: new Set(['a', 'b']) })
          return forEver()
        }),
        kill: errand('kill', die, { restart: { intensity: 2, period: '10m' } }),
        queue: errand(
          'queue',
          ({ attempt, input }) => {
            if (input === 'first') return attempt === 1 ? die() : Promise.resolve()
            return attempt === 2 ? Promise.reject(new Error('not today')) : Promise.resolve('served')
          },
          { concurrency: 1, retry: { initialInterval: '1ms', maxAttempts: 2 } },
        ),
        wait: errand('wait', forEver, { timeout: { total: waitTotalMs } }),
      },
      actions: {
        keepAnswer: assign({
          answers: ({ context, event }) => [...context.answers, (event as { output?: unknown }).output],
        }),
        keepError: assign({ error: ({ event }) => (event as { error?: unknown }).error }),
      },
    }).createMachine({
      id: 'errands',
      context: ({ input }) => ({ errand: input.errand, answers: [] }),
      initial: 'choosing',
      states: {
        choosing: {
          always: [
            { guard: ({ context }) => context.errand === 'pay', target: 'paying' },
            { guard: ({ context }) => context.errand === 'read', target: 'reading' },
            { guard: ({ context }) => context.errand === 'kill', target: 'killing' },
            { guard: ({ context }) => context.errand === 'queue', target: 'queueing' },
            { target: 'waiting' },
          ],
        },
        paying: { invoke: { src: 'pay', onDone: { target: 'over', actions: 'keepAnswer' } } },
        reading: { invoke: { src: 'read', onDone: { target: 'over', actions: 'keepAnswer' } } },
        killing: { invoke: { src: 'kill', onError: { target: 'over', actions: 'keepError' } } },
        queueing: {
          invoke: [
            { src: 'queue', id: 'first', input: 'first' },
            {
              src: 'queue',
              id: 'second',
              input: 'second',
              onDone: { target: 'over', actions: 'keepAnswer' },
              onError: { target: 'over', actions: 'keepError' },
            },
          ],
        },
        waiting: { invoke: { src: 'wait', onError: { target: 'over', actions: 'keepError' } } },
        over: {},
      },
    }),
  )
}
