import { MemoryBlobs } from '../../src/memory/blobs.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { NatsBlobs } from '../../src/nats/blobs.ts'
import { describeBlobs } from './blobs.ts'
import { natsFixture, testConnection } from './fixtures.ts'

describeBlobs('memory', async () => {
  const namespace = new MemoryNamespace({ clock: new ManualClock() })
  return [new MemoryBlobs(namespace), new MemoryBlobs(namespace)]
})

describeBlobs('NATS', async () => {
  const { connection, namespace } = await natsFixture()
  return [new NatsBlobs(connection, namespace), new NatsBlobs(await testConnection(), namespace)]
})
