/** A node of soak.ts: runs errands, each of which counts what it is sent, does what it is asked for, and ends. */
import { assign, setup } from 'xstate'

import { activity, childWorkflow, defineWorkflow, type ActivityContext } from '../../src/index.ts'
import { serve, type ServedOptions } from '../served-node.ts'

interface Jobs {
  readonly work: number
  readonly wait: number
  readonly child: number
}

/** What an errand comes to. */
export interface ErrandOutput {
  /** Of the numbers that it was sent: how many, their sum and the sum of their squares. */
  readonly count: number
  readonly sum: number
  readonly squares: number
  readonly done: Jobs
  /** How many activities or children answered something else than they should. */
  readonly wrong: number
}

interface ErrandContext extends ErrandOutput {
  readonly asked: Jobs
  readonly isOver: boolean
}

export type ErrandEvent =
  | { readonly type: 'ADD'; readonly n: number }
  | { readonly type: 'WORK' }
  | { readonly type: 'WAIT' }
  | { readonly type: 'CHILD' }
  | { readonly type: 'FINISH' }

const none: Jobs = { work: 0, wait: 0, child: 0 }

const square = defineWorkflow(
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

/** Fails at first, for every other number. */
const work = activity({
  name: 'work',
  retry: { initialInterval: '100ms' },
  run: async ({ attempt, input }: ActivityContext<number>) => {
    await new Promise(setImmediate)
    if (attempt === 1 && input % 2 === 0) throw new Error('not yet')
    return input + 1
  },
})

const errand = defineWorkflow(
  setup({
    types: {
      context: {} as ErrandContext,
      events: {} as ErrandEvent,
      output: {} as ErrandOutput,
    },
    actors: { child: childWorkflow(square), work },
    actions: {
      ask: assign(({ context }, job: keyof Jobs) => ({
        asked: { ...context.asked, [job]: context.asked[job] + 1 },
      })),
      finish: assign(({ context }, { isRight, job }: { isRight: boolean; job: keyof Jobs }) => ({
        done: { ...context.done, [job]: context.done[job] + 1 },
        wrong: context.wrong + (isRight ? 0 : 1),
      })),
    },
    guards: {
      owes: ({ context }, job: keyof Jobs) => context.done[job] < context.asked[job],
      isOver: ({ context }) => context.isOver,
    },
  }).createMachine({
    id: 'errand',
    context: { count: 0, sum: 0, squares: 0, asked: none, done: none, isOver: false, wrong: 0 },
    output: ({ context: { count, done, squares, sum, wrong } }) => ({ count, done, squares, sum, wrong }),
    type: 'parallel',
    on: {
      ADD: {
        actions: assign({
          count: ({ context }) => context.count + 1,
          sum: ({ context, event }) => context.sum + event.n,
          squares: ({ context, event }) => context.squares + event.n * event.n,
        }),
      },
      WORK: { actions: { type: 'ask', params: 'work' } },
      WAIT: { actions: { type: 'ask', params: 'wait' } },
      CHILD: { actions: { type: 'ask', params: 'child' } },
      FINISH: { actions: assign({ isOver: true }) },
    },
    states: {
      working: {
        initial: 'idle',
        states: {
          idle: {
            always: [
              { guard: { type: 'owes', params: 'work' }, target: 'busy' },
              { guard: 'isOver', target: 'over' },
            ],
          },
          busy: {
            invoke: {
              src: 'work',
              input: ({ context }) => context.done.work,
              onDone: {
                target: 'idle',
                actions: {
                  type: 'finish',
                  params: ({ context, event }) => ({
                    isRight: event.output === context.done.work + 1,
                    job: 'work',
                  }),
                },
              },
            },
          },
          over: { type: 'final' },
        },
      },
      waiting: {
        initial: 'idle',
        states: {
          idle: {
            always: [
              { guard: { type: 'owes', params: 'wait' }, target: 'busy' },
              { guard: 'isOver', target: 'over' },
            ],
          },
          busy: {
            after: {
              300: { target: 'idle', actions: { type: 'finish', params: { isRight: true, job: 'wait' } } },
            },
          },
          over: { type: 'final' },
        },
      },
      parenting: {
        initial: 'idle',
        states: {
          idle: {
            always: [
              { guard: { type: 'owes', params: 'child' }, target: 'busy' },
              { guard: 'isOver', target: 'over' },
            ],
          },
          busy: {
            invoke: {
              src: 'child',
              input: ({ context }) => ({ n: context.done.child }),
              onDone: {
                target: 'idle',
                actions: {
                  type: 'finish',
                  params: ({ context, event }) => ({
                    isRight: event.output === context.done.child ** 2,
                    job: 'child',
                  }),
                },
              },
            },
          },
          over: { type: 'final' },
        },
      },
    },
  }),
)

export type ErrandWorkflow = typeof errand

await serve(JSON.parse(process.argv[2]!) as ServedOptions, [errand, square])
