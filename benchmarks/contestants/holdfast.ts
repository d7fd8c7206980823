/** Holdfast: one node, one nats-server that syncs every write. */
import { connect, startServer } from '../../src/index.ts'
import { takePart } from '../contest/contestant.ts'
import { counters } from '../contest/counters.ts'
import { steps } from '../contest/steps.ts'
import { NodeProcess } from '../node-process.ts'
import type { MeasureOrder, ServedNews, ServedOptions } from '../served-node.ts'
import type { Counter, Steps } from './holdfast-node.ts'

const partitions = 32

await takePart(async () => {
  const over = new AbortController()
  const server = await startServer({ path: process.env['HOLDFAST_NATS_SERVER'] })
  const connection = { servers: server.url, namespace: 'contest' }
  const options: ServedOptions = { ...connection, name: 'node', partitions }
  const node = new NodeProcess<MeasureOrder, ServedNews>('contestants/holdfast-node', options, over.signal)
  await node.next('serving')
  const client = await connect(connection)
  return {
    about: {
      durability: 'power loss (sync_interval: always)',
      settings: { partitions, syncInterval: server.syncInterval ?? 'unknown' },
      versions: { nats: server.serverVersion, node: process.version },
    },
    roots: () => ({ client: process.pid, runtime: node.pid, server: server.pid }),
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
        async create(id) {
          await client.start('counter', { id, until: 'accepted' })
        },
        async add(id, n) {
          const outcome = await client.instance<Counter>('counter', id).update({ type: 'ADD', n })
          if (outcome.type === 'accepted') return outcome.snapshot.context
          throw new Error(`event ${n} for ${id} came to ${JSON.stringify(outcome)}`)
        },
        async read(id) {
          return (await client.instance<Counter>('counter', id).get())!.context
        },
      }),
    },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]()
      await node.kill()
      await server.stop()
    },
  }
})
