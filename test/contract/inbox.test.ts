import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryInbox } from '../../src/memory/inbox.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { NatsInbox } from '../../src/nats/inbox.ts'
import { Replies } from '../../src/nats/replies.ts'
import { partitionOf } from '../../src/workflow/address.ts'
import { keptLetters } from './dead-letters.ts'
import { natsFixture } from './fixtures.ts'
import { describeInbox } from './inbox.ts'

describeInbox('memory', async () => {
  const namespace = new MemoryNamespace({ clock: new ManualClock() })
  const { maxPayloadBytes, partitions } = namespace
  return {
    inbox: new MemoryInbox(namespace),
    maxPayloadBytes,
    partitions,
    deadLetters: async () =>
      namespace.deadLetters.map(({ code, data, reason, seq }) => ({ code, data, reason, seq })),
    expectReply: () => {
      const subject = 'reply'
      return { answer: new Promise(resolve => namespace.onReply(subject, resolve)), subject }
    },
    publishForeign: async (target, bytes) => {
      namespace.deliver(partitionOf(target, partitions), bytes)
    },
    waiting: async () =>
      Array.from({ length: partitions }, (_, n) => [...namespace.inbox(n).after(0)].length).reduce(sum, 0),
  }
})

describeInbox('NATS', async () => {
  const fixture = await natsFixture()
  const { connection, namespace } = fixture
  const { partitions, subjects } = namespace
  return {
    inbox: new NatsInbox(connection, namespace),
    maxPayloadBytes: connection.maxPayloadBytes,
    partitions,
    deadLetters: () => keptLetters(fixture),
    expectReply: () => new Replies(connection).expect(),
    publishForeign: async (target, bytes) => {
      await connection.publish(subjects.envelope(partitionOf(target, partitions), target), bytes)
    },
    waiting: async () => (await connection.jsm.streams.info(subjects.inboxStream)).state.messages,
  }
})

function sum(a: number, b: number): number {
  return a + b
}
