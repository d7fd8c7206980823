import { describe, expect, it } from 'vitest'
import { openNamespace } from '../../src/nats/provision.ts'
import { Headers } from '../../src/nats/headers.ts'
import { scanStream } from '../../src/nats/scan.ts'
import { NatsStore } from '../../src/nats/store.ts'
import { partitionOf } from '../../src/workflow/address.ts'
import { natsFixture, testConnection } from '../contract/fixtures.ts'
import { createAll, numbered, sampleRecord, sampleSummary } from '../contract/samples.ts'
import { until } from '../contract/until.ts'
import { ownServer } from '../support/nats.ts'
import { proxyTo } from './proxy.ts'

const address = { workflow: 'order', id: 'o-1' }
const nothing = new Uint8Array(0)

const batchSize = 10
/** A scan asks for the second batch before its reader looks at the first. */
const asked = 2 * batchSize
/** Ids of more records than a scan asks for at first. */
const manyIds = Array.from({ length: asked + 5 }, (_, n) => `o-${n}`)

describe('NatsStore', () => {
  it.each([
    ['deleted', { 'KV-Operation': 'DEL' }],
    ['purged', { 'KV-Operation': 'PURGE', 'Nats-Rollup': 'sub' }],
    ['expired', { 'Nats-Marker-Reason': 'MaxAge' }],
    ['written with no bytes', { 'Hf-Status': 'running' }],
  ])('takes a key that was %s for none, and creates the record again', async (_, markers) => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace)
    const subject = namespace.subjects.record(partitionOf(address, namespace.partitions), address)
    await store.commit(numbered(address, 1), sampleSummary(), 0)
    await connection.publish(subject, nothing, { headers: Headers.of(markers) })

    const removed = await store.load(address)
    const scanned: string[] = []
    for await (const row of store.scanOwing([partitionOf(address, namespace.partitions)])) {
      scanned.push(row.address.id)
    }
    const revision = await store.commit(numbered(address, 2), sampleSummary(), 0)

    expect(removed).toBeUndefined()
    expect(scanned).toEqual([])
    expect(await store.load(address)).toMatchObject({ record: { counter: 2 }, revision })
  })

  it('asks for all that is loaded within one turn of the event loop at its end', async () => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace, { hasOneCopy: true })
    const before = connection.nc.stats().outMsgs

    const loading = ['o-1', 'o-2'].map(id => store.load({ workflow: 'order', id }))
    const within = connection.nc.stats().outMsgs
    await connection.turnEnds()
    const after = connection.nc.stats().outMsgs
    await Promise.all(loading)

    expect([within, after]).toEqual([before, before + 2])
  })

  it('says that the outcome is unknown when the answer to a commit was lost, and whose commit it was', async () => {
    const server = await ownServer()
    const { namespace } = await natsFixture({ url: server.url })
    const proxy = await proxyTo(server.port)
    const wired = await testConnection(proxy.url, { requestTimeoutMs: 300 })
    const store = new NatsStore(wired, await openNamespace(wired, namespace.name))
    const summary = sampleSummary({ commit: 'mine' })

    proxy.dropNext()
    const committing = store.commit(numbered(address, 1), summary, 0)

    await expect(committing).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
    await expect(store.commit(numbered(address, 1), summary, 0)).rejects.toMatchObject({
      code: 'REVISION_CONFLICT',
    })
    expect(await store.load(address)).toMatchObject({ commit: 'mine' })
  })

  it('keeps the last ten revisions', async () => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace)
    let revision = 0
    for (let n = 0; n < 12; n += 1) {
      revision = await store.commit(numbered(address, n), sampleSummary(), revision)
    }

    expect((await connection.jsm.streams.info(namespace.subjects.recordStream)).state.messages).toBe(10)
  })

  it('stops a scan when the signal aborts, and passes on why', async () => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace)
    await createAll(
      store,
      Array.from({ length: 10 }, (_, n) => ({ workflow: 'order', id: `o-${n}` })),
    )
    const stop = new AbortController()
    const reason = new Error('enough')
    const all = Array.from({ length: namespace.partitions }, (_, n) => n)

    const scanning = (async () => {
      for await (const row of store.scanOwing(all, stop.signal)) if (row.revision > 0) stop.abort(reason)
    })()

    await expect(scanning).rejects.toBe(reason)
  })

  it('scans what was committed before, to the mark it leaves, which no reader of the bucket takes for a key', async () => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace)
    await createAll(store, [{ workflow: 'order', id: 'o-1' }])
    const all = Array.from({ length: namespace.partitions }, (_, n) => n)

    for await (const _ of store.scanOwing(all)) {
      // Only that it ends is of interest.
    }

    const { recordStream, scanMark } = namespace.subjects
    const mark = await connection.jsm.streams.getMessage(recordStream, { last_by_subj: scanMark })
    expect([mark.data.length, mark.header.get('KV-Operation')]).toEqual([0, 'DEL'])
  })

  it('does not end a scan whose replica has not come to the mark', async () => {
    const { connection, namespace } = await natsFixture()
    const { allRecords, recordStream } = namespace.subjects
    const store = new NatsStore(connection, namespace)
    await createAll(store, [{ workflow: 'order', id: 'o-1' }])
    const { state } = await connection.jsm.streams.info(recordStream)
    const options = { filters: [allRecords], headersOnly: true, through: state.last_seq + 1 }
    const rows: number[] = []

    const scanning = (async () => {
      for await (const { place } of scanStream(connection, recordStream, options)) rows.push(place.seq)
    })()
    await until(async () => rows.length === 1)
    const late = await store.commit(sampleRecord({ workflow: 'order', id: 'o-2' }), sampleSummary(), 0)
    await scanning

    expect(rows).toEqual([state.last_seq, late])
  })

  it('leaves no consumer behind after scans, whether they end or are left', async () => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace)
    const { recordStream } = namespace.subjects
    await createAll(
      store,
      Array.from({ length: 10 }, (_, n) => ({ workflow: 'order', id: `o-${n}` })),
    )
    const all = Array.from({ length: namespace.partitions }, (_, n) => n)

    for await (const row of store.scanOwing(all)) expect(row.revision).toBeGreaterThan(0)
    for await (const _ of store.scanOwing(all)) break
    const consumers = async () => (await connection.jsm.streams.info(recordStream)).state.consumer_count
    await until(async () => (await consumers()) === 0)

    expect(await consumers()).toBe(0)
  })

  it.each([
    ['before', manyIds[asked]!],
    ['among', manyIds[asked + 2]!],
    ['behind', manyIds.at(-1)!],
  ])('scans an instance whose record was displaced %s others not yet scanned', async (_, busyId) => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace)
    const { allRecords, recordStream } = namespace.subjects
    for (const id of manyIds) await store.commit(sampleRecord({ workflow: 'order', id }), sampleSummary(), 0)
    const overwrite = async (id: string, times: number) => {
      const target = { workflow: 'order', id }
      let { revision } = (await store.load(target))!
      for (let n = 0; n < times; n += 1) {
        revision = await store.commit(numbered(target, n), sampleSummary(), revision)
      }
    }

    const seen = new Set<string>()
    const options = { batchSize, filters: [allRecords], headersOnly: true }
    for await (const { msg } of scanStream(connection, recordStream, options)) {
      // The first batch is here, the second is on its way, the third is not: all old revisions of the busy one go, and newer ones of
      // other instances come before its newest.
      if (seen.size === 0) {
        for (const id of manyIds.slice(0, batchSize)) await overwrite(id, 1)
        await overwrite(busyId, 10)
      }
      seen.add(msg.subject.split('.').at(-1)!)
    }

    expect(seen).toEqual(new Set(manyIds))
  })

  it('ends a scan when what it has not reached is removed', async () => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace)
    const { allRecords, recordStream } = namespace.subjects
    for (const id of manyIds) await store.commit(sampleRecord({ workflow: 'order', id }), sampleSummary(), 0)

    const seen: string[] = []
    const options = { batchSize, filters: [allRecords], headersOnly: true }
    for await (const { msg } of scanStream(connection, recordStream, options)) {
      if (seen.length === 0) await connection.jsm.streams.purge(recordStream)
      seen.push(msg.subject.split('.').at(-1)!)
    }

    expect(seen).toEqual(manyIds.slice(0, seen.length))
    expect(seen.length).toBeLessThanOrEqual(asked)
  })

  it('ends a scan although others write all the time', async () => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace)
    const { allRecords, recordStream } = namespace.subjects
    await createAll(
      store,
      manyIds.map(id => ({ workflow: 'order', id })),
    )
    let revision = (await store.load(address))!.revision

    let count = 0
    const options = { batchSize, filters: [allRecords], headersOnly: true }
    for await (const _ of scanStream(connection, recordStream, options)) {
      count += 1
      // As many writes as rows: something is always pending.
      if (count > 1) revision = await store.commit(numbered(address, count), sampleSummary(), revision)
    }

    expect(count).toBeLessThan(100)
  })

  it('says that a scan must be made again when its consumer is lost', async () => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace)
    const { allRecords, recordStream } = namespace.subjects
    await createAll(
      store,
      manyIds.map(id => ({ workflow: 'order', id })),
    )

    const options = { batchSize, filters: [allRecords], headersOnly: true }
    const scanning = (async () => {
      let count = 0
      for await (const _ of scanStream(connection, recordStream, options)) {
        count += 1
        if (count !== 1) continue
        const [consumer] = await connection.jsm.consumers.list(recordStream).next()
        await connection.jsm.consumers.delete(recordStream, consumer!.name)
      }
    })()

    await expect(scanning).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
  })

  it('refuses to store what has grown too large with its headers', async () => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace)
    const sized = (length: number) =>
      sampleRecord(address, { snapshot: { status: 'active', value: 'x'.repeat(length) } })
    const limitBytes = connection.maxPayloadBytes
    let revision = 0
    let stored = 0

    // Around the limit either the store refuses it or the server takes it: never does the server close the connection.
    const refusals: unknown[] = []
    for (let length = limitBytes - 900; length < limitBytes; length += 50) {
      try {
        revision = await store.commit(sized(length), sampleSummary(), revision)
        stored += 1
      } catch (error) {
        refusals.push(error)
      }
    }

    expect(stored).toBeGreaterThan(0)
    expect(refusals.length).toBeGreaterThan(0)
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', fields: { limitBytes } })
    }
  })
})
