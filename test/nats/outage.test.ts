import { describe, expect, it } from 'vitest'
import type { NatsServer } from '../../src/nats/server.ts'
import { NatsInbox } from '../../src/nats/inbox.ts'
import { openNamespace, type Namespace } from '../../src/nats/provision.ts'
import { NatsSnapshots } from '../../src/nats/snapshots.ts'
import { NatsStore } from '../../src/nats/store.ts'
import type { NatsConnection } from '../../src/nats/connection.ts'
import { natsFixture, testConnection } from '../contract/fixtures.ts'
import { HeardMessages, HeardRecords } from '../contract/heard.ts'
import { addressIn, numbered, sampleEnvelope, sampleRecord, sampleSummary } from '../contract/samples.ts'
import { until } from '../contract/until.ts'
import { ownServer } from '../support/nats.ts'
import { scratchDir } from '../support/processes.ts'
import { proxyTo, type Proxy } from './proxy.ts'

interface OwnFixture {
  readonly connection: NatsConnection
  readonly namespace: Namespace
  /** Kills the server, and starts it again on the same port with what it had stored. */
  readonly crash: () => Promise<void>
  /** Kills the server for good. */
  readonly kill: () => Promise<void>
}

async function ownFixture(): Promise<OwnFixture> {
  const storeDir = await scratchDir()
  let server: NatsServer = await ownServer({ storeDir })
  const { connection, namespace } = await natsFixture({ url: server.url })
  const kill = async () => {
    server.kill('SIGKILL')
    await server.exited
  }
  const crash = async () => {
    await kill()
    server = await ownServer({ storeDir, port: server.port })
  }
  return { connection, namespace, crash, kill }
}

interface WiredFixture {
  /** Straight to the server. */
  readonly direct: NatsConnection
  readonly namespace: Namespace
  readonly proxy: Proxy
  /** Through the proxy. */
  readonly wired: NatsConnection
}

async function wiredFixture(): Promise<WiredFixture> {
  const server = await ownServer()
  const { connection: direct, namespace } = await natsFixture({ url: server.url })
  const proxy = await proxyTo(server.port)
  const wired = await testConnection(proxy.url)
  return { direct, namespace: await openNamespace(wired, namespace.name), proxy, wired }
}

const address = { workflow: 'order', id: 'o-1' }

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, n) => from + n)
}

describe('a server that is killed and starts again', () => {
  it('shows the watcher of an instance what was committed before and after, and nothing stale', async () => {
    const { connection, crash, namespace } = await ownFixture()
    const store = new NatsStore(connection, namespace)
    const heard = new HeardRecords()
    const first = await store.commit(numbered(address, 1), sampleSummary(), 0)
    await new NatsSnapshots(connection, namespace).watch(address, heard)

    const second = await store.commit(numbered(address, 2), sampleSummary(), first)
    await heard.counter(2)
    await crash()
    await until(async () => (await store.load(address).catch(() => undefined)) !== undefined)
    const third = await store.commit(numbered(address, 3), sampleSummary(), second)
    await heard.counter(3)

    expect(heard.counters).toEqual([1, 2, 3])
    expect(heard.revisions).toEqual([first, second, third])
    expect(heard.error).toBeUndefined()
  })

  it('shows the watcher of many what was committed before and after, each once', async () => {
    const { connection, crash, namespace } = await ownFixture()
    const store = new NatsStore(connection, namespace)
    const heard = new HeardRecords()
    const ids = range(0, 10).map(n => `o-${n}`)
    for (const id of ids) await store.commit(sampleRecord({ workflow: 'order', id }), sampleSummary(), 0)
    await new NatsSnapshots(connection, namespace).watch({}, heard)
    await heard.count(10)

    await crash()
    await until(async () => (await store.load(address).catch(() => undefined)) !== undefined)
    await store.commit(sampleRecord({ workflow: 'order', id: 'after' }), sampleSummary(), 0)
    await heard.count(11)

    expect(heard.ids).toEqual([...ids, 'after'])
    expect(heard.error).toBeUndefined()
  })

  it('delivers every envelope once, in order, to the owner of its partition', async () => {
    const { connection, crash, namespace } = await ownFixture()
    const inbox = new NatsInbox(connection, namespace)
    const target = addressIn(3, namespace.partitions)
    const heard = new HeardMessages()
    const seen = new Set<number>()
    for (const n of range(0, 20)) await inbox.publish(sampleEnvelope(target, n))
    await inbox.open(3, 1, heard)
    await heard.count(20)
    for (const n of range(0, 10)) heard.messages[n]!.ack()

    await crash()
    // Half are settled only now: through consumers that no longer are, or that have forgotten.
    for (const n of range(10, 20)) heard.messages[n]!.ack()
    for (const n of range(20, 40)) await publishStubbornly(inbox, sampleEnvelope(target, n))
    await heard.count(40)
    for (const message of heard.messages) {
      seen.add(message.content.seq)
      message.ack()
    }
    const { inboxStream } = namespace.subjects
    await until(async () => (await connection.jsm.streams.info(inboxStream)).state.messages === 0)

    expect(heard.numbers).toEqual(range(0, 40))
    expect(seen.size).toBe(40)
    expect(heard.error).toBeUndefined()
  })

  it('says that it cannot be reached while it is away', async () => {
    const { connection, kill, namespace } = await ownFixture()
    const store = new NatsStore(connection, namespace)
    await kill()

    const attempts = await Promise.allSettled([
      store.load(address),
      store.commit(sampleRecord(address), sampleSummary(), 0),
      new NatsSnapshots(connection, namespace).get(address),
    ])

    for (const attempt of attempts) {
      expect(attempt).toMatchObject({ reason: { code: 'STORE_UNAVAILABLE', retryable: true } })
    }
  })

  it('lets a caller stop waiting for it', async () => {
    const { connection, kill, namespace } = await ownFixture()
    await kill()
    const stop = new AbortController()
    const reason = new Error('enough')

    const loading = new NatsStore(connection, namespace).load(address, stop.signal)
    const publishing = new NatsInbox(connection, namespace).publish(sampleEnvelope(address), {
      signal: stop.signal,
    })
    stop.abort(reason)

    await expect(loading).rejects.toBe(reason)
    await expect(publishing).rejects.toBe(reason)
  })
})

