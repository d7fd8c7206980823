/** The worker of the contestant `bullmq`, in a process of its own: one job takes five steps and tells of each. */
import { Worker } from 'bullmq'

import { stepCount } from '../contest/steps.ts'

/** How many jobs are under way at a time. */
const concurrency = 512

process.on('disconnect', () => process.exit())
const { port } = JSON.parse(process.argv[2]!) as { readonly port: number }
const worker = new Worker<number, number>(
  'steps',
  async job => {
    let value = job.data
    for (let step = 0; step < stepCount; step++) {
      value = await Promise.resolve(value + 1)
      await job.updateProgress({ step, value })
    }
    return value
  },
  { concurrency, connection: { host: '127.0.0.1', port } },
)
await worker.waitUntilReady()
process.send!({ type: 'serving' })
