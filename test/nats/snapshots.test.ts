import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/memory/clock.ts'
import { readEntryNearby } from '../../src/nats/entry.ts'
import { InstanceWatch } from '../../src/nats/instance-watch.ts'
import { provision } from '../../src/nats/provision.ts'
import { NatsSnapshots } from '../../src/nats/snapshots.ts'
import { NatsStore } from '../../src/nats/store.ts'
import { partitionOf } from '../../src/workflow/address.ts'
import { natsFixture, testConnection } from '../contract/fixtures.ts'
import { HeardRecords } from '../contract/heard.ts'
import { numbered, sampleRecord, sampleSummary } from '../contract/samples.ts'
import { until } from '../contract/until.ts'
import { freshNamespace, ownServer } from '../support/nats.ts'
import { proxyTo } from './proxy.ts'

const address = { workflow: 'order', id: 'o-1' }

describe('NatsSnapshots', () => {
  it('looks again after half a minute in which nothing arrived', async () => {
    const server = await ownServer()
    const { connection, namespace } = await natsFixture({ url: server.url })
    const store = new NatsStore(connection, namespace)
    const clock = new ManualClock()
    const proxy = await proxyTo(server.port)
    const wired = await testConnection(proxy.url, { clock })
    const heard = new HeardRecords()
    const first = await store.commit(numbered(address, 1), sampleSummary(), 0)
    const stop = await new NatsSnapshots(wired, namespace).watch(address, heard)

    proxy.dropNext()
    await store.commit(numbered(address, 2), sampleSummary(), first)
    await until(() => proxy.lostBytes > 0)
    clock.advance(29_999)
    await wired.nc.flush()
    const before = heard.counters
    clock.advance(1)
    await heard.counter(2)
    stop()

    expect(before).toEqual([1])
    expect(heard.counters).toEqual([1, 2])
  })

  it('keeps no timer once watching has stopped', async () => {
    const clock = new ManualClock()
    const connection = await testConnection(undefined, { clock })
    const namespace = await provision(connection, { namespace: freshNamespace() })
    const stop = await new NatsSnapshots(connection, namespace).watch(address, new HeardRecords())

    const whileWatching = clock.timerCount
    stop()

    expect([whileWatching, clock.timerCount]).toEqual([1, 0])
  })

  it('does not look again while commits arrive', async () => {
    const clock = new ManualClock()
    const connection = await testConnection(undefined, { clock })
    const namespace = await provision(connection, { namespace: freshNamespace() })
    const store = new NatsStore(connection, namespace)
    const heard = new HeardRecords()
    await new NatsSnapshots(connection, namespace).watch(address, heard)
    await store.commit(numbered(address, 1), sampleSummary(), 0)
    await heard.count(1)
    const sentBefore = connection.nc.stats().outMsgs

    clock.advance(30_000)
    await connection.turnEnds()
    const sentAfterFirst = connection.nc.stats().outMsgs
    clock.advance(30_000)
    await connection.turnEnds()
    const sentAfterSecond = connection.nc.stats().outMsgs

    expect([sentAfterFirst, sentAfterSecond]).toEqual([sentBefore, sentBefore + 1])
  })

  it('does not go back to a record that was read before a newer one arrived', async () => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace)
    const heard = new HeardRecords()
    const partition = partitionOf(address, namespace.partitions)
    const { recordStream } = namespace.subjects
    const subject = namespace.subjects.record(partition, address)
    const first = await store.commit(numbered(address, 1), sampleSummary(), 0)
    const stale = await readEntryNearby(connection, recordStream, subject)
    let answer = () => {}
    const answered = new Promise<void>(resolve => {
      answer = resolve
    })
    const watch = new InstanceWatch(
      {
        address,
        connection,
        onlyFinal: false,
        read: () => answered.then(() => stale),
        subject: namespace.subjects.snapshot(partition, address),
      },
      heard,
    )

    const opening = watch.open()
    await store.commit(numbered(address, 2), sampleSummary(), first)
    await heard.counter(2)
    answer()
    await opening
    watch.close()

    expect(heard.counters).toEqual([2])
  })

  it('uses no consumer to watch instances, however many', async () => {
    const { connection, namespace } = await natsFixture()
    const snapshots = new NatsSnapshots(connection, namespace)
    const watching = Array.from({ length: 200 }, (_, n) =>
      snapshots.watch({ workflow: 'order', id: `o-${n}` }, new HeardRecords()),
    )
    await Promise.all(watching)

    const { state } = await connection.jsm.streams.info(namespace.subjects.recordStream)

    expect(state.consumer_count).toBe(0)
  })

  it('leaves no consumer behind when watching many stops', async () => {
    const { connection, namespace } = await natsFixture()
    const stop = await new NatsSnapshots(connection, namespace).watch({}, new HeardRecords())

    const consumers = async () =>
      (await connection.jsm.streams.info(namespace.subjects.recordStream)).state.consumer_count
    const whileWatching = await consumers()
    stop()
    await until(async () => (await consumers()) === 0)

    expect(whileWatching).toBe(1)
  })

  it('goes on watching many where it was when its consumer is deleted', async () => {
    const { connection, namespace } = await natsFixture()
    const store = new NatsStore(connection, namespace)
    const { recordStream } = namespace.subjects
    const heard = new HeardRecords()
    let revision = 0
    for (let n = 0; n < 3; n += 1) {
      revision = await store.commit(numbered(address, n), sampleSummary(), revision)
    }
    await new NatsSnapshots(connection, namespace).watch({}, heard)
    await heard.count(1)

    const [consumer] = await connection.jsm.consumers.list(recordStream).next()
    await connection.jsm.consumers.delete(recordStream, consumer!.name)
    await store.commit(numbered(address, 3), sampleSummary(), revision)
    await store.commit(sampleRecord({ workflow: 'order', id: 'o-2' }), sampleSummary(), 0)
    await heard.count(3)

    expect(heard.counters).toEqual([2, 3, 0])
  })

  it('tells watchers that the connection was closed', async () => {
    const { connection, namespace } = await natsFixture()
    const snapshots = new NatsSnapshots(connection, namespace)
    const [one, many] = [new HeardRecords(), new HeardRecords()]
    await snapshots.watch(address, one)
    await snapshots.watch({}, many)

    await connection.close()

    expect(await one.end()).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(await many.end()).toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})
