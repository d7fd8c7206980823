import { expect, it } from 'vitest'
import { MemoryDeadLetterList } from '../../src/memory/dead-letter-list.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryInbox } from '../../src/memory/inbox.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { NatsDeadLetterList } from '../../src/nats/dead-letter-list.ts'
import { DeadLetters } from '../../src/nats/dead-letters.ts'
import { NatsInbox } from '../../src/nats/inbox.ts'
import { collect } from '../support/node.ts'
import { describeDeadLetterList } from './dead-letter-list.ts'
import { natsFixture } from './fixtures.ts'
import { addressIn } from './samples.ts'
import { until } from './until.ts'

describeDeadLetterList('memory', async () => {
  const namespace = new MemoryNamespace({ clock: new ManualClock() })
  return {
    inbox: new MemoryInbox(namespace),
    list: new MemoryDeadLetterList(namespace),
    partitions: namespace.partitions,
    publishForeign: async bytes => void namespace.deliver(3, bytes),
  }
})

describeDeadLetterList('NATS', async () => {
  const { connection, namespace } = await natsFixture()
  const { partitions, subjects } = namespace
  return {
    inbox: new NatsInbox(connection, namespace),
    list: new NatsDeadLetterList(connection, namespace),
    partitions,
    publishForeign: async bytes => {
      await connection.publish(subjects.envelope(3, addressIn(3, partitions)), bytes)
    },
  }
})

it('A reader of dead letters leaves no consumer behind, also when it stops early', async () => {
  const { connection, namespace } = await natsFixture()
  const { deadLetterStream, inboxStream } = namespace.subjects
  const list = new NatsDeadLetterList(connection, namespace)
  const letters = new DeadLetters(connection, namespace)
  const data = new Uint8Array(1)
  for (const seq of [1, 2, 3]) {
    await letters.keep({ code: 'TIMEOUT', data, reason: '', seq, stream: inboxStream, subject: 's' })
  }

  for await (const { seq } of list.list({})) if (seq === 2) break
  await collect(list.list({}))

  const consumers = async () => (await connection.jsm.streams.info(deadLetterStream)).state.consumer_count
  await until(async () => (await consumers()) === 0)
  expect(await list.get(3)).toBeDefined()
})

it('A message of a trigger, and one that was too large to keep, are no envelopes', async () => {
  const { connection, namespace } = await natsFixture()
  const list = new NatsDeadLetterList(connection, namespace)
  const letters = new DeadLetters(connection, namespace)
  const large = new Uint8Array(connection.maxPayloadBytes)
  const subject = 'hf.x.in.3.order.o-1'
  await letters.keep({
    code: 'TIMEOUT',
    data: Uint8Array.of(1),
    reason: '',
    seq: 1,
    stream: 'hooks',
    subject,
  })
  await letters.keep({ code: 'TIMEOUT', data: large, reason: '', seq: 2, subject })

  const [hook, cut] = await collect(list.list({}))

  expect(hook).toMatchObject({
    content: { malformed: { message: "it came from the stream 'hooks', which holds no envelopes" } },
    origin: { seq: 1, stream: 'hooks', subject },
    target: undefined,
  })
  expect(cut).toMatchObject({
    content: { malformed: { code: 'PAYLOAD_TOO_LARGE' } },
    sizeBytes: large.length,
    target: { workflow: 'order', id: 'o-1' },
  })
})
