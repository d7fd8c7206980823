import { fromPromise, setup } from 'xstate'

import { answer, outside, settle, type Scenario } from '../scenario.ts'

/** Hands a mail to a function and ends without waiting for it: leaving the state aborts the call. */
export function asyncFunction(): Scenario {
  const performed: string[] = []
  const sent = answer<void>()
  const machine = setup({
    types: {} as { context: { customer: string }; input: { customer: string } },
    actors: {
      sendMail: fromPromise(({ input, signal }: { input: { to: string }; signal: AbortSignal }) => {
        performed.push(`sending to ${input.to}`)
        signal.addEventListener('abort', () => performed.push('aborted'))
        return sent.promise
      }),
    },
  }).createMachine({
    id: 'asyncFunction',
    context: ({ input }) => ({ customer: input.customer }),
    initial: 'sending',
    states: {
      sending: {
        invoke: { src: 'sendMail', input: ({ context }) => ({ to: context.customer }) },
        after: { 0: 'handedOver' },
      },
      handedOver: { type: 'final' },
    },
  })
  return {
    machine,
    input: { customer: 'kim@example.org' },
    script: [settle, { type: 'advance', ms: 0 }, outside(() => sent.resolve())],
    ends: { status: 'done', value: 'handedOver' },
    performed,
  }
}
