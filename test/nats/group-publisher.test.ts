import { describe, expect, it } from 'vitest'
import type { Published } from '../../src/nats/connection.ts'
import { Headers } from '../../src/nats/headers.ts'
import { GroupPublisher } from '../../src/nats/group-publisher.ts'
import { openNamespace } from '../../src/nats/provision.ts'
import { isAtLeast } from '../../src/nats/server-version.ts'
import { NatsStore } from '../../src/nats/store.ts'
import { natsFixture, testConnection } from '../contract/fixtures.ts'
import { sampleRecord, sampleSummary } from '../contract/samples.ts'
import { until } from '../contract/until.ts'
import { ownServer, serverVersion } from '../support/nats.ts'
import { serverWithUsers, urlOf } from './accounts.ts'
import {
  batchFixture,
  batchSizes,
  numbered,
  outcomesOf,
  publishAll,
  storedIn,
  type BatchFixture,
  type Message,
  type StoredMessage,
} from './batches.ts'
import { proxyTo } from './proxy.ts'

/** Enough to go as a batch. */
const many = 20
/** After it all is on its way that was published before it. */
const turn = () => new Promise<void>(resolve => void setImmediate(resolve))
const batchHeaders = ['Nats-Batch-Id', 'Nats-Batch-Sequence', 'Nats-Batch-Commit']
const bytes = (text: string) => new TextEncoder().encode(text)
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)

const subjectsOf = (stored: readonly StoredMessage[]) => stored.map(({ subject }) => subject)
const seqsOf = (answers: readonly Published[]) => answers.map(({ seq }) => seq)
const alone = (count: number) => Array.from({ length: count }, () => 1)

/** Sizes of batches: of a first one, of so many that come during that, and of one for each answer to the first. */
async function batchesAfter(comingDuring: number): Promise<readonly number[]> {
  const { connection, publisher, stream } = await batchFixture()
  const first = publishAll(publisher, numbered(stream, range(0, many)))
  await turn()
  const during = publishAll(publisher, numbered(stream, range(100, 100 + comingDuring)))
  const broughtAbout = first.map(async (answer, index) => {
    await answer
    await Promise.all(publishAll(publisher, numbered(stream, [50 + index])))
  })
  await Promise.all([...during, ...broughtAbout])
  return batchSizes(await storedIn(connection, stream))
}

