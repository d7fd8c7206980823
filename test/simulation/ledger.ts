import { assign, cancel, emit, raise, sendTo, setup, type PromiseActorLogic } from 'xstate'

import type { BulkOutcome } from '../../actors/bulk.ts'
import { bulk } from '../../src/workflow/bulk.ts'
import { childWorkflow } from '../../src/workflow/child-workflow.ts'
import { defineWorkflow, type Workflow } from '../../src/workflow/define-workflow.ts'
import { instanceRef } from '../../src/workflow/instance-ref.ts'
import { applicantMachine, type Permission } from './applicant.ts'
import type { Harvest } from './harvests.ts'
import { askOf, order, workOn, type Job, type Outside } from './outside.ts'

/** There is one timer of each: setting it again replaces it. */
export type TimerId = 'left' | 'right'

/** Jobs to be done together, within some time. */
export interface Fleet {
  readonly tag: string
  readonly jobs: readonly Job[]
  readonly patienceMs: number
  /** Whether the first failure ends it. */
  readonly isStrict: boolean
}

/** Every event has a tag of its own: its sender, and how many it has sent before. */
export type LedgerEvent =
  | { readonly type: 'NOTE'; readonly tag: string }
  | { readonly type: 'TIMER'; readonly tag: string; readonly id: TimerId; readonly delayMs: number }
  | { readonly type: 'CANCEL'; readonly tag: string; readonly id: TimerId }
  | { readonly type: 'RANG'; readonly tag: string }
  | ({ readonly type: 'JOB' } & Job)
  | ({ readonly type: 'ERRAND' } & Job)
  | ({ readonly type: 'CHORE' } & Job)
  | ({ readonly type: 'FLEET' } & Fleet)
  | ({ readonly type: 'ORDER' } & Job)
  | ({ readonly type: 'PERMIT' } & Permission)
  | { readonly type: 'GRANTED'; readonly tag: string }
  | { readonly type: 'EMIT'; readonly tag: string }
  | { readonly type: 'ACT'; readonly tag: string }
  | { readonly type: 'HEARD'; readonly tag: string }
  | { readonly type: 'TELL'; readonly tag: string; readonly to: string }
  | { readonly type: 'TOLD'; readonly tag: string }
  | { readonly type: 'CLOSE'; readonly tag: string }

export interface LedgerContext {
  /** Everything that has happened to the instance, in order. */
  readonly log: readonly string[]
  readonly jobs: readonly Job[]
  readonly errands: readonly Job[]
  readonly chores: readonly Job[]
  readonly fleets: readonly Fleet[]
  readonly permissions: readonly Permission[]
  readonly orders: readonly Job[]
  readonly harvests: readonly Harvest[]
}

/** When instances are stored: see Persist. */
export const persistences = {
  turn: 'turn',
  transition: 'transition',
  rest: 'rest',
  every: { every: '300ms', events: 5 },
  chosen: ({ context }: { readonly context: LedgerContext }) => context.log.length % 3 === 0,
} as const

export type PersistenceName = keyof typeof persistences

/**
 * A workflow that writes down all it goes through, and does a little of everything: timers that replace each other,
 * activities with retries and a time limit, nested machines, child workflows, permits of a pool, work for workers,
 * messages to others, emitted events, custom actions.
 */
