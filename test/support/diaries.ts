import { assign, sendTo, setup, type AnyStateMachine } from 'xstate'

import { defineWorkflow, instanceRef, type Persist, type Workflow } from '../../src/index.ts'
import { activity } from '../../src/workflow/activity.ts'
import { listener } from './families.ts'

export const doings = ['steps', 'works', 'acts'] as const

/** What a diary does that can be seen from outside: takes an event, begins an attempt of its activity, runs an action. */
export type Doing = (typeof doings)[number]

/** Told of everything done, before it happens. */
export type Witness = (doing: Doing, diary: string, id: string, n: number) => void

export interface DiaryContext {
  readonly id: string
  /** The number of every event, in order. */
  readonly seen: readonly number[]
  /** Those whose work waits or runs. */
  readonly todo: readonly number[]
  /** Those whose work is done. */
  readonly done: readonly number[]
}

export type DiaryEvent =
  | { readonly type: 'NOTE' | 'WORK' | 'ACT' | 'MARK'; readonly n: number }
  | { readonly type: 'FINISH' }

/** What the event of that number is: mostly one that only changes the state. */
export function diaryEvent(n: number): DiaryEvent {
  return { type: isWork(n) ? 'WORK' : isAct(n) ? 'ACT' : isMark(n) ? 'MARK' : 'NOTE', n }
}

export const isWork = (n: number): boolean => n % 7 === 1
export const isAct = (n: number): boolean => n % 7 === 5
/** It ends in the state tagged `commit` of the diary that has one. */
export const isMark = (n: number): boolean => n % 7 === 3

/** The function of the diary that has one: chooses every fourth event. */
export const isChosen = ({ context }: { readonly context: DiaryContext }): boolean =>
  context.seen.length % 4 === 0

export const everyMs = 300
export const everyEvents = 5

const strategies = {
  transition: 'transition',
  turn: 'turn',
  rest: 'rest',
  every: { every: everyMs, events: everyEvents },
  chosen: isChosen,
  tagged: { every: '1s' },
  none: 'none',
} as const satisfies Record<string, Persist<AnyStateMachine>>

export type DiaryName = keyof typeof strategies

/** A workflow for each strategy, that keeps every event, works and acts on some, and tells a listener of those. */
export function diaries(witness: Witness): Readonly<Record<DiaryName, ReturnType<typeof diary>>> {
  const entries = Object.keys(strategies).map(name => [name, diary(name as DiaryName, witness)])
  return Object.fromEntries(entries) as Record<DiaryName, ReturnType<typeof diary>>
}

function diary(name: DiaryName, witness: Witness) {
  const machine = setup({
    types: {
      context: {} as DiaryContext,
      events: {} as DiaryEvent,
      input: {} as { readonly id: string },
    },
    actors: {
      work: activity({
        name: 'work',
        run: async ({ input: { id, n } }: { input: { id: string; n: number } }) => {
          witness('works', name, id, n)
          return n
        },
      }),
    },
    actions: {
      see: assign(({ context, event }) => {
        if (event.type === 'FINISH') return {}
        witness('steps', name, context.id, event.n)
        const todo = event.type === 'WORK' ? [...context.todo, event.n] : context.todo
        return { seen: [...context.seen, event.n], todo }
      }),
      act: (_, { id, n }: { id: string; n: number }) => witness('acts', name, id, n),
    },
    guards: { hasWork: ({ context }) => context.todo.length > 0 },
  }).createMachine({
    id: name,
    context: ({ input: { id } }) => ({ id, seen: [], todo: [], done: [] }),
    initial: 'open',
    states: {
      open: {
        type: 'parallel',
        on: { FINISH: 'closed' },
        states: {
          page: {
            initial: 'plain',
            on: {
              NOTE: { target: '.plain', actions: 'see' },
              WORK: { target: '.plain', actions: 'see' },
              ACT: {
                target: '.plain',
                actions: [
                  'see',
                  { type: 'act', params: ({ context: { id }, event: { n } }) => ({ id, n }) },
                  sendTo(
                    ({ context: { id } }) => instanceRef(listener, listenerOf(name, id)),
                    ({ event: { n } }) => ({ type: 'TOLD', n }),
                  ),
                ],
              },
              MARK: { target: '.marked', actions: 'see' },
            },
            states: { plain: {}, marked: { tags: name === 'tagged' ? ['commit'] : [] } },
          },
          work: {
            initial: 'idle',
            states: {
              idle: { always: { guard: 'hasWork', target: 'working' } },
              working: {
                invoke: {
                  src: 'work',
                  input: ({ context: { id, todo } }) => ({ id, n: todo[0]! }),
                  onDone: {
                    target: 'idle',
                    actions: assign({
                      todo: ({ context }) => context.todo.slice(1),
                      done: ({ context, event }) => [...context.done, event.output],
                    }),
                  },
                },
              },
            },
          },
        },
      },
      closed: { type: 'final' },
    },
  })
  return defineWorkflow(machine, { persist: strategies[name] as Persist<typeof machine> })
}

/** The instance that the diary tells of its actions. */
export function listenerOf(diaryName: string, id: string): string {
  return `${diaryName}-${id}`
}

/** All that a node needs to run them. */
export function diaryWorkflows(witness: Witness): readonly Workflow[] {
  return [...Object.values(diaries(witness)), listener]
}
