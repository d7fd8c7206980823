import { assign, fromPromise, setup } from 'xstate'

import { advance, settle, type Scenario } from '../scenario.ts'

/** Runs another workflow as a part of itself and uses its output. */
export function asyncSubflow(): Scenario {
  const onboardCustomer = setup({
    types: {} as {
      context: { customerId: string; accountId: string }
      input: { customerId: string }
      output: { accountId: string }
    },
    actors: {
      openAccount: fromPromise(({ input }: { input: string }) => Promise.resolve(`account of ${input}`)),
    },
  }).createMachine({
    id: 'onboardCustomer',
    context: ({ input }) => ({ customerId: input.customerId, accountId: '' }),
    initial: 'waiting',
    states: {
      waiting: { after: { 1_000: 'opening' } },
      opening: {
        invoke: {
          src: 'openAccount',
          input: ({ context }) => context.customerId,
          onDone: { target: 'onboarded', actions: assign({ accountId: ({ event }) => event.output }) },
        },
      },
      onboarded: { type: 'final' },
    },
    output: ({ context }) => ({ accountId: context.accountId }),
  })
  const machine = setup({
    types: {} as { context: { customerId: string; accountId?: string }; input: { customerId: string } },
    actors: { onboardCustomer },
  }).createMachine({
    id: 'asyncSubflow',
    context: ({ input }) => ({ customerId: input.customerId }),
    initial: 'onboarding',
    states: {
      onboarding: {
        invoke: {
          id: 'onboard',
          src: 'onboardCustomer',
          input: ({ context }) => ({ customerId: context.customerId }),
          onDone: {
            target: 'onboarded',
            actions: assign({ accountId: ({ event }) => event.output.accountId }),
          },
        },
      },
      onboarded: { type: 'final' },
    },
    output: ({ context }) => context.accountId,
  })
  return {
    machine,
    input: { customerId: 'c-7' },
    script: [advance(999), advance(1), settle],
    ends: { status: 'done', output: 'account of c-7' },
  }
}