describe('a connection that breaks', () => {
  it('fails what was asked on it as soon as there is another, not after its time', async () => {
    const server = await ownServer()
    const { namespace } = await natsFixture({ url: server.url })
    const proxy = await proxyTo(server.port)
    const wired = await testConnection(proxy.url, { requestTimeoutMs: 600_000 })

    proxy.mute()
    const committing = new NatsStore(wired, namespace).commit(sampleRecord(address), sampleSummary(), 0)
    const failure = committing.catch((error: unknown) => error)
    await until(() => proxy.lostBytes > 0)
    proxy.cut()

    expect(await failure).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
  })

  it('delivers envelopes lost on the way before later ones', async () => {
    const { direct, namespace, proxy, wired } = await wiredFixture()
    const target = addressIn(3, namespace.partitions)
    const heard = new HeardMessages()
    const inbox = new NatsInbox(direct, namespace)
    await new NatsInbox(wired, namespace).open(3, 1, heard)
    for (const n of range(0, 5)) await inbox.publish(sampleEnvelope(target, n))
    await heard.count(5)
    heard.messages[0]!.ack()

    proxy.mute()
    for (const n of range(5, 10)) await inbox.publish(sampleEnvelope(target, n))
    await until(() => proxy.lostBytes > 500)
    proxy.cut()
    for (const n of range(10, 15)) await inbox.publish(sampleEnvelope(target, n))
    await heard.count(15)

    expect(heard.numbers).toEqual(range(0, 15))
  })

  it('delivers envelopes lost on the way at once, although none follows', async () => {
    const { direct, namespace, proxy, wired } = await wiredFixture()
    const target = addressIn(3, namespace.partitions)
    const heard = new HeardMessages()
    await new NatsInbox(wired, namespace).open(3, 1, heard)

    proxy.mute()
    await new NatsInbox(direct, namespace).publish(sampleEnvelope(target, 0))
    await until(() => proxy.lostBytes > 100)
    proxy.cut()
    const cutAt = performance.now()
    await heard.count(1)

    // Far less than the server waits for an acknowledgement.
    expect(performance.now() - cutAt).toBeLessThan(15_000)
  })

  it('delivers envelopes lost on the way before later ones although it looks whole', async () => {
    const { direct, namespace, proxy, wired } = await wiredFixture()
    const target = addressIn(3, namespace.partitions)
    const heard = new HeardMessages()
    const inbox = new NatsInbox(direct, namespace)
    await new NatsInbox(wired, namespace).open(3, 1, heard)
    await inbox.publish(sampleEnvelope(target, 0))
    await heard.count(1)

    // As when the client is too slow and the server drops what it has for it.
    proxy.dropNext()
    await inbox.publish(sampleEnvelope(target, 1))
    await until(() => proxy.lostBytes > 0)
    for (const n of range(2, 5)) await inbox.publish(sampleEnvelope(target, n))
    await heard.count(5)

    expect(heard.numbers).toEqual(range(0, 5))
  })

  it('shows the watcher of an instance what was committed meanwhile', async () => {
    const { direct, namespace, proxy, wired } = await wiredFixture()
    const store = new NatsStore(direct, namespace)
    const heard = new HeardRecords()
    const first = await store.commit(numbered(address, 1), sampleSummary(), 0)
    await new NatsSnapshots(wired, namespace).watch(address, heard)
    await heard.counter(1)

    proxy.mute()
    await store.commit(numbered(address, 2), sampleSummary(), first)
    await until(() => proxy.lostBytes > 0)
    proxy.cut()
    await heard.counter(2)

    expect(heard.counters).toEqual([1, 2])
  })
})

/** Publishes until it is stored: the same envelope, however often that takes. */
async function publishStubbornly(
  inbox: NatsInbox,
  envelope: ReturnType<typeof sampleEnvelope>,
): Promise<void> {
  await until(async () => {
    try {
      await inbox.publish(envelope)
      return true
    } catch {
      return false
    }
  })
}
