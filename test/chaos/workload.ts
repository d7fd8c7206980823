/** What the nodes run during chaos: everything that can be lost or doubled, counted by the instance itself. */
import { assign, sendTo, setup } from 'xstate'

import { activity, childWorkflow, defineWorkflow, instanceRef } from '../../src/index.ts'

/** Answers twice its input. */
export const doubler = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly n: number },
      input: {} as { readonly n: number },
      output: {} as number,
    },
    actors: { work: activity({ name: 'double', run: async ({ input }: { input: number }) => input * 2 }) },
  }).createMachine({
    id: 'doubler',
    context: ({ input }) => input,
    initial: 'working',
    output: ({ context }) => context.n,
    states: {
      working: {
        invoke: {
          src: 'work',
          input: ({ context }) => context.n,
          onDone: { target: 'done', actions: assign({ n: ({ event }) => event.output }) },
        },
      },
      done: { type: 'final' },
    },
  }),
)

export interface Tally {
  /** The last number each sender has sent. */
  readonly last: Readonly<Record<string, number>>
  /** Numbers that did not follow the one before. */
  readonly violations: readonly string[]
  readonly peer: string
  readonly posted: number
  readonly asked: { readonly work: number; readonly wait: number; readonly child: number }
  readonly done: { readonly work: number; readonly wait: number; readonly child: number }
}

type Job = keyof Tally['asked']

const workWrong = 'an activity or a child answered something else'

/** Counts what it is sent and what it asked for, in regions that do one thing at a time. */
export const counter = defineWorkflow(
  setup({
    types: {
      context: {} as Tally,
      events: {} as
        | { type: 'STEP'; sender: string; n: number }
        | { type: 'WORK' }
        | { type: 'WAIT' }
        | { type: 'CHILD' }
        | { type: 'POST' },
      input: {} as { readonly peer: string },
    },
    actors: {
      work: activity({ name: 'work', run: async ({ input }: { input: number }) => input + 1 }),
      child: childWorkflow(doubler),
    },
    actions: {
      step: assign(({ context, event }) => {
        if (event.type !== 'STEP') return {}
        const { sender, n } = event
        const before = context.last[sender] ?? 0
        return {
          last: { ...context.last, [sender]: n },
          violations:
            n === before + 1
              ? context.violations
              : [...context.violations, `${sender}: ${n} after ${before}`],
        }
      }),
      ask: assign(({ context }, job: Job) => ({
        asked: { ...context.asked, [job]: context.asked[job] + 1 },
      })),
      finish: assign(({ context }, { job, isRight }: { job: Job; isRight: boolean }) => ({
        done: { ...context.done, [job]: context.done[job] + 1 },
        violations: isRight ? context.violations : [...context.violations, workWrong],
      })),
    },
    guards: { owes: ({ context }, job: Job) => context.done[job] < context.asked[job] },
  }).createMachine({
    id: 'counter',
    context: ({ input }) => ({
      last: {},
      violations: [],
      peer: input.peer,
      posted: 0,
      asked: { work: 0, wait: 0, child: 0 },
      done: { work: 0, wait: 0, child: 0 },
    }),
    type: 'parallel',
    on: {
      STEP: { actions: 'step' },
      WORK: { actions: { type: 'ask', params: 'work' } },
      WAIT: { actions: { type: 'ask', params: 'wait' } },
      CHILD: { actions: { type: 'ask', params: 'child' } },
      POST: {
        actions: [
          sendTo(
            ({ context }) => instanceRef('counter', context.peer),
            ({ context, self }) => ({ type: 'STEP', sender: self.id, n: context.posted + 1 }),
          ),
          assign({ posted: ({ context }) => context.posted + 1 }),
        ],
      },
    },
    states: {
      working: {
        initial: 'idle',
        states: {
          idle: { always: { guard: { type: 'owes', params: 'work' }, target: 'busy' } },
          busy: {
            invoke: {
              src: 'work',
              input: ({ context }) => context.done.work,
              onDone: {
                target: 'idle',
                actions: {
                  type: 'finish',
                  params: ({ context, event }) => ({
                    job: 'work',
                    isRight: event.output === context.done.work + 1,
                  }),
                },
              },
            },
          },
        },
      },
      waiting: {
        initial: 'idle',
        states: {
          idle: { always: { guard: { type: 'owes', params: 'wait' }, target: 'busy' } },
          busy: {
            after: {
              200: { target: 'idle', actions: { type: 'finish', params: { job: 'wait', isRight: true } } },
            },
          },
        },
      },
      parenting: {
        initial: 'idle',
        states: {
          idle: { always: { guard: { type: 'owes', params: 'child' }, target: 'busy' } },
          busy: {
            invoke: {
              src: 'child',
              input: ({ context }) => ({ n: context.done.child }),
              onDone: {
                target: 'idle',
                actions: {
                  type: 'finish',
                  params: ({ context, event }) => ({
                    job: 'child',
                    isRight: event.output === context.done.child * 2,
                  }),
                },
              },
            },
          },
        },
      },
    },
  }),
)
