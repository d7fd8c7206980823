import { setTimeout } from 'node:timers/promises'

import type { SettleEnvelope } from '../../actors/envelope.ts'
import { decodeEnvelope } from '../../src/codec/envelope.ts'
import { MemoryBeats } from '../../src/memory/beats.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { MemoryStore } from '../../src/memory/store.ts'
import { MemoryTaskQueue, MemoryTasks } from '../../src/memory/tasks.ts'
import { NatsBeats } from '../../src/nats/beats.ts'
import { NatsStore } from '../../src/nats/store.ts'
import { NatsTaskQueue } from '../../src/nats/task-queue.ts'
import { NatsTasks } from '../../src/nats/tasks.ts'
import { partitionOf } from '../../src/workflow/address.ts'
import { keptLetters } from './dead-letters.ts'
import { natsFixture, testConnection } from './fixtures.ts'
import { sampleRecord, sampleSummary } from './samples.ts'
import { ackWaitMs, describeTasks, instance } from './tasks.ts'

/** Of the instance that asks, or another one. */
function partitionFor(partitions: number, isElsewhere: boolean): number {
  return (partitionOf(instance, partitions) + (isElsewhere ? 1 : 0)) % partitions
}

describeTasks('memory', async () => {
  const clock = new ManualClock()
  const namespace = new MemoryNamespace({ clock })
  return {
    tasks: new MemoryTasks(namespace),
    queue: async () => new MemoryTaskQueue(namespace, { ackWaitMs }),
    pass: async ms => clock.advance(ms),
    stored: async () => namespace.tasks.stored.size,
    listen: async (listener, isElsewhere = false) =>
      new MemoryBeats(namespace).listen(partitionFor(namespace.partitions, isElsewhere), listener),
    store: async activities => {
      const record = { ...sampleRecord(instance), activities }
      await new MemoryStore(namespace).commit(record, sampleSummary(), 0)
    },
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
    listen: async (listener, isElsewhere = false) => {
      const beats = new NatsBeats(connection, namespace)
      return beats.listen(partitionFor(namespace.partitions, isElsewhere), listener)
    },
    store: async activities => {
      const record = { ...sampleRecord(instance), activities }
      await new NatsStore(connection, namespace).commit(record, sampleSummary(), 0)
    },
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
