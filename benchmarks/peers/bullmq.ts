/**
 * BullMQ on Redis: a queue of jobs, with weaker promises. Redis syncs each second, a step is progress that is noted, not
 * a result that is found again, and a job that is interrupted begins anew.
 */
import { join } from 'node:path'

import { Job, Queue, QueueEvents } from 'bullmq'

import { takePart } from '../contest/contestant.ts'
import { steps } from '../contest/steps.ts'
import { NodeProcess } from '../node-process.ts'
import { startRedis } from './redis.ts'
import { versionOf } from './version.ts'

await takePart(async () => {
  const redis = await startRedis()
  const connection = { host: '127.0.0.1', port: redis.port }
  const never = new AbortController().signal
  const worker = new NodeProcess<never, { readonly type: 'serving' }>(
    join('peers', 'bullmq-worker'),
    { port: redis.port },
    never,
  )
  await worker.next('serving')
  const queue = new Queue<number, number>('steps', { connection })
  const events = new QueueEvents('steps', { connection })
  // Every job in flight listens for its end.
  events.setMaxListeners(0)
  queue.setMaxListeners(0)
  await events.waitUntilReady()
  return {
    about: {
      durability: 'weaker: Redis syncs each second; steps are not recorded one by one',
      settings: redis.settings,
      versions: { bullmq: versionOf('bullmq'), node: process.version, redis: redis.version },
    },
    roots: () => ({ client: process.pid, runtime: worker.pid, server: redis.pid }),
    workloads: {
      steps: steps({
        async run(id, n) {
          const job = await queue.add('steps', n, { jobId: id })
          return job.waitUntilFinished(events)
        },
        async read(id) {
          const job = await Job.fromId<number, number>(queue, id)
          return job?.returnvalue ?? undefined
        },
      }),
    },
    async [Symbol.asyncDispose]() {
      await worker.kill()
      await events.disconnect()
      await queue.disconnect()
      await redis[Symbol.asyncDispose]()
    },
  }
})
