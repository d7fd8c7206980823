/** Bare XState in the memory of one process: nothing is stored, so it is the ceiling. */
import { createRequire } from 'node:module'

import { createActor, toPromise, type ActorRefFrom } from 'xstate'

import { takePart } from '../contest/contestant.ts'
import { counters } from '../contest/counters.ts'
import { steps } from '../contest/steps.ts'
import { counterMachine } from './counter-machine.ts'
import { stepsMachine } from './steps-machine.ts'

const { version } = createRequire(import.meta.url)('xstate/package.json') as { readonly version: string }
const outputs = new Map<string, number>()
const counting = new Map<string, ActorRefFrom<typeof counterMachine>>()

await takePart(async () => ({
  about: { durability: 'none', settings: {}, versions: { node: process.version, xstate: version } },
  roots: () => ({ runtime: process.pid }),
  workloads: {
    steps: steps({
      async run(id, n) {
        const actor = createActor(stepsMachine, { input: { n } }).start()
        const output = await toPromise(actor)
        outputs.set(id, output.n)
        return output.n
      },
      read: async id => outputs.get(id),
    }),
    counters: counters({
      async create(id) {
        counting.set(id, createActor(counterMachine).start())
      },
      async add(id, n) {
        const actor = counting.get(id)!
        actor.send({ type: 'ADD', n })
        return actor.getSnapshot().context
      },
      read: async id => counting.get(id)!.getSnapshot().context,
    }),
  },
  [Symbol.asyncDispose]: async () => {},
}))
