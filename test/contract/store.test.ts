import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { MemoryStore } from '../../src/memory/store.ts'
import { NatsStore } from '../../src/nats/store.ts'
import { partitionOf } from '../../src/workflow/address.ts'
import { natsFixture } from './fixtures.ts'
import { describeStore } from './store.ts'

describeStore('memory', async () => {
  const namespace = new MemoryNamespace({ clock: new ManualClock() })
  const { maxPayloadBytes, partitions } = namespace
  return {
    maxPayloadBytes,
    partitions,
    store: new MemoryStore(namespace),
    writeForeign: async (address, data) => namespace.writeRecord(address, data, undefined).revision,
  }
})

for (const hasOneCopy of [false, true]) {
  describeStore(hasOneCopy ? 'NATS, one copy' : 'NATS', async () => {
    const { connection, namespace } = await natsFixture()
    const { partitions, subjects } = namespace
    return {
      maxPayloadBytes: connection.maxPayloadBytes,
      partitions,
      store: new NatsStore(connection, namespace, { hasOneCopy }),
      writeForeign: async (address, data) => {
        const subject = subjects.record(partitionOf(address, partitions), address)
        return (await connection.publish(subject, data)).seq
      },
    }
  })
}