describe.skipIf(!isAtLeast(serverVersion(), [2, 14, 3]))('GroupPublisher', () => {
  it('sends a message that waits alone at once, as a single write', async () => {
    const { connection, publisher, stream } = await batchFixture()
    const sentBefore = connection.nc.stats().outMsgs

    const [publishing] = publishAll(publisher, numbered(stream, [0]))
    await turn()
    const sentAtOnce = connection.nc.stats().outMsgs - sentBefore

    expect(await publishing).toMatchObject({ duplicate: false, seq: 1 })
    expect(sentAtOnce).toBe(1)
    expect(batchSizes(await storedIn(connection, stream))).toEqual([1])
    expect((await storedIn(connection, stream))[0]!.batch).toBe('')
  })

  it('sends few singly', async () => {
    const { connection, publisher, stream } = await batchFixture()

    const answers = await Promise.all(publishAll(publisher, numbered(stream, range(0, 8))))

    const stored = await storedIn(connection, stream)
    expect(seqsOf(answers)).toEqual(range(1, 9))
    expect(batchSizes(stored)).toEqual(alone(8))
  })

  it('sends many as one atomic batch, and answers each with the sequence of its own message', async () => {
    const { connection, publisher, stream } = await batchFixture()
    await connection.publish(`${stream}.before`, bytes('{}'))
    const messages = numbered(stream, range(0, many))

    const answers = await Promise.all(publishAll(publisher, messages))

    const stored = await storedIn(connection, stream)
    expect(batchSizes(stored)).toEqual([1, many])
    expect(answers.map(({ seq }) => stored[seq - 1]!.subject)).toEqual(messages.map(({ subject }) => subject))
    expect(answers.map(({ duplicate }) => duplicate)).not.toContain(true)
  })

  it('sends few that have waited during a batch with what the answer to that brings about', async () => {
    expect(await batchesAfter(20)).toEqual([20, 40])
  })

  it('sends many that have waited during a batch before its answers are heard', async () => {
    expect(await batchesAfter(128)).toEqual([20, 128, 20])
  })

  it('sends more than a batch takes as several, in order', async () => {
    const { connection, publisher, stream } = await batchFixture()

    const answers = await Promise.all(publishAll(publisher, numbered(stream, range(0, 532))))

    expect(seqsOf(answers)).toEqual(range(1, 533))
    expect(batchSizes(await storedIn(connection, stream))).toEqual([512, 20])
  })

  it('stores the headers of its callers without those of a batch that they were in before', async () => {
    const { connection, publisher, stream } = await batchFixture()
    const headers = Headers.of({ Kept: 'yes' })

    const publishing = range(0, many).map(n =>
      publisher.publish(`${stream}.m.${n}`, bytes('{}'), { headers }),
    )
    await Promise.all(publishing)
    await publisher.publish(`${stream}.again`, bytes('{}'), { headers })

    const stored = await storedIn(connection, stream)
    expect(batchSizes(stored)).toEqual([many, 1])
    expect(stored.at(-1)!.headers.keys()).toEqual(['Kept'])
  })

  it('lets a commit at the wrong revision fail alone, as it would singly', async () => {
    const { connection, namespace } = await natsFixture()
    const single = new NatsStore(connection, namespace)
    const grouped = new NatsStore(connection, namespace, { publisher: new GroupPublisher(connection) })
    const addresses = range(0, many).map(n => ({ workflow: 'order', id: `o-${n}` }))
    const commit = (store: NatsStore, n: number, expected: number) =>
      store.commit(sampleRecord(addresses[n]!), sampleSummary(), expected)
    const revision = await commit(single, 7, 0)
    const refusal: unknown = await commit(single, 7, 0).catch((error: unknown) => error)

    const committing = await Promise.allSettled(range(0, many).map(n => commit(grouped, n, 0)))
    const loaded = await Promise.all(addresses.map(address => single.load(address)))

    const [refused] = committing.splice(7, 1)
    expect(refusal).toMatchObject({ code: 'REVISION_CONFLICT' })
    expect(refused).toEqual({ status: 'rejected', reason: refusal })
    expect(loaded[7]).toMatchObject({ revision })
    expect(committing).toEqual(
      loaded.toSpliced(7, 1).map(record => ({ status: 'fulfilled', value: record!.revision })),
    )
    const stored = await storedIn(connection, namespace.subjects.recordStream)
    expect(batchSizes(stored)).toEqual(alone(many))
    for (const name of batchHeaders)
      expect(stored.map(({ headers }) => headers.get(name))).toEqual(alone(many).map(() => ''))
  })

  it.each([
    ['before', 'earlier'],
    ['twice in one batch', 'm-3'],
  ])('answers a message whose id was sent %s as a duplicate, and stores its neighbours', async (_, id) => {
    const { connection, publisher, stream } = await batchFixture()
    await publisher.publish(`${stream}.m`, bytes('{}'), { headers: Headers.of({ 'Nats-Msg-Id': 'earlier' }) })
    const messages = range(0, many).map(n => ({
      subject: `${stream}.m`,
      headers: { 'Nats-Msg-Id': n === 9 ? id : `m-${n}` },
    }))

    const outcomes = await outcomesOf(publishAll(publisher, messages))

    const original = (await storedIn(connection, stream)).find(
      ({ headers }) => headers.get('Nats-Msg-Id') === id,
    )!
    const added = range(2, many + 1).map(seq => ({ duplicate: false, seq }))
    expect(outcomes).toEqual(added.toSpliced(9, 0, { duplicate: true, seq: original.seq }))
    expect((await storedIn(connection, stream)).length).toBe(many)
  })

  it.each([
    ['the same revision', [0, 0]],
    ['the revision before its own', [0, 6]],
    ['any revision', [undefined, undefined]],
  ])('stores two messages for one subject at %s as it would singly', async (_, expected) => {
    const grouped = await batchFixture()
    const single = await batchFixture()
    const messagesOf = (stream: string) => {
      const twins = expected.map(seq => ({
        subject: `${stream}.twin`,
        headers: { ...(seq !== undefined && { 'Nats-Expected-Last-Subject-Sequence': String(seq) }) },
      }))
      return numbered(stream, range(0, many)).toSpliced(5, 2, ...twins)
    }

    const outcomes = await outcomesOf(publishAll(grouped.publisher, messagesOf(grouped.stream)))
    const singleOutcomes = await outcomesOf(publishAll(single.connection, messagesOf(single.stream)))

    const stored = async ({ connection, stream }: BatchFixture) =>
      subjectsOf(await storedIn(connection, stream)).map(subject => subject.replace(stream, ''))
    expect(outcomes).toEqual(singleOutcomes)
    expect(await stored(grouped)).toEqual(await stored(single))
  })

  it('keeps the order of a sender from single writes to a batch, a refused batch, and single writes', async () => {
    const { connection, publisher, stream } = await batchFixture()
    const send = (numbers: readonly number[], over: Partial<Message> = {}) =>
      publishAll(
        publisher,
        numbers.map(n => ({ subject: `${stream}.m.${n}`, ...over })),
      )

    const singles = send(range(0, 3))
    await turn()
    const batch = send(range(3, 23))
    await Promise.all([...singles, ...batch])
    const refused = send(range(23, 33))
    const culprit = outcomesOf(send([33], { headers: { 'Nats-Expected-Last-Subject-Sequence': '99' } }))
    const others = send(range(34, 43))
    await turn()
    const whileRefused = send(range(43, 46))
    await Promise.all([...refused, ...others, ...whileRefused])

    const stored = await storedIn(connection, stream)
    expect(await culprit).toEqual([{ code: 'REVISION_CONFLICT', retryable: false }])
    expect(subjectsOf(stored)).toEqual([...range(0, 33), ...range(34, 46)].map(n => `${stream}.m.${n}`))
    expect(batchSizes(stored)).toEqual([...alone(3), 20, ...alone(22)])
  })

  it('ends the waiting of a caller whose signal aborts, and of no other, and stores its message', async () => {
    const { connection, publisher, stream } = await batchFixture()
    const stop = new AbortController()
    const reason = new Error('enough')
    const headers = Headers.of({})
    const publish = (n: number, signal?: AbortSignal) =>
      publisher.publish(`${stream}.m.${n}`, bytes('{}'), { headers, signal })

    const others = range(0, many).map(n => publish(n))
    const inBatch = publish(many, stop.signal)
    await turn()
    const inQueue = publish(many + 1, stop.signal)
    stop.abort(reason)
    const tooLate = publish(many + 2, stop.signal)

    for (const abandoned of [inBatch, inQueue, tooLate]) await expect(abandoned).rejects.toBe(reason)
    expect(seqsOf(await Promise.all(others))).toEqual(range(1, many + 1))
    await until(async () => (await storedIn(connection, stream)).length === many + 3)
  })

  describe('without an answer', () => {
    it('says of every message that its outcome is unknown, though all are stored', async () => {
      const server = await ownServer()
      const { connection, namespace } = await natsFixture({ url: server.url })
      const proxy = await proxyTo(server.port)
      const wired = await testConnection(proxy.url, { requestTimeoutMs: 300 })
      const wiredNamespace = await openNamespace(wired, namespace.name)
      const single = new NatsStore(wired, wiredNamespace)
      const grouped = new NatsStore(wired, wiredNamespace, { publisher: new GroupPublisher(wired) })
      const commit = (store: NatsStore, id: string) =>
        store.commit(sampleRecord({ workflow: 'order', id }), sampleSummary(), 0)

      proxy.dropNext()
      const lost = await Promise.allSettled([commit(single, 'single')])
      proxy.dropNext()
      const allLost = await Promise.allSettled(range(0, many).map(n => commit(grouped, `o-${n}`)))
      const after = await commit(grouped, 'after')

      const unknown = { reason: { code: 'STORE_UNAVAILABLE', retryable: true }, status: 'rejected' }
      expect(lost).toMatchObject([unknown])
      expect(allLost).toMatchObject(alone(many).map(() => unknown))
      const stored = await storedIn(connection, namespace.subjects.recordStream)
      expect(batchSizes(stored)).toEqual([1, many, 1])
      expect(after).toBe(stored.length)
    })

    it('stores nothing of a batch that was cut in the middle, and says of every message the same', async () => {
      const server = await ownServer()
      const { connection, stream } = await batchFixture(server.url)
      const proxy = await proxyTo(server.port)
      const wired = await testConnection(proxy.url, { requestTimeoutMs: 300 })
      const payload = new Uint8Array(10_000)
      const messages = numbered(stream, range(0, many)).map(message => ({ ...message, payload }))

      proxy.severAfter((many / 2) * payload.length)
      const outcomes = await outcomesOf(publishAll(new GroupPublisher(wired), messages))

      expect(outcomes).toEqual(messages.map(() => ({ code: 'STORE_UNAVAILABLE', retryable: true })))
      expect(await storedIn(connection, stream)).toEqual([])
    })

    it('fails all as it would singly when nobody listens, as while a stream has no leader', async () => {
      const { connection, publisher } = await batchFixture()
      const messages = numbered('nobody', range(0, many))

      const outcomes = await outcomesOf(publishAll(publisher, messages))
      const singleOutcomes = await outcomesOf(publishAll(connection, messages))

      expect(outcomes).toEqual(singleOutcomes)
      expect(outcomes[0]).toEqual({ code: 'STORE_UNAVAILABLE', retryable: true })
    })
  })

  describe('when the connection closes', () => {
    it('rejects all that wait, in a batch and behind it, and whoever comes later', async () => {
      const server = await ownServer()
      const { stream } = await batchFixture(server.url)
      const proxy = await proxyTo(server.port)
      const wired = await testConnection(proxy.url)
      const publisher = new GroupPublisher(wired)

      proxy.mute()
      const waiting = publishAll(publisher, numbered(stream, range(0, 450)))
      await until(() => proxy.lostBytes > 0)
      const closing = wired.nc.close()
      const outcomes = await outcomesOf(waiting)
      const later = await outcomesOf(publishAll(publisher, numbered(stream, range(0, many))))
      await closing

      const closed = { code: 'STORE_UNAVAILABLE', retryable: false }
      expect(new Set(outcomes.map(outcome => JSON.stringify(outcome)))).toEqual(
        new Set([JSON.stringify(closed)]),
      )
      expect(outcomes.length).toBe(450)
      expect(later).toEqual(alone(many).map(() => closed))
    })

    it('lets nobody hang while it drains, and answers nobody whose message is not stored', async () => {
      const { publisher, stream, connection } = await batchFixture()
      const observer = await testConnection()

      const waiting = publishAll(publisher, numbered(stream, range(0, 450)))
      await turn()
      await connection.close()
      const settled = await Promise.allSettled(waiting)

      const stored = await storedIn(observer, stream)
      const answered = settled.flatMap((outcome, n) =>
        outcome.status === 'fulfilled' ? [{ n, seq: outcome.value.seq }] : [],
      )
      expect(settled.length).toBe(450)
      expect(answered.map(({ seq }) => stored[seq - 1]!.subject)).toEqual(
        answered.map(({ n }) => `${stream}.m.${n}`),
      )
    })
  })

  describe('with large messages', () => {
    it('keeps a batch below 4 MiB', async () => {
      const { connection, publisher, stream } = await batchFixture()
      const payload = new Uint8Array(200 * 1024)
      const messages = numbered(stream, range(0, 45)).map(message => ({ ...message, payload }))

      const answers = await Promise.all(publishAll(publisher, messages))

      expect(seqsOf(answers)).toEqual(range(1, 46))
      expect(batchSizes(await storedIn(connection, stream))).toEqual([20, 20, ...alone(5)])
    })

    it('sends one that is larger than a batch may be alone, in its place', async () => {
      const server = await ownServer({ extraConfig: 'max_payload: 8MB' })
      const { connection, publisher, stream } = await batchFixture(server.url)
      const messages = numbered(stream, range(0, 2 * many)).map((message, n) => ({
        ...message,
        payload: new Uint8Array(n === many ? 5 * 1024 * 1024 : 10),
      }))

      const answers = await Promise.all(publishAll(publisher, messages))

      const stored = await storedIn(connection, stream)
      expect(seqsOf(answers)).toEqual(range(1, 2 * many + 1))
      expect(subjectsOf(stored)).toEqual(messages.map(({ subject }) => subject))
      expect(stored[many]).toMatchObject({ batch: '', sizeBytes: 5 * 1024 * 1024 })
    })

    it('stores one that is too large only together with the headers of a batch, and its neighbours', async () => {
      const { connection, publisher, stream } = await batchFixture()
      // `NATS/1.0` and two line breaks.
      const headerBytes = 12
      const messages = numbered(stream, range(0, many)).map((message, n) => ({
        ...message,
        headers: { A: 'b' },
        payload: new Uint8Array(n === 9 ? connection.maxPayloadBytes - headerBytes - 6 : 10),
      }))

      const answers = await Promise.all(publishAll(publisher, messages))

      expect(seqsOf(answers)).toEqual(range(1, many + 1))
      expect((await storedIn(connection, stream)).length).toBe(many)
    })
  })

  it.each([
    ['last', many - 1],
    ['in the middle', 9],
  ])('denies a message that the user may not send, %s, and stores its neighbours', async (_, place) => {
    const server = await serverWithUsers({ publish: { deny: ['*.m.forbidden'] } })
    const { connection, stream } = await batchFixture(urlOf(server, 'admin'))
    const limited = await testConnection(urlOf(server, 'limited'))
    const messages = numbered(stream, range(0, many)).toSpliced(place, 1, {
      subject: `${stream}.m.forbidden`,
    })

    const outcomes = await outcomesOf(publishAll(new GroupPublisher(limited), messages))

    const allowed = range(1, many).map(seq => ({ duplicate: false, seq }))
    expect(outcomes).toEqual(
      allowed.toSpliced(place, 0, { code: 'PERMISSION_DENIED', retryable: false } as never),
    )
    expect((await storedIn(connection, stream)).length).toBe(many - 1)
  })
})
