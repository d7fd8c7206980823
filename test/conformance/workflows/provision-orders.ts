import { assign, fromPromise, setup } from 'xstate'

import { settle, type Scenario } from '../scenario.ts'

interface Order {
  readonly id: string
  readonly item: string
  readonly quantity: number
}

class OrderError extends Error {
  override readonly name = 'OrderError'
  readonly code: string

  constructor(code: string) {
    super(`order refused: ${code}`)
    this.code = code
  }
}

function provision(order: Order): Promise<string> {
  if (order.id === '') return Promise.reject(new OrderError('MISSING_ID'))
  if (order.item === '') return Promise.reject(new OrderError('MISSING_ITEM'))
  if (order.quantity <= 0) return Promise.reject(new OrderError('MISSING_QUANTITY'))
  return Promise.resolve(`${order.quantity} × ${order.item}`)
}

/** What went wrong decides where the order goes. */
export function provisionOrders(): Scenario {
  const isCode = (error: unknown, code: string) => (error as { code?: string }).code === code
  const machine = setup({
    types: {} as { context: { order: Order; error?: unknown }; input: { order: Order } },
    actors: { provision: fromPromise(({ input }: { input: Order }) => provision(input)) },
  }).createMachine({
    id: 'provisionOrders',
    context: ({ input }) => ({ order: input.order }),
    initial: 'provisioning',
    states: {
      provisioning: {
        invoke: {
          src: 'provision',
          input: ({ context }) => context.order,
          onDone: 'applied',
          onError: [
            { guard: ({ event }) => isCode(event.error, 'MISSING_ID'), target: 'withoutId' },
            {
              guard: ({ event }) => isCode(event.error, 'MISSING_ITEM'),
              target: 'withoutItem',
              actions: assign({ error: ({ event }) => event.error }),
            },
            { target: 'refused' },
          ],
        },
      },
      applied: { type: 'final' },
      withoutId: { type: 'final' },
      withoutItem: { after: { 0: 'refused' } },
      refused: { type: 'final' },
    },
  })
  return {
    machine,
    input: { order: { id: 'o-1', item: '', quantity: 4 } },
    script: [settle],
    ends: { status: 'active', value: 'withoutItem' },
  }
}
