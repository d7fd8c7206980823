import { assign, setup } from 'xstate'

import { advance, send, type Scenario } from '../scenario.ts'

interface Bid {
  readonly carId: string
  readonly amount: number
  readonly bidder: { readonly id: string }
}

/** Takes bids until the auction closes; the highest wins. */
export function carAuctionBids(): Scenario {
  const machine = setup({
    types: {} as { context: { bids: Bid[] }; events: { type: 'bid'; bid: Bid }; output: Bid | undefined },
    delays: { auctionTime: 3_000 },
  }).createMachine({
    id: 'carAuctionBids',
    context: { bids: [] },
    initial: 'open',
    states: {
      open: {
        on: { bid: { actions: assign({ bids: ({ context, event }) => [...context.bids, event.bid] }) } },
        after: { auctionTime: 'closed' },
      },
      closed: { type: 'final' },
    },
    output: ({ context }) => context.bids.toSorted((a, b) => b.amount - a.amount)[0],
  })
  const bid = (amount: number, id: string) => send('bid', { bid: { carId: 'car-1', amount, bidder: { id } } })
  return {
    machine,
    script: [
      bid(3000, 'x'),
      advance(1_000),
      bid(4500, 'y'),
      advance(1_999),
      bid(4000, 'z'),
      advance(1),
      bid(9000, 'late'),
    ],
    ends: { status: 'done', output: { carId: 'car-1', amount: 4500, bidder: { id: 'y' } } },
  }
}
