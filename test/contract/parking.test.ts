import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { MemoryParking } from '../../src/memory/parking.ts'
import { NatsParking } from '../../src/nats/parking.ts'
import { Replies } from '../../src/nats/replies.ts'
import { keptLetters } from './dead-letters.ts'
import { natsFixture, testConnection } from './fixtures.ts'
import { describeParking } from './parking.ts'

describeParking('memory', async () => {
  const namespace = new MemoryNamespace({ clock: new ManualClock() })
  const { maxPayloadBytes, partitions } = namespace
  return {
    views: [new MemoryParking(namespace), new MemoryParking(namespace)],
    maxPayloadBytes,
    partitions,
    deadLetters: async () =>
      namespace.deadLetters.map(({ code, data, reason, seq }) => ({ code, data, reason, seq })),
    expectReply: () => {
      const subject = 'reply'
      return { answer: new Promise(resolve => namespace.onReply(subject, resolve)), subject }
    },
  }
})

for (const takesBatches of [true, false]) {
  describeParking(takesBatches ? 'NATS' : 'NATS, one by one', async () => {
    const fixture = await natsFixture()
    const { connection } = fixture
    const namespace = { ...fixture.namespace, ...(!takesBatches && { takesBatches }) }
    return {
      views: [new NatsParking(connection, namespace), new NatsParking(await testConnection(), namespace)],
      maxPayloadBytes: connection.maxPayloadBytes,
      partitions: namespace.partitions,
      deadLetters: () => keptLetters(fixture),
      expectReply: () => new Replies(connection).expect(),
    }
  })
}
