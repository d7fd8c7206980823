import { describe, expect, it, vi } from 'vitest'
import { NatsInbox } from '../../src/nats/inbox.ts'
import { openNamespace } from '../../src/nats/provision.ts'
import { REPLY_HEADER } from '../../src/nats/reply-subject.ts'
import { natsFixture, testConnection } from '../contract/fixtures.ts'
import { HeardMessages } from '../contract/heard.ts'
import { addressIn, sampleEnvelope } from '../contract/samples.ts'
import { until } from '../contract/until.ts'
import { ownServer } from '../support/nats.ts'
import { proxyTo } from './proxy.ts'

describe('NatsInbox', () => {
  it('tells of an envelope once a term, however long it takes to settle it', async () => {
    const { connection, namespace } = await natsFixture()
    const target = addressIn(3, namespace.partitions)
    const inbox = new NatsInbox(connection, namespace, { ackWaitMs: 100 })
    const heard = new HeardMessages()
    await inbox.publish(sampleEnvelope(target, 1))
    await inbox.open(3, 1, heard)
    await heard.count(1)
    const consumers = await connection.jsm.consumers.list(namespace.subjects.inboxStream).next()
    const redelivered = async () => {
      const info = await connection.jsm.consumers.info(namespace.subjects.inboxStream, consumers[0]!.name)
      return info.delivered.consumer_seq
    }

    await until(async () => (await redelivered()) >= 3)
    await inbox.publish(sampleEnvelope(target, 2))
    await heard.count(2)
    for (const message of heard.messages) message.ack()
    const { inboxStream } = namespace.subjects
    await until(async () => (await connection.jsm.streams.info(inboxStream)).state.messages === 0)

    expect(heard.numbers).toEqual([1, 2])
  })

  it('tells again of an envelope that could not be kept as a dead letter', async () => {
    const { connection, namespace } = await natsFixture()
    const { deadLetterStream, inboxStream } = namespace.subjects
    const inbox = new NatsInbox(connection, namespace, { ackWaitMs: 200 })
    const heard = new HeardMessages()
    const config = (await connection.jsm.streams.info(deadLetterStream)).config
    await connection.jsm.streams.delete(deadLetterStream)
    await inbox.publish(sampleEnvelope(addressIn(3, namespace.partitions), 1))
    await inbox.open(3, 1, heard)
    await heard.count(1)

    const burying = heard.messages[0]!.deadLetter('EVENT_INVALID', 'because')
    await expect(burying).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await heard.count(2)
    await connection.jsm.streams.add({
      name: config.name,
      subjects: config.subjects,
    })
    await heard.messages[1]!.deadLetter('EVENT_INVALID', 'because')
    await until(async () => (await connection.jsm.streams.info(inboxStream)).state.messages === 0)

    expect(heard.numbers).toEqual([1, 1])
    expect((await connection.jsm.streams.info(deadLetterStream)).state.messages).toBe(1)
  })

  it('stores an envelope once although the answer to its publication was lost', async () => {
    const server = await ownServer()
    const { connection, namespace } = await natsFixture({ url: server.url })
    const proxy = await proxyTo(server.port)
    const wired = await testConnection(proxy.url, { requestTimeoutMs: 300 })
    const inbox = new NatsInbox(wired, await openNamespace(wired, namespace.name))

    proxy.dropNext()
    await inbox.publish(sampleEnvelope(addressIn(3, namespace.partitions), 1))

    expect(proxy.lostBytes).toBeGreaterThan(0)
    expect((await connection.jsm.streams.info(namespace.subjects.inboxStream)).state.messages).toBe(1)
  })

  it('ends when the stream is deleted', async () => {
    const { connection, namespace } = await natsFixture()
    const heard = new HeardMessages()
    const inbox = new NatsInbox(connection, namespace)
    await inbox.open(3, 1, heard)
    await inbox.publish(sampleEnvelope(addressIn(3, namespace.partitions)))
    await heard.count(1)

    await connection.jsm.streams.delete(namespace.subjects.inboxStream)

    expect(await heard.end()).toMatchObject({ code: 'NAMESPACE_NOT_FOUND' })
  })

  it('ends when its consumer is deleted, and can be opened again in the same term', async () => {
    const { connection, namespace } = await natsFixture()
    const inbox = new NatsInbox(connection, namespace)
    const [first, second] = [new HeardMessages(), new HeardMessages()]
    await inbox.open(3, 1, first)
    await inbox.publish(sampleEnvelope(addressIn(3, namespace.partitions), 1))
    await first.count(1)
    const { inboxStream } = namespace.subjects
    const [consumer] = await connection.jsm.consumers.list(inboxStream).next()

    await connection.jsm.consumers.delete(inboxStream, consumer!.name)
    const error = await first.end()
    await inbox.open(3, 1, second)
    await second.count(1)

    expect(error).toMatchObject({ code: 'REVISION_CONFLICT' })
    expect([first.numbers, second.numbers]).toEqual([[1], [1]])
  })

  it('ends when the connection is closed', async () => {
    const { connection, namespace } = await natsFixture()
    const heard = new HeardMessages()
    await new NatsInbox(connection, namespace).open(3, 1, heard)

    await connection.close()

    expect(await heard.end()).toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })

  it('leaves one consumer of a partition behind, however many terms there were', async () => {
    const { connection, namespace } = await natsFixture()
    const inbox = new NatsInbox(connection, namespace)
    for (let term = 1; term <= 5; term += 1) await inbox.open(3, term, new HeardMessages())

    const consumers = await connection.jsm.consumers.list(namespace.subjects.inboxStream).next()

    expect(consumers.map(({ name }) => name.split('-').slice(0, 2))).toEqual([['p3', '5']])
  })

  it('removes what is acknowledged, up to the first that is not', async () => {
    const { connection, namespace } = await natsFixture()
    const { inboxStream } = namespace.subjects
    const inbox = new NatsInbox(connection, namespace)
    const [heard, other] = [new HeardMessages(), new HeardMessages()]
    for (const n of [1, 2, 3, 4]) {
      await inbox.publish(sampleEnvelope(addressIn(3, namespace.partitions), n))
      await inbox.publish(sampleEnvelope(addressIn(4, namespace.partitions), 10 * n))
    }
    await inbox.open(3, 1, heard)
    await inbox.open(4, 1, other)
    await Promise.all([heard.count(4), other.count(4)])
    const left = async () => {
      const { messages, subjects = {} } = (
        await connection.jsm.streams.info(inboxStream, { subjects_filter: '>' })
      ).state
      return [messages, ...Object.values(subjects)]
    }

    for (const n of [0, 1, 3]) heard.messages[n]!.ack()
    await until(async () => (await left())[0] === 6)
    heard.messages[2]!.ack()
    await until(async () => (await left())[0] === 4)

    expect(await left()).toEqual([4, 4])
  })

  it('removes nothing for an owner whose term is over', async () => {
    const { connection, namespace } = await natsFixture()
    const { inboxStream } = namespace.subjects
    const zombie = await testConnection()
    const asked = vi.spyOn(zombie.jsm.consumers, 'info')
    const [first, second] = [new HeardMessages(), new HeardMessages()]
    await new NatsInbox(connection, namespace).publish(sampleEnvelope(addressIn(3, namespace.partitions), 1))
    await new NatsInbox(zombie, namespace).open(3, 1, first)
    await first.count(1)
    asked.mockClear()

    await new NatsInbox(connection, namespace).open(3, 2, second)
    await second.count(1)
    first.messages[0]!.ack()
    const asking = () => asked.mock.settledResults.at(-1)?.type
    await until(() => asking() === 'rejected' || asking() === 'fulfilled')

    expect(asking()).toBe('rejected')
    expect((await connection.jsm.streams.info(inboxStream)).state.messages).toBe(1)
  })

  it('answers only where answers go', async () => {
    const { connection, namespace } = await natsFixture()
    const { inboxStream, envelope } = namespace.subjects
    const target = addressIn(3, namespace.partitions)
    const heard = new HeardMessages()
    const inbox = new NatsInbox(connection, namespace)
    // An answer here would be an envelope for another instance.
    await inbox.publish(sampleEnvelope(target, 1), {
      replyTo: envelope(4, addressIn(4, namespace.partitions)),
    })
    await inbox.open(3, 1, heard)
    await heard.count(1)

    heard.messages[0]!.reply(Uint8Array.of(1))
    await connection.nc.flush()

    expect(heard.messages[0]!.content).toMatchObject({ replyTo: undefined })
    expect((await connection.jsm.streams.info(inboxStream)).state.messages).toBe(1)
    expect(REPLY_HEADER).toBe('Hf-Reply')
  })
})
