import { setTimeout } from 'node:timers/promises'

import type { SettleEnvelope } from '../../actors/envelope.ts'
import { decodeEnvelope } from '../../src/codec/envelope.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { MemoryTaskQueue, MemoryTasks } from '../../src/memory/tasks.ts'
import { NatsTaskQueue } from '../../src/nats/task-queue.ts'
import { NatsTasks } from '../../src/nats/tasks.ts'
import { keptLetters } from './dead-letters.ts'
import { natsFixture, testConnection } from './fixtures.ts'
import { ackWaitMs, describeTasks } from './tasks.ts'

describeTasks('memory', async () => {
  const clock = new ManualClock()
  const namespace = new MemoryNamespace({ clock })
  return {
    tasks: new MemoryTasks(namespace),
    queue: async () => new MemoryTaskQueue(namespace, { ackWaitMs }),
    pass: async ms => clock.advance(ms),
    stored: async () => namespace.tasks.stored.size,
    told: async () =>
      Array.from({ length: namespace.partitions }, (_, n) => [...namespace.inbox(n).after(0)])
        .flat()
        .map(({ data }) => decodeEnvelope(data) as SettleEnvelope),
    deadLetters: async () => namespace.deadLetters.map(({ reason }) => reason),
  }
})

describeTasks('NATS', async () => {
  const fixture = await natsFixture()
  const { connection, namespace } = fixture
  const { inboxStream, taskStream } = namespace.subjects
  const stored = async (stream: string) => (await connection.jsm.streams.info(stream)).state
  return {
    tasks: new NatsTasks(connection, namespace),
    queue: async () => new NatsTaskQueue(await testConnection(), namespace, { ackWaitMs }),
    pass: async ms => setTimeout(ms),
    stored: async () => (await stored(taskStream)).messages,
    told: async () => {
      const { first_seq: first, last_seq: last } = await stored(inboxStream)
      const envelopes: SettleEnvelope[] = []
      for (let seq = first; seq <= last; seq++) {
        const { data } = await connection.jsm.streams.getMessage(inboxStream, { seq })
        envelopes.push(decodeEnvelope(data) as SettleEnvelope)
      }
      return envelopes
    },
    deadLetters: async () => (await keptLetters(fixture)).map(({ reason }) => reason),
  }
})
