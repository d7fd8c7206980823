import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { MemorySnapshots } from '../../src/memory/snapshots.ts'
import { MemoryStore } from '../../src/memory/store.ts'
import { NatsSnapshots } from '../../src/nats/snapshots.ts'
import { NatsStore } from '../../src/nats/store.ts'
import { partitionOf } from '../../src/workflow/address.ts'
import { natsFixture } from './fixtures.ts'
import { describeSnapshots } from './snapshots.ts'

describeSnapshots('memory', async () => {
  const namespace = new MemoryNamespace({ clock: new ManualClock() })
  return {
    snapshots: new MemorySnapshots(namespace),
    store: new MemoryStore(namespace),
    writeForeign: async (address, data) => namespace.writeRecord(address, data, undefined).revision,
  }
})

describeSnapshots('NATS', async () => {
  const { connection, namespace } = await natsFixture()
  const { partitions, subjects } = namespace
  return {
    snapshots: new NatsSnapshots(connection, namespace),
    store: new NatsStore(connection, namespace),
    writeForeign: async (address, data) => {
      const subject = subjects.record(partitionOf(address, partitions), address)
      return (await connection.publish(subject, data)).seq
    },
  }
})