export function ledgerWorkflow(outside: Outside, chore: Workflow, persistence: PersistenceName): Workflow {
  const ringLater = (id: TimerId) =>
    raise<LedgerContext, LedgerEvent & { type: 'TIMER' }, LedgerEvent, undefined>(
      ({ event }) => ({ type: 'RANG', tag: event.tag }),
      { delay: ({ event }) => event.delayMs, id },
    )

  const written = (log: readonly string[], entry: string) => {
    outside.writing(entry)
    return [...log, entry]
  }

  const machine = setup({
    types: {
      context: {} as LedgerContext,
      events: {} as LedgerEvent,
      emitted: {} as { readonly type: 'noted'; readonly tag: string },
      input: {} as { readonly opened: string },
    },
    actors: {
      applicant: applicantMachine,
      chore: childWorkflow(chore) as PromiseActorLogic<string, Job>,
      fleet: bulk<Workflow, Fleet>(chore, { concurrency: 2, items: ({ jobs }) => jobs }),
      strictFleet: bulk<Workflow, Fleet>(chore, {
        concurrency: 3,
        failFast: true,
        items: ({ jobs }) => jobs,
      }),
      errand: errandMachine(outside),
      order,
      work: workOn(outside, { total: '4s' }),
    },
    actions: {
      note: assign({ log: ({ context, event }) => written(context.log, event.tag) }),
      noteAs: assign({
        log: ({ context, event }, { as }: { as: string }) => written(context.log, `${as} ${event.tag}`),
      }),
      noteJob: assign({
        log: ({ context }, { as }: { as: string }) => written(context.log, `${as} ${context.jobs[0]!.tag}`),
        jobs: ({ context }) => context.jobs.slice(1),
      }),
      noteErrand: assign({
        log: ({ context }, { answer }: { answer: string }) => written(context.log, `brought ${answer}`),
        errands: ({ context }) => context.errands.slice(1),
      }),
      noteChore: assign({
        log: ({ context }, { as }: { as: string }) => written(context.log, `${as} ${context.chores[0]!.tag}`),
        chores: ({ context }) => context.chores.slice(1),
      }),
      noteFleet: assign({
        log: ({ context }, { as }: { as: string }) => written(context.log, `${as} ${context.fleets[0]!.tag}`),
        fleets: ({ context }) => context.fleets.slice(1),
      }),
      noteHarvest: assign({
        log: ({ context }, { outcome: { failed, succeeded } }: { outcome: BulkOutcome<string> }) =>
          written(context.log, `gathered ${context.fleets[0]!.tag} ${succeeded} ${failed}`),
        fleets: ({ context }) => context.fleets.slice(1),
        harvests: ({ context }, { outcome: { results } }) => [
          ...context.harvests,
          { tag: context.fleets[0]!.tag, results },
        ],
      }),
      notePermission: assign({
        log: ({ context }, { as }: { as: string }) =>
          written(context.log, `${as} ${context.permissions[0]!.tag}`),
        permissions: ({ context }) => context.permissions.slice(1),
      }),
      noteOrder: assign({
        log: ({ context }, { as }: { as: string }) => written(context.log, `${as} ${context.orders[0]!.tag}`),
        orders: ({ context }) => context.orders.slice(1),
      }),
      publish: emit(({ event }) => ({ type: 'noted' as const, tag: event.tag })),
      act: ({ self }, { tag }: { tag: string }) => {
        outside.acted(tag)
        self.send({ type: 'HEARD', tag })
      },
    },
    delays: {
      jobPatience: ({ context }) => context.jobs[0]!.patienceMs,
      chorePatience: ({ context }) => context.chores[0]!.patienceMs,
      orderPatience: ({ context }) => context.orders[0]!.patienceMs,
      permissionPatience: ({ context }) => context.permissions[0]!.patienceMs,
      fleetPatience: ({ context }) => context.fleets[0]!.patienceMs,
    },
    guards: {
      hasJob: ({ context }) => context.jobs.length > 0,
      hasErrand: ({ context }) => context.errands.length > 0,
      hasFleet: ({ context }) => context.fleets.length > 0,
      hasStrictFleet: ({ context }) => context.fleets[0]?.isStrict === true,
      hasOrder: ({ context }) => context.orders.length > 0,
      hasPermission: ({ context }) => context.permissions.length > 0,
      hasChore: ({ context }) => context.chores.length > 0,
      isLeft: ({ event }) => event.type === 'TIMER' && event.id === 'left',
    },
  }).createMachine({
    id: 'ledger',
    context: ({ input }) => ({
      log: written([], `opened ${input.opened}`),
      jobs: [],
      errands: [],
      chores: [],
      fleets: [],
      permissions: [],
      orders: [],
      harvests: [],
    }),
    initial: 'open',
    states: {
      open: {
        type: 'parallel',
        on: {
          NOTE: { actions: 'note' },
          TIMER: [
            { guard: 'isLeft', actions: ['note', ringLater('left')] },
            { actions: ['note', ringLater('right')] },
          ],
          CANCEL: { actions: ['note', cancel(({ event }) => event.id)] },
          RANG: { actions: { type: 'noteAs', params: { as: 'rang' } } },
          JOB: {
            actions: ['note', assign({ jobs: ({ context, event }) => [...context.jobs, event] })],
          },
          ERRAND: {
            actions: ['note', assign({ errands: ({ context, event }) => [...context.errands, event] })],
          },
          CHORE: {
            actions: ['note', assign({ chores: ({ context, event }) => [...context.chores, event] })],
          },
          FLEET: {
            actions: ['note', assign({ fleets: ({ context, event }) => [...context.fleets, event] })],
          },
          ORDER: {
            actions: ['note', assign({ orders: ({ context, event }) => [...context.orders, event] })],
          },
          PERMIT: {
            actions: [
              'note',
              assign({ permissions: ({ context, event }) => [...context.permissions, event] }),
            ],
          },
          GRANTED: { actions: { type: 'noteAs', params: { as: 'granted' } } },
          EMIT: { actions: ['note', 'publish'] },
          ACT: { actions: ['note', { type: 'act', params: ({ event }) => ({ tag: event.tag }) }] },
          HEARD: { actions: { type: 'noteAs', params: { as: 'heard' } } },
          TELL: {
            actions: [
              'note',
              sendTo(
                ({ event }) => instanceRef('ledger', event.to),
                ({ event }) => ({ type: 'TOLD', tag: event.tag }),
              ),
            ],
          },
          TOLD: { actions: { type: 'noteAs', params: { as: 'told' } } },
          CLOSE: { target: 'closed', actions: ['note', 'publish'] },
          'workflow.cancel': 'closing',
        },
        states: {
          worker: {
            initial: 'idle',
            states: {
              idle: { always: { guard: 'hasJob', target: 'working' } },
              working: {
                invoke: {
                  src: 'work',
                  input: ({ context }) => context.jobs[0]!,
                  onDone: { target: 'idle', actions: { type: 'noteJob', params: { as: 'did' } } },
                  onError: { target: 'idle', actions: { type: 'noteJob', params: { as: 'failed' } } },
                },
                after: {
                  jobPatience: { target: 'idle', actions: { type: 'noteJob', params: { as: 'dropped' } } },
                },
              },
            },
          },
          runner: {
            initial: 'idle',
            states: {
              idle: { always: { guard: 'hasErrand', target: 'running' } },
              running: {
                invoke: {
                  src: 'errand',
                  input: ({ context }) => context.errands[0]!,
                  onDone: {
                    target: 'idle',
                    actions: { type: 'noteErrand', params: ({ event }) => ({ answer: event.output }) },
                  },
                },
              },
            },
          },
          harbour: {
            initial: 'idle',
            states: {
              idle: {
                id: 'idle',
                always: [
                  { guard: 'hasStrictFleet', target: 'sailing.strictly' },
                  { guard: 'hasFleet', target: 'sailing' },
                ],
              },
              sailing: {
                initial: 'freely',
                after: {
                  fleetPatience: {
                    target: 'idle',
                    actions: { type: 'noteFleet', params: { as: 'scattered' } },
                  },
                },
                states: {
                  freely: {
                    invoke: {
                      src: 'fleet',
                      input: ({ context }) => context.fleets[0]!,
                      onDone: {
                        target: '#idle',
                        actions: { type: 'noteHarvest', params: ({ event }) => ({ outcome: event.output }) },
                      },
                    },
                  },
                  strictly: {
                    invoke: {
                      src: 'strictFleet',
                      input: ({ context }) => context.fleets[0]!,
                      onDone: {
                        target: '#idle',
                        actions: { type: 'noteHarvest', params: ({ event }) => ({ outcome: event.output }) },
                      },
                      onError: {
                        target: '#idle',
                        actions: { type: 'noteFleet', params: { as: 'sunk' } },
                      },
                    },
                  },
                },
              },
            },
          },
          shop: {
            initial: 'idle',
            states: {
              idle: { always: { guard: 'hasOrder', target: 'ordering' } },
              ordering: {
                invoke: {
                  src: 'order',
                  input: ({ context }) => context.orders[0]!,
                  onDone: { target: 'idle', actions: { type: 'noteOrder', params: { as: 'supplied' } } },
                  onError: { target: 'idle', actions: { type: 'noteOrder', params: { as: 'unsupplied' } } },
                },
                after: {
                  orderPatience: {
                    target: 'idle',
                    actions: { type: 'noteOrder', params: { as: 'withdrawn' } },
                  },
                },
              },
            },
          },
          office: {
            initial: 'idle',
            states: {
              idle: { always: { guard: 'hasPermission', target: 'applying' } },
              applying: {
                invoke: {
                  src: 'applicant',
                  input: ({ context }) => context.permissions[0]!,
                  onDone: {
                    target: 'idle',
                    actions: { type: 'notePermission', params: ({ event }) => ({ as: event.output }) },
                  },
                },
                after: {
                  permissionPatience: {
                    target: 'idle',
                    actions: { type: 'notePermission', params: { as: 'renounced' } },
                  },
                },
              },
            },
          },
          household: {
            initial: 'idle',
            states: {
              idle: { always: { guard: 'hasChore', target: 'delegating' } },
              delegating: {
                invoke: {
                  src: 'chore',
                  input: ({ context }) => context.chores[0]!,
                  onDone: { target: 'idle', actions: { type: 'noteChore', params: { as: 'finished' } } },
                  onError: { target: 'idle', actions: { type: 'noteChore', params: { as: 'spoilt' } } },
                },
                after: {
                  chorePatience: {
                    target: 'idle',
                    actions: { type: 'noteChore', params: { as: 'revoked' } },
                  },
                },
              },
            },
          },
        },
      },
      closing: { after: { 700: 'closed' } },
      closed: { type: 'final' },
    },
  })
  return defineWorkflow(machine, { persist: persistences[persistence] as 'turn' })
}

/** A nested machine: waits, then asks. */
function errandMachine(outside: Outside) {
  return setup({
    types: {
      context: {} as { readonly job: Job; readonly answer: string },
      input: {} as Job,
      output: {} as string,
    },
    actors: { ask: askOf(outside) },
    delays: { patience: ({ context }) => context.job.patienceMs },
  }).createMachine({
    id: 'errand',
    context: ({ input }) => ({ job: input, answer: '' }),
    initial: 'waiting',
    output: ({ context }) => context.answer,
    states: {
      waiting: { after: { patience: 'asking' } },
      asking: {
        invoke: {
          src: 'ask',
          input: ({ context }) => context.job,
          onDone: { target: 'answered', actions: assign({ answer: ({ event }) => event.output }) },
        },
      },
      answered: { type: 'final' },
    },
  })
}
