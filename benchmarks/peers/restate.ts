/** Restate: a workflow of journaled steps, and virtual objects. */
import './resolvers.ts'

import { takePart } from '../contest/contestant.ts'
import { counters } from '../contest/counters.ts'
import { steps } from '../contest/steps.ts'
import { startRestate } from './restate-server.ts'
import type { Counter, Steps } from './restate-worker.ts'

await takePart(async () => {
  const restate = await startRestate('restate-worker', {})
  const { ingress } = restate
  const counter = (id: string) => ingress.objectClient<Counter>({ name: 'counter' }, id)
  return {
    about: restate.about,
    roots: restate.roots,
    workloads: {
      steps: steps({
        async run(id, n) {
          const workflow = ingress.workflowClient<Steps>({ name: 'steps' }, id)
          await workflow.workflowSubmit(n)
          return workflow.workflowAttach()
        },
        async read(id) {
          const output = await ingress.workflowClient<Steps>({ name: 'steps' }, id).workflowOutput()
          return output.ready ? output.result : undefined
        },
      }),
      counters: counters({
        // An object is there once it is spoken to.
        create: async () => {},
        add: async (id, n) => counter(id).add(n),
        read: async id => counter(id).read(),
      }),
    },
    [Symbol.asyncDispose]: () => restate[Symbol.asyncDispose](),
  }
})
