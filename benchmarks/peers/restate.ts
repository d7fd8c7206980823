/** Restate: a workflow of journaled steps, and virtual objects. */
import './resolvers.ts'

import { takePart } from '../contest/contestant.ts'
import { counters } from '../contest/counters.ts'
import { crash } from '../contest/crash.ts'
import { family } from '../contest/family.ts'
import { steps } from '../contest/steps.ts'
import { timers } from '../contest/timers.ts'
import { Restate } from './restate-server.ts'
import type { Counter, Parent, Slow, Steps, Timed } from './restate-worker.ts'

await takePart(async () => {
  const restate = await Restate.start('restate-worker', {})
  const { ingress } = restate
  const counter = (id: string) => ingress.objectClient<Counter>({ name: 'counter' }, id)
  const slow = {
    diary: restate.diary,
    async start(id: string, n: number) {
      await ingress.workflowClient<Slow>({ name: 'slow' }, id).workflowSubmit(n)
    },
    async result(id: string) {
      return ingress.workflowClient<Slow>({ name: 'slow' }, id).workflowAttach()
    },
  }
  return {
    about: restate.about,
    roots: () => restate.roots(),
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
      timers: timers({
        diary: restate.diary,
        async start(id, delayMs) {
          await ingress.workflowClient<Timed>({ name: 'timed' }, id).workflowSubmit(delayMs)
        },
        async dueAt(id) {
          return ingress.workflowClient<Timed>({ name: 'timed' }, id).workflowAttach()
        },
      }),
      'crash-node': crash({ ...slow, crash: () => restate.crashWorker() }),
      'crash-server': crash({ ...slow, crash: () => restate.crashServer() }),
      family: family({
        async run(id, children) {
          const workflow = ingress.workflowClient<Parent>({ name: 'parent' }, id)
          await workflow.workflowSubmit(children)
          return workflow.workflowAttach()
        },
      }),
    },
    [Symbol.asyncDispose]: () => restate[Symbol.asyncDispose](),
  }
})
