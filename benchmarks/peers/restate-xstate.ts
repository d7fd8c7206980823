/** @restatedev/xstate: the machines that Holdfast runs, on Restate. */
import './resolvers.ts'

import { takePart } from '../contest/contestant.ts'
import { counters, type Count } from '../contest/counters.ts'
import { steps } from '../contest/steps.ts'
import { Restate } from './restate-server.ts'
import { versionOf } from './version.ts'

interface Seen {
  readonly context: unknown
  readonly output: unknown
}

await takePart(async () => {
  const versions = { '@restatedev/xstate': versionOf('@restatedev/xstate'), xstate: versionOf('xstate') }
  const restate = await Restate.start('restate-xstate-worker', versions)
  const call = (service: string, key: string, handler: string, parameter: unknown = {}) =>
    restate.ingress.call<unknown, Seen>({ service, key, handler, parameter })
  return {
    about: restate.about,
    roots: () => restate.roots(),
    workloads: {
      steps: steps({
        async run(id, n) {
          await call('steps', id, 'create', { input: { n } })
          return numberOf(await call('steps', id, 'waitFor', { condition: 'done' }))
        },
        read: async id => numberOf(await call('steps', id, 'snapshot')),
      }),
      counters: counters({
        async create(id) {
          await call('counter', id, 'create')
        },
        async add(id, n) {
          return (await call('counter', id, 'send', { event: { type: 'ADD', n } })).context as Count
        },
        read: async id => (await call('counter', id, 'snapshot')).context as Count,
      }),
    },
    [Symbol.asyncDispose]: () => restate[Symbol.asyncDispose](),
  }
})

function numberOf({ output }: Seen): number {
  return (output as { readonly n: number }).n
}
