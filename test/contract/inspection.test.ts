import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryHeartbeats } from '../../src/memory/heartbeats.ts'
import { MemoryInspection } from '../../src/memory/inspection.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { readEntry } from '../../src/nats/entry.ts'
import { NatsHeartbeats } from '../../src/nats/heartbeats.ts'
import { NatsInspection } from '../../src/nats/inspection.ts'
import { natsFixture, testConnection } from './fixtures.ts'
import { describeInspection } from './inspection.ts'
import { until } from './until.ts'

describeInspection('memory', async () => {
  const clock = new ManualClock()
  const namespace = new MemoryNamespace({ clock })
  return {
    heartbeatsOf: async node => new MemoryHeartbeats(namespace, node),
    inspection: async () => new MemoryInspection(namespace),
    forgotten: async () => clock.advance(namespace.leaseTtlMs),
  }
})

describeInspection('NATS', async () => {
  const { connection, namespace } = await natsFixture({ leaseTtlMs: 1_000 })
  return {
    heartbeatsOf: async name =>
      new NatsHeartbeats(await testConnection(), namespace, { name, incarnation: '1' }),
    inspection: async () => new NatsInspection(await testConnection(), namespace),
    forgotten: node =>
      until(async () => {
        const { heartbeat, leaseStream } = namespace.subjects
        return (await readEntry(connection, leaseStream, heartbeat(node))) === undefined
      }),
  }
})
