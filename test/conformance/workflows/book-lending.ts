import { assign, fromPromise, setup } from 'xstate'

import { advance, send, settle, type Scenario } from '../scenario.ts'

interface Book {
  readonly title: string
  readonly status: 'onLoan' | 'available' | 'unknown'
}

const week = 7 * 24 * 60 * 60 * 1000

/** Lends a book, or holds it for the reader who is willing to wait. */
export function bookLending(): Scenario {
  const performed: string[] = []
  let checks = 0
  const request = (what: string) =>
    fromPromise(({ input }: { input: { lender: string } }) => {
      performed.push(`${what} for ${input.lender}`)
      return Promise.resolve()
    })
  const machine = setup({
    types: {} as {
      context: { book: Book | null; lender: string }
      events: { type: 'request'; lender: string; title: string } | { type: 'hold' } | { type: 'decline' }
    },
    actors: {
      lookUp: fromPromise(({ input }: { input: string }): Promise<Book> =>
        Promise.resolve({ title: input, status: ++checks > 1 ? 'available' : 'onLoan' }),
      ),
      hold: request('hold'),
      cancel: request('cancel'),
      checkOut: request('check out'),
      notify: request('notify'),
    },
    guards: {
      isOnLoan: ({ context }) => context.book?.status === 'onLoan',
      isAvailable: ({ context }) => context.book?.status === 'available',
    },
  }).createMachine({
    id: 'bookLending',
    context: { book: null, lender: '' },
    initial: 'idle',
    states: {
      idle: {
        on: {
          request: {
            target: 'lookingUp',
            actions: assign({
              book: ({ event }) => ({ title: event.title, status: 'unknown' as const }),
              lender: ({ event }) => event.lender,
            }),
          },
        },
      },
      lookingUp: {
        invoke: {
          src: 'lookUp',
          input: ({ context }) => context.book!.title,
          onDone: { target: 'deciding', actions: assign({ book: ({ event }) => event.output }) },
        },
      },
      deciding: {
        always: [
          { guard: 'isOnLoan', target: 'asking' },
          { guard: 'isAvailable', target: 'checkingOut' },
          { target: 'idle' },
        ],
      },
      asking: { on: { hold: 'holding', decline: 'cancelling' } },
      holding: {
        invoke: { src: 'hold', input: ({ context }) => ({ lender: context.lender }), onDone: 'sleeping' },
      },
      sleeping: { after: { [2 * week]: 'lookingUp' } },
      cancelling: {
        invoke: { src: 'cancel', input: ({ context }) => ({ lender: context.lender }), onDone: 'ended' },
      },
      checkingOut: {
        invoke: {
          src: 'checkOut',
          input: ({ context }) => ({ lender: context.lender }),
          onDone: 'notifying',
        },
      },
      notifying: {
        invoke: { src: 'notify', input: ({ context }) => ({ lender: context.lender }), onDone: 'ended' },
      },
      ended: { type: 'final' },
    },
  })
  return {
    machine,
    script: [
      send('request', { lender: 'Jo', title: 'Statecharts' }),
      settle,
      send('hold'),
      settle,
      advance(week),
      advance(week),
      settle,
    ],
    ends: { status: 'done', value: 'ended' },
    performed,
  }
}
