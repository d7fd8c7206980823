/** A node in a process of its own, for cancel.ts: its activities last until they are aborted, here or at a worker. */
import { setup } from 'xstate'

import { activity, defineWorkflow, remoteActivity, type ActivityContext } from '../src/index.ts'
import { EndlessWork, type CancelNews, type CancelOrder } from './endless-work.ts'
import { serve, tell, type ServedOptions } from './served-node.ts'

export interface CancelNodeOptions extends ServedOptions {
  readonly isRemote: boolean
}

const { isRemote, ...options } = JSON.parse(process.argv[2]!) as CancelNodeOptions
const endless = new EndlessWork()
const work = isRemote
  ? remoteActivity<number, void>({ name: 'work' })
  : activity({
      name: 'work',
      run: ({ input, signal }: ActivityContext<number>): Promise<void> => endless.do(input, signal),
    })

const worker = defineWorkflow(
  setup({
    types: { context: {} as { readonly index: number }, input: {} as number },
    actors: { work },
  }).createMachine({
    id: 'worker',
    context: ({ input }) => ({ index: input }),
    invoke: { src: 'work', input: ({ context }) => context.index },
  }),
)

export type Worker = typeof worker

await serve<CancelOrder>(options, [worker], order => tell<CancelNews>(endless.obey(order)))
