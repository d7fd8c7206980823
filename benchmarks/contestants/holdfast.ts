/** Holdfast, as large as it is told; every nats-server syncs every write. */
import { setTimeout as pause } from 'node:timers/promises'

import { isRuntimeError } from '../../src/index.ts'
import { takePart } from '../contest/contestant.ts'
import type { Scale } from '../contest/contestants.ts'
import { counters } from '../contest/counters.ts'
import { crash } from '../contest/crash.ts'
import { fanOut } from '../contest/fan-out.ts'
import { family } from '../contest/family.ts'
import { stepCount, steps } from '../contest/steps.ts'
import { timers } from '../contest/timers.ts'
import { HoldfastServers, partitions } from './holdfast-servers.ts'
import type { counter, parent, slowWith, steps as stepsWorkflow, timedWith } from './holdfast-workflows.ts'
import { idle } from './idle.ts'

type Counter = typeof counter
type Parent = typeof parent
type Slow = ReturnType<typeof slowWith>
type Steps = typeof stepsWorkflow
type Timed = ReturnType<typeof timedWith>

const reconnectMs = 30_000
const retryMs = 50

const single: Scale = { nodes: 1, servers: 1 }
/** Nothing is said by `bench:compare`. */
const scale = process.argv[2] === undefined ? single : (JSON.parse(process.argv[2]) as Scale)

await takePart(async () => {
  const servers = await HoldfastServers.start(scale)
  const { client, diary, server } = servers
  const slow = {
    diary,
    async start(id: string, n: number) {
      await client.start('slow', { id, input: { id, n, steps: stepCount } })
    },
    /** Asks again while a server that was just restarted is not found yet. */
    async result(id: string): Promise<number> {
      const giveUpAt = performance.now() + reconnectMs
      for (;;) {
        try {
          return ((await client.instance<Slow>('slow', id).result()) as { readonly n: number }).n
        } catch (error) {
          if (!isRuntimeError(error, 'STORE_UNAVAILABLE') || performance.now() > giveUpAt) throw error
          await pause(retryMs)
        }
      }
    },
  }
  const create = async (id: string) => {
    await client.start('counter', { id, until: 'accepted' })
  }
  const add = async (id: string, n: number) => {
    const outcome = await client.instance<Counter>('counter', id).update({ type: 'ADD', n })
    if (outcome.type === 'accepted') return outcome.snapshot.context
    throw new Error(`event ${n} for ${id} came to ${JSON.stringify(outcome)}`)
  }
  return {
    about: {
      durability: 'power loss (sync_interval: always)',
      settings: {
        nodes: scale.nodes,
        partitions,
        replicas: scale.servers,
        syncInterval: server.syncInterval ?? 'unknown',
      },
      versions: { nats: server.serverVersion, node: process.version },
    },
    roots: () => servers.roots(),
    workloads: {
      steps: steps({
        async run(id, n) {
          const handle = await client.start('steps', { id, input: { n } })
          return ((await handle.result()) as { readonly n: number }).n
        },
        async read(id) {
          return (await client.instance<Steps>('steps', id).get())?.output?.n
        },
      }),
      counters: counters({
        create,
        add,
        async read(id) {
          return (await client.instance<Counter>('counter', id).get())!.context
        },
      }),
      timers: timers({
        diary,
        async start(id, delayMs) {
          await client.start('timed', { id, input: { delayMs, id } })
        },
        async dueAt(id, delayMs) {
          const snapshot = await client.instance<Timed>('timed', id).get()
          if (snapshot?.status === 'done') return snapshot.createdAt.getTime() + delayMs
          throw new Error(`${id} is ${snapshot?.status}`)
        },
      }),
      'crash-node': crash({ ...slow, crash: () => servers.crashNode() }),
      'crash-server': crash({ ...slow, crash: () => servers.crashServer() }),
      // On servers of its own, and so the same whatever the scale.
      ...(scale.nodes === 1 && scale.servers === 1 && { idle }),
      family: family({
        async run(id, count) {
          const handle = await client.start('parent', { id, input: { count } })
          const { results } = (await handle.result()) as Awaited<ReturnType<typeof resultOf>>
          const squares: number[] = []
          for await (const result of client.bulkResults(results)) {
            const isFirst = squares[result.index] === undefined
            if (result.status !== 'done' || !isFirst)
              throw new Error(`a wrong result: ${JSON.stringify(result)}`)
            squares[result.index] = result.output
          }
          return squares
        },
      }),
      'fan-out': fanOut({
        addLast: async id => (await add(id, 0)).count,
        create,
        send: (id, n) => client.instance<Counter>('counter', id).send({ type: 'ADD', n }),
        async *watch(id) {
          for await (const { context, updatedAt } of client.instance<Counter>('counter', id).watch()) {
            yield { count: context.count, steppedAt: updatedAt.getTime() }
          }
        },
      }),
    },
    [Symbol.asyncDispose]: () => servers[Symbol.asyncDispose](),
  }

  function resultOf(id: string) {
    return client.instance<Parent>('parent', id).result()
  }
})
