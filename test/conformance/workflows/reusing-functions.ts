import { assign, fromCallback, fromPromise, sendTo, setup, type AnyEventObject } from 'xstate'

import { send, settle, type Scenario } from '../scenario.ts'

/** One mail service, used from two branches of a payment: the confirmation and the reminder. */
export function reusingFunctions(): Scenario {
  const performed: string[] = []
  const machine = setup({
    types: {} as {
      context: { account: string; available: number }
      events: { type: 'pay'; amount: number } | { type: 'mailed' }
      input: { account: string }
    },
    actors: {
      mailer: fromCallback<AnyEventObject>(({ receive, sendBack }) => {
        receive(event => {
          performed.push(`mail: ${String(event['text'])}`)
          sendBack({ type: 'mailed' })
        })
      }),
      checkFunds: fromPromise(({ input }: { input: string }) =>
        Promise.resolve(input === 'rich' ? 1_000 : 10),
      ),
    },
    actions: {
      mail: sendTo('mailer', (_, params: { text: string }) => ({ type: 'send', text: params.text })),
    },
  }).createMachine({
    id: 'paymentConfirmation',
    context: ({ input }) => ({ account: input.account, available: 0 }),
    invoke: { id: 'mailer', src: 'mailer' },
    initial: 'waiting',
    states: {
      waiting: { on: { pay: 'checking' } },
      checking: {
        invoke: {
          src: 'checkFunds',
          input: ({ context }) => context.account,
          onDone: [
            {
              guard: ({ event }) => event.output >= 100,
              target: 'confirming',
              actions: assign({ available: ({ event }) => event.output }),
            },
            { target: 'reminding', actions: assign({ available: ({ event }) => event.output }) },
          ],
        },
      },
      confirming: {
        entry: { type: 'mail', params: { text: 'paid' } },
        on: { mailed: 'ended' },
      },
      reminding: {
        entry: { type: 'mail', params: ({ context }) => ({ text: `only ${context.available} left` }) },
        on: { mailed: 'waiting' },
      },
      ended: { type: 'final' },
    },
  })
  return {
    machine,
    input: { account: 'poor' },
    script: [send('pay', { amount: 100 }), settle, send('pay', { amount: 5 }), settle],
    ends: { status: 'active', value: 'waiting', context: { account: 'poor', available: 10 } },
    performed,
  }
}
