/**
 * A worker in a process of its own, to be killed: `node --import tsx worker-process.ts <url> <namespace>`. It tells its
 * parent `ready`, and of each chore when it begins and when it has ended. What it reads from the start it never finishes.
 */
import { setTimeout } from 'node:timers/promises'

import { createWorker, type TaskContext } from '../../src/index.ts'
import type { Chore } from '../support/remotes.ts'

const [servers = '', namespace = ''] = process.argv.slice(2)
await createWorker({
  servers,
  namespace,
  ackWait: '300ms',
  log: 'error',
  activities: {
    chore: async ({ attempt, idempotencyKey, input }: TaskContext<Chore>) => {
      process.send?.(`begun ${attempt} ${idempotencyKey}`)
      await setTimeout(input.ms)
      process.send?.('ended')
      return input.n
    },
    read: async ({ attempt, heartbeat, lastHeartbeat }: TaskContext<string>) => {
      process.send?.(`reading at attempt ${attempt} from ${String(lastHeartbeat)}`)
      if (lastHeartbeat !== undefined) return 'read'
      heartbeat('page 7')
      return new Promise<string>(() => {})
    },
  },
})
process.send?.('ready')
