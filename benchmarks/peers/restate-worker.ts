/** The services of the contestant `restate`, in a process of their own. */
import './resolvers.ts'
import * as restate from '@restatedev/restate-sdk'

import type { Count } from '../contest/counters.ts'
import { stepCount } from '../contest/steps.ts'

const steps = restate.workflow({
  name: 'steps',
  handlers: {
    run: async (context: restate.WorkflowContext, n: number) => {
      let value = n
      for (let step = 0; step < stepCount; step++) {
        const before = value
        value = await context.run(`step ${step}`, async () => before + 1)
      }
      return value
    },
  },
})

const none: Count = { count: 0, squares: 0, sum: 0 }

const counter = restate.object({
  name: 'counter',
  handlers: {
    add: async (context: restate.ObjectContext, n: number) => {
      const { count, squares, sum } = (await context.get<Count>('state')) ?? none
      const after = { count: count + 1, squares: squares + n * n, sum: sum + n }
      context.set('state', after)
      return after
    },
    read: restate.handlers.object.shared(async (context: restate.ObjectSharedContext) => {
      return (await context.get<Count>('state')) ?? none
    }),
  },
})

export type Steps = typeof steps
export type Counter = typeof counter

process.on('disconnect', () => process.exit())
const { port } = JSON.parse(process.argv[2]!) as { readonly port: number }
await restate.endpoint().bind(steps).bind(counter).listen(port)
process.send!({ type: 'serving' })
