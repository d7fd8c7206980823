/** What the node of the contestant `holdfast` runs. */
import { setTimeout as pause } from 'node:timers/promises'

import { assign, setup } from 'xstate'

import { activity, bulk, defineWorkflow, type BulkOutcome } from '../../src/index.ts'
import { stepMs } from '../contest/crash.ts'
import type { Diary } from '../contest/diary.ts'
import { counterMachine } from './counter-machine.ts'
import { stepsMachine } from './steps-machine.ts'

interface Delayed {
  readonly delayMs: number
  readonly id: string
}

/** How many children of a parent run at a time. */
const bulkConcurrency = 512

export const counter = defineWorkflow(counterMachine)

const increment = activity({
  name: 'increment',
  run: async ({ input }: { readonly input: number }) => input + 1,
})
export const steps = defineWorkflow(stepsMachine.provide({ actors: { increment } }))

/** One timer each. */
export function timedWith(diary: Diary) {
  return defineWorkflow(
    setup({
      types: { context: {} as Delayed, input: {} as Delayed },
      actions: { note: ({ context }) => diary.note(context.id, Date.now()) },
      delays: { given: ({ context }) => context.delayMs },
    }).createMachine({
      id: 'timed',
      context: ({ input }) => input,
      initial: 'waiting',
      states: {
        waiting: { after: { given: { target: 'fired', actions: 'note' } } },
        fired: { type: 'final' },
      },
    }),
  )
}

/** The five steps, each of which takes 200 ms and is noted. */
export function slowWith(diary: Diary) {
  const slow = activity({
    name: 'slow',
    run: async ({ input: { id, n } }: { readonly input: { readonly id: string; readonly n: number } }) => {
      diary.note('begin', id, n, Date.now())
      await pause(stepMs)
      diary.note('end', id, n, Date.now())
      return n + 1
    },
  })
  return defineWorkflow(
    setup({
      types: {
        context: {} as { readonly id: string; readonly n: number; readonly until: number },
        input: {} as { readonly id: string; readonly n: number; readonly steps: number },
      },
      actors: { slow },
      guards: { isOver: ({ context }) => context.n === context.until },
    }).createMachine({
      id: 'slow',
      context: ({ input: { id, n, steps: many } }) => ({ id, n, until: n + many }),
      output: ({ context }) => ({ n: context.n }),
      initial: 'deciding',
      states: {
        deciding: { always: [{ guard: 'isOver', target: 'over' }, { target: 'working' }] },
        working: {
          invoke: {
            src: 'slow',
            input: ({ context: { id, n } }) => ({ id, n }),
            onDone: { target: 'deciding', actions: assign({ n: ({ event }) => event.output }) },
          },
        },
        over: { type: 'final' },
      },
    }),
  )
}

export const square = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly n: number },
      input: {} as { readonly n: number },
      output: {} as number,
    },
  }).createMachine({
    id: 'square',
    context: ({ input }) => input,
    output: ({ context }) => context.n * context.n,
    initial: 'over',
    states: { over: { type: 'final' } },
  }),
)

export const parent = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly count: number; readonly outcome?: BulkOutcome<number> },
      input: {} as { readonly count: number },
      output: {} as BulkOutcome<number>,
    },
    actors: {
      squares: bulk(square, {
        concurrency: bulkConcurrency,
        items: ({ count }: { count: number }) => ({ length: count, at: n => ({ n }) }),
      }),
    },
  }).createMachine({
    id: 'parent',
    context: ({ input }) => input,
    output: ({ context }) => context.outcome!,
    initial: 'squaring',
    states: {
      squaring: {
        invoke: {
          src: 'squares',
          input: ({ context }) => context,
          onDone: { target: 'over', actions: assign({ outcome: ({ event }) => event.output }) },
        },
      },
      over: { type: 'final' },
    },
  }),
)
