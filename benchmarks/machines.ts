import { assign, setup } from 'xstate'

/** The smallest machine that does anything: one field, two states. */
export const flat = setup({
  types: { context: {} as { count: number }, events: {} as { type: 'FLIP' } },
}).createMachine({
  id: 'flat',
  context: { count: 0 },
  initial: 'off',
  states: {
    off: { on: { FLIP: { target: 'on', actions: assign({ count: ({ context }) => context.count + 1 }) } } },
    on: { on: { FLIP: { target: 'off', actions: assign({ count: ({ context }) => context.count + 1 }) } } },
  },
})

function fields(): Record<string, unknown> {
  const entries = Array.from({ length: 18 }, (_, index): [string, unknown] => [
    `field${index}`,
    index % 3 === 0
      ? `some text of field ${index}`
      : index % 3 === 1
        ? index * 1000.5
        : { nested: [index, true] },
  ])
  return Object.fromEntries(entries)
}

/** As real workflows look: twenty fields, two parallel regions, nested states, guards. */
export const nested = setup({
  types: {
    context: {} as Record<string, unknown> & { count: number; last: string },
    events: {} as { type: 'FLIP' },
  },
  guards: { isEven: ({ context }) => context.count % 2 === 0 },
  actions: {
    count: assign({ count: ({ context }) => context.count + 1, last: ({ event }) => event.type }),
  },
}).createMachine({
  id: 'nested',
  context: () => ({ ...fields(), count: 0, last: '' }),
  type: 'parallel',
  states: {
    payment: {
      initial: 'open',
      states: {
        open: {
          initial: 'fresh',
          states: {
            fresh: { on: { FLIP: { target: '#nested.payment.settled.partly', actions: 'count' } } },
            reminded: {},
          },
        },
        settled: {
          initial: 'partly',
          states: {
            partly: { on: { FLIP: { target: '#nested.payment.open', actions: 'count' } } },
            fully: {},
          },
        },
      },
    },
    delivery: {
      initial: 'packing',
      states: {
        packing: { on: { FLIP: [{ guard: 'isEven', target: 'shipping' }, { target: 'held' }] } },
        held: { on: { FLIP: 'packing' } },
        shipping: { on: { FLIP: 'packing' } },
      },
    },
  },
})
