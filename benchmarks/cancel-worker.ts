/** A worker in a process of its own, for cancel.ts: is at as many tasks as it is given until they are taken back. */
import { createWorker, type TaskContext } from '../src/index.ts'
import { EndlessWork, type CancelNews, type CancelOrder } from './endless-work.ts'
import { tell, type ServedNews } from './served-node.ts'

interface Options {
  readonly concurrency: number
  readonly namespace: string
  readonly servers: string
}

process.on('disconnect', () => process.exit())
const work = new EndlessWork()
process.on('message', (order: CancelOrder) => tell<CancelNews>(work.obey(order)))
await createWorker({
  ...(JSON.parse(process.argv[2]!) as Options),
  activities: { work: ({ input, signal }: TaskContext<number>) => work.do(input, signal) },
})
tell<ServedNews>({ type: 'serving', at: Date.now() })
