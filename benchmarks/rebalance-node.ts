/** A node in a process of its own, for rebalance.ts: joins and leaves when told to, and can be killed. */
import { setTimeout } from 'node:timers/promises'

import { assign, setup } from 'xstate'

import { createNode, defineWorkflow, type Node, type NodeOptions } from '../src/index.ts'
import { tell } from './served-node.ts'

/** What the node is told: to join, until it has that many partitions, or to leave. */
export type Order = { readonly type: 'join'; readonly share: number } | { readonly type: 'leave' }
/** What the node tells: its program runs; it serves its share; it has given everything back. */
export interface News {
  readonly type: 'up' | 'serving' | 'left'
}

const counter = defineWorkflow(
  setup({
    types: { context: {} as { readonly count: number }, events: {} as { type: 'ADD' } },
  }).createMachine({
    id: 'counter',
    context: { count: 0 },
    on: { ADD: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
  }),
)

const options = JSON.parse(process.argv[2]!) as Omit<NodeOptions, 'workflows'>
const tellThat = (type: News['type']) => tell<News>({ type })
let node: Node | undefined
process.on('message', (order: Order) => {
  if (order.type === 'join') void join(order.share)
  else void leave()
})
// The one who gives the orders is gone.
process.on('disconnect', () => process.exit())
tellThat('up')

async function join(share: number): Promise<void> {
  node = await createNode({ ...options, workflows: [counter] })
  while (node.status().partitions.serving < share) await setTimeout(5)
  tellThat('serving')
}

async function leave(): Promise<void> {
  await node!.stop()
  tellThat('left')
}
