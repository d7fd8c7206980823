import { assign, fromPromise, setup } from 'xstate'

import { advance, send, settle, type Scenario } from '../scenario.ts'

interface Customer {
  readonly id: string
  readonly income: number
}

/** Orders a check from a foreign service, waits for its call back, and decides by its score. */
export function creditCheck(): Scenario {
  const performed: string[] = []
  const machine = setup({
    types: {} as {
      context: { customer: Customer; score: number | null; orderedAt: Date | null }
      events: { type: 'creditChecked'; score: number; at: Date }
      input: { customer: Customer }
    },
    actors: {
      orderCheck: fromPromise(({ input }: { input: Customer }) => Promise.resolve(`check of ${input.id}`)),
      start: fromPromise(({ input }: { input: { customer: Customer } }) => {
        performed.push(`start for ${input.customer.id}`)
        return Promise.resolve()
      }),
      turnDown: fromPromise(() => {
        performed.push('turned down')
        return Promise.resolve()
      }),
    },
    guards: { isSolvent: ({ context }) => (context.score ?? 0) > 600 },
  }).createMachine({
    id: 'creditCheck',
    context: ({ input }) => ({ customer: input.customer, score: null, orderedAt: null }),
    initial: 'checking',
    states: {
      checking: {
        initial: 'ordering',
        states: {
          ordering: {
            invoke: { src: 'orderCheck', input: ({ context }) => context.customer, onDone: 'ordered' },
          },
          ordered: { type: 'final' },
        },
        on: {
          creditChecked: {
            target: 'deciding',
            actions: assign({ score: ({ event }) => event.score, orderedAt: ({ event }) => event.at }),
          },
        },
        after: { 900_000: 'timedOut' },
      },
      deciding: { always: [{ guard: 'isSolvent', target: 'starting' }, { target: 'turningDown' }] },
      starting: {
        invoke: { src: 'start', input: ({ context }) => ({ customer: context.customer }), onDone: 'ended' },
      },
      turningDown: { invoke: { src: 'turnDown', onDone: 'ended' } },
      timedOut: { type: 'final' },
      ended: { type: 'final' },
    },
    output: ({ context }) => ({ score: context.score, orderedAt: context.orderedAt }),
  })
  const at = new Date(Date.UTC(2031, 4, 1))
  return {
    machine,
    input: { customer: { id: 'c-9', income: 4000 } },
    script: [settle, advance(800_000), send('creditChecked', { score: 720, at }), settle, advance(200_000)],
    ends: { status: 'done', output: { score: 720, orderedAt: at } },
    performed,
  }
}
