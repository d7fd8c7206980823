import { setup } from 'xstate'

import { advance, send, type Scenario } from '../scenario.ts'

const day = 24 * 60 * 60 * 1000

function purchaseOrder(performed: string[]) {
  return setup({
    types: {} as {
      context: { id: string }
      events: { type: 'created' | 'confirmed' | 'shipped' }
      input: { id: string }
    },
    actions: { logTimeout: ({ context }) => performed.push(`${context.id} is cancelled`) },
    // Above what a timer of the operating system can wait for.
    delays: { deadline: 30 * day },
  }).createMachine({
    id: 'purchaseOrder',
    context: ({ input }) => ({ id: input.id }),
    initial: 'placing',
    after: { deadline: '.timedOut' },
    states: {
      placing: { on: { created: 'confirming' } },
      confirming: { on: { confirmed: 'shipping' } },
      shipping: { on: { shipped: 'completed' } },
      completed: { type: 'final' },
      timedOut: { type: 'final', entry: 'logTimeout' },
    },
  })
}

/** An order that is not shipped within thirty days is cancelled, whatever it waits for. */
export function purchaseOrderDeadline(): Scenario {
  const performed: string[] = []
  return {
    machine: purchaseOrder(performed),
    input: { id: 'po-1' },
    script: [
      send('created'),
      advance(20 * day),
      send('confirmed'),
      advance(10 * day - 1),
      advance(1),
      send('shipped'),
    ],
    ends: { status: 'done', value: 'timedOut' },
    performed,
  }
}

/** An order that is shipped in time is not. */
export function purchaseOrderInTime(): Scenario {
  const performed: string[] = []
  return {
    machine: purchaseOrder(performed),
    input: { id: 'po-2' },
    script: [send('created'), send('confirmed'), advance(29 * day), send('shipped'), advance(2 * day)],
    ends: { status: 'done', value: 'completed' },
    performed,
  }
}
