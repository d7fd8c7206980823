import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { MemoryPauses } from '../../src/memory/pauses.ts'
import { NatsPauses } from '../../src/nats/pauses.ts'
import { natsFixture, testConnection } from './fixtures.ts'
import { describePauses } from './pauses.ts'

describePauses('memory', async () => {
  const namespace = new MemoryNamespace({ clock: new ManualClock() })
  return [new MemoryPauses(namespace), new MemoryPauses(namespace)]
})

describePauses('NATS', async () => {
  const { connection, namespace } = await natsFixture()
  return [new NatsPauses(connection, namespace), new NatsPauses(await testConnection(), namespace)]
})
