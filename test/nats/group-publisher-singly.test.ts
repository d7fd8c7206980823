import { randomUUID } from 'node:crypto'
import { MsgHdrsImpl } from 'nats'
import { describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Published } from '../../src/nats/connection.ts'
import { Headers } from '../../src/nats/headers.ts'
import { isAtLeast } from '../../src/nats/server-version.ts'
import { openClientTransport, openTransport } from '../../src/nats/transport.ts'
import { natsFixture } from '../contract/fixtures.ts'
import { sampleEnvelope, sampleRecord, sampleSummary } from '../contract/samples.ts'
import { serverVersion, sharedServerUrl } from '../support/nats.ts'
import {
  batchFixture,
  batchSizes,
  numbered,
  outcomesOf,
  publishAll,
  serverWithBatchLimits,
  storedIn,
  takeNoBatches,
} from './batches.ts'

/** Enough to go as a batch. */
const many = 20
const batchHeaders = ['Nats-Batch-Id', 'Nats-Batch-Sequence', 'Nats-Batch-Commit']
const bytes = (text: string) => new TextEncoder().encode(text)
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)

const seqsOf = (answers: readonly Published[]) => answers.map(({ seq }) => seq)
const alone = (count: number) => Array.from({ length: count }, () => 1)

describe.skipIf(!isAtLeast(serverVersion(), [2, 14, 3]))(
  'GroupPublisher where batches are not to be had',
  () => {
    it.each(['inboxStream', 'recordStream'] as const)(
      'is not used by a node whose %s takes none',
      async without => {
        const { connection, namespace } = await natsFixture()
        const { inboxStream, recordStream } = namespace.subjects
        await takeNoBatches(connection, namespace.subjects[without])

        await storeMany(namespace.name)

        expect(batchSizes(await storedIn(connection, inboxStream))).toEqual(alone(many))
        expect(batchSizes(await storedIn(connection, recordStream))).toEqual(alone(many))
      },
    )

    it('is used by a node whose streams take them', async () => {
      const { connection, namespace } = await natsFixture()
      const { inboxStream, recordStream } = namespace.subjects

      await storeMany(namespace.name)

      expect(batchSizes(await storedIn(connection, inboxStream))).toEqual([many])
      expect(batchSizes(await storedIn(connection, recordStream))).toEqual([many])
    })

    it('stores each singly when the stream takes them no more', async () => {
      const { connection, publisher, stream } = await batchFixture()
      await takeNoBatches(connection, stream)

      const answers = await Promise.all(publishAll(publisher, numbered(stream, range(0, many))))

      expect(seqsOf(answers)).toEqual(range(1, many + 1))
      expect(batchSizes(await storedIn(connection, stream))).toEqual(alone(many))
    })

    it('asks a stream that takes them no more only once', async () => {
      const { connection, publisher, stream } = await batchFixture()
      await takeNoBatches(connection, stream)
      await Promise.all(publishAll(publisher, numbered(stream, range(0, many))))
      const tried: string[] = []
      connection.nc.subscribe(`${stream}.>`, {
        callback: (_, { headers }) => tried.push(headers?.get('Nats-Batch-Id') ?? ''),
      })

      await Promise.all(publishAll(publisher, numbered(stream, range(many, 2 * many))))

      expect(tried).toEqual(alone(many).map(() => ''))
    })

    it('is used by a client whose server knows them, whose sends all arrive whatever its stream takes', async () => {
      const { connection, namespace } = await natsFixture()
      const { inboxStream } = namespace.subjects

      await sendMany(namespace.name)
      await takeNoBatches(connection, inboxStream)
      await sendMany(namespace.name)

      expect(batchSizes(await storedIn(connection, inboxStream))).toEqual([many, ...alone(many)])
    })

    it('stores each singly when the server has too many batches open', async () => {
      const { connection, publisher, stream } = await batchFixture(
        await serverWithBatchLimits('max_inflight_per_stream: 1'),
      )
      const open = Headers.of({ 'Nats-Batch-Id': 'open', 'Nats-Batch-Sequence': '1' })
      await connection.request(`${stream}.open`, bytes('{}'), { headers: open })

      const answers = await Promise.all(publishAll(publisher, numbered(stream, range(0, many))))

      expect(seqsOf(answers)).toEqual(range(1, many + 1))
      expect(batchSizes(await storedIn(connection, stream))).toEqual(alone(many))
    })

    it('stores each singly when the server takes fewer in a batch', async () => {
      const { connection, publisher, stream } = await batchFixture(
        await serverWithBatchLimits('max_msgs: 10'),
      )

      const answers = await Promise.all(publishAll(publisher, numbered(stream, range(0, many))))

      expect(seqsOf(answers)).toEqual(range(1, many + 1))
      expect(batchSizes(await storedIn(connection, stream))).toEqual(alone(many))
    })

    it('stores each singly when the server has seen only the end of a batch, as a new leader has', async () => {
      const { connection, publisher, stream } = await batchFixture()
      const publish = connection.nc.publish.bind(connection.nc)
      const lost = vi.spyOn(connection.nc, 'publish')
      for (const _ of range(0, 5)) lost.mockImplementationOnce(() => undefined)
      lost.mockImplementation(publish)

      const answers = await Promise.all(publishAll(publisher, numbered(stream, range(0, many))))

      expect(seqsOf(answers)).toEqual(range(1, many + 1))
      expect(batchSizes(await storedIn(connection, stream))).toEqual(alone(many))
    })

    it('never takes a refused message for stored when the server knows no batches, and sends singly from then on', async () => {
      const { connection, publisher, stream } = await batchFixture()
      const publish = connection.nc.publish.bind(connection.nc)
      // To an old server they are headers like any other.
      vi.spyOn(connection.nc, 'publish').mockImplementation((subject, payload, options) => {
        const headers = MsgHdrsImpl.decode((options!.headers as MsgHdrsImpl).encode())
        for (const name of batchHeaders) headers.delete(name)
        publish(subject, payload, { ...options, headers })
      })
      const headers = { 'Nats-Expected-Last-Subject-Sequence': '99' }
      const messages = numbered(stream, range(0, many)).map((message, n) =>
        n === 9 ? { ...message, headers } : message,
      )

      const outcomes = await outcomesOf(publishAll(publisher, messages))
      const again = await outcomesOf(publishAll(publisher, messages))

      expect(outcomes).toEqual(messages.map(() => ({ code: 'STORE_UNAVAILABLE', retryable: true })))
      expect(again[8]).toEqual({ duplicate: false, seq: many - 1 + 9 })
      expect(again[9]).toEqual({ code: 'REVISION_CONFLICT', retryable: false })
      expect(again[10]).toEqual({ duplicate: false, seq: many - 1 + 10 })
    })
  },
)

/** Stores many records and many envelopes at once, as a node does. */
async function sendMany(namespace: string): Promise<void> {
  const connection = { servers: sharedServerUrl() }
  const transport = await openClientTransport({ clock: systemClock, connection, namespace })
  const addresses = range(0, many).map(n => ({ workflow: 'order', id: `o-${n}` }))
  await Promise.all(addresses.map(address => transport.inbox.publish(sampleEnvelope(address))))
  await transport.close()
}

async function storeMany(namespace: string): Promise<void> {
  const transport = await openTransport({
    clock: systemClock,
    connection: { servers: sharedServerUrl() },
    leaseTtlMs: 10_000,
    namespace,
    node: { name: 'one', incarnation: randomUUID() },
    partitions: undefined,
    replicas: 1,
  })
  const addresses = range(0, many).map(n => ({ workflow: 'order', id: `o-${n}` }))
  await Promise.all([
    ...addresses.map(address => transport.store.commit(sampleRecord(address), sampleSummary(), 0)),
    ...addresses.map(address => transport.inbox.publish(sampleEnvelope(address))),
  ])
  await transport.close()
}
