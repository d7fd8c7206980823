import { assign, emit, enqueueActions, fromPromise, setup } from 'xstate'

import { settle, type Scenario } from '../scenario.ts'

interface Provisioned {
  readonly orderId: string
  readonly outcome: string
}

/** Provisions every order and tells the world about each in an event of its own. */
export function sendCloudevent(): Scenario {
  const machine = setup({
    types: {} as {
      context: { orderIds: string[]; outcomes: Provisioned[] }
      emitted: { type: 'orderProvisioned'; data: Provisioned } | { type: 'allProvisioned'; count: number }
      input: { orderIds: string[] }
    },
    actors: {
      provision: fromPromise(({ input }: { input: string[] }) =>
        Promise.resolve(input.map(orderId => ({ orderId, outcome: 'SUCCESS' }))),
      ),
    },
  }).createMachine({
    id: 'sendCloudevent',
    context: ({ input }) => ({ orderIds: input.orderIds, outcomes: [] }),
    initial: 'provisioning',
    states: {
      provisioning: {
        invoke: {
          src: 'provision',
          input: ({ context }) => context.orderIds,
          onDone: { target: 'provisioned', actions: assign({ outcomes: ({ event }) => event.output }) },
        },
      },
      provisioned: {
        type: 'final',
        entry: [
          enqueueActions(({ context, enqueue }) => {
            for (const data of context.outcomes) enqueue.emit({ type: 'orderProvisioned', data })
          }),
          emit(({ context }) => ({ type: 'allProvisioned', count: context.outcomes.length })),
        ],
      },
    },
  })
  return {
    machine,
    input: { orderIds: ['o-1', 'o-2'] },
    script: [settle],
    ends: { status: 'done', value: 'provisioned' },
  }
}
