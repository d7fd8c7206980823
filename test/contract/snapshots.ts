import { describe, expect, it } from 'vitest'
import type { ScannedRecord, Snapshots, Store } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import { RECORD_FORMAT } from '../../actors/record.ts'
import { encodeValue } from '../../src/codec/msgpack.ts'
import { HeardRecords } from './heard.ts'
import { awkwardIds, createAll, idsOf, numbered, sampleRecord, sampleSummary } from './samples.ts'

export interface SnapshotsFixture {
  readonly snapshots: Snapshots
  readonly store: Store
  /** Stores bytes in the place of a record, as anyone who may write there can. */
  readonly writeForeign: (address: Address, bytes: Uint8Array) => Promise<number>
}

const address = { workflow: 'order', id: 'o-1' }

/** What all Snapshots must do. `makeFixture` answers some of a store that holds nothing. */
export function describeSnapshots(name: string, makeFixture: () => Promise<SnapshotsFixture>): void {
  describe(`Snapshots: ${name}`, () => {
    it('answers that there is no record', async () => {
      const { snapshots } = await makeFixture()

      expect(await snapshots.get(address)).toBeUndefined()
      expect(await snapshots.peek(address)).toBeUndefined()
    })

    it('answers the newest commit and its summary', async () => {
      const { snapshots, store } = await makeFixture()
      const created = await store.commit(numbered(address, 1), sampleSummary(), 0)
      const summary = sampleSummary({ state: 'paying', dueAt: 17, owes: 2 })
      const revision = await store.commit(numbered(address, 2), summary, created)

      const stored = await snapshots.get(address)
      const peeked = await snapshots.peek(address)

      const { commit, event } = summary
      expect(stored).toEqual({ record: numbered(address, 2), revision, commit, event })
      expect(peeked).toEqual({
        address,
        partition: expect.any(Number),
        revision,
        time: expect.any(Number),
        summary,
      })
    })

    it('refuses a record of a newer format, but shows where it is', async () => {
      const { snapshots, writeForeign } = await makeFixture()
      await writeForeign(address, encodeValue([RECORD_FORMAT + 1, {}]))
      const heard = new HeardRecords()

      await expect(snapshots.get(address)).rejects.toMatchObject({ code: 'RECORD_FORMAT_UNSUPPORTED' })
      const watching = snapshots.watch(address, heard).then(() => heard.end())

      await expect(watching.catch((error: unknown) => error)).resolves.toMatchObject({
        code: 'RECORD_FORMAT_UNSUPPORTED',
      })
    })

    it('shows a watcher of one instance the record there is, then every commit in order', async () => {
      const { snapshots, store } = await makeFixture()
      const heard = new HeardRecords()
      let revision = await store.commit(numbered(address, 0), sampleSummary(), 0)

      await snapshots.watch(address, heard)
      await heard.counter(0)
      for (let n = 1; n <= 50; n += 1) {
        revision = await store.commit(numbered(address, n), sampleSummary(), revision)
      }
      await heard.counter(50)

      expect(heard.counters).toEqual(Array.from({ length: 51 }, (_, n) => n))
      expect(heard.records.at(-1)).toMatchObject({ revision })
    })

    it.each([
      { whose: 'one instance', filter: address },
      { whose: 'a workflow', filter: { workflow: address.workflow } },
    ])('shows a watcher of $whose who asks for ends nothing before them', async ({ filter }) => {
      const { snapshots, store } = await makeFixture()
      const [before, after] = [new HeardRecords(), new HeardRecords()]
      const end = (n: number) => ({ ...numbered(address, n), status: 'done' as const })
      const first = await store.commit(numbered(address, 1), sampleSummary(), 0)

      await snapshots.watch({ ...filter, onlyFinal: true }, before)
      const second = await store.commit(numbered(address, 2), sampleSummary(), first)
      await store.commit(end(3), sampleSummary({ status: 'done' }), second)
      await before.counter(3)
      await snapshots.watch({ ...filter, onlyFinal: true }, after)
      await after.counter(3)

      expect(before.counters).toEqual([3])
      expect(after.counters).toEqual([3])
    })

    it('shows a watcher the first commit of an instance that did not exist', async () => {
      const { snapshots, store } = await makeFixture()
      const heard = new HeardRecords()
      await snapshots.watch(address, heard)

      const revision = await store.commit(
        numbered(address, 7),
        sampleSummary({ commit: 'c-7', event: 'E 7' }),
        0,
      )
      await heard.count(1)

      expect(heard.records).toEqual([{ record: numbered(address, 7), revision, commit: 'c-7', event: 'E 7' }])
    })

    it('shows a watcher that comes while others write nothing stale, and the newest in the end', async () => {
      const { snapshots, store } = await makeFixture()
      const heard = Array.from({ length: 10 }, () => new HeardRecords())
      let revision = await store.commit(numbered(address, 0), sampleSummary(), 0)

      const watching: Promise<unknown>[] = []
      for (let n = 1; n <= 100; n += 1) {
        if (n % 10 === 0) watching.push(snapshots.watch(address, heard[n / 10 - 1]!))
        revision = await store.commit(numbered(address, n), sampleSummary(), revision)
      }
      await Promise.all(watching)
      await Promise.all(heard.map(each => each.counter(100)))

      for (const { revisions } of heard) expect(revisions).toEqual(strictlyRising(revisions))
    })

    it('shows a watcher of a workflow its instances and no others', async () => {
      const { snapshots, store } = await makeFixture()
      const [orders, everything] = [new HeardRecords(), new HeardRecords()]
      await store.commit(sampleRecord({ workflow: 'order', id: 'o-1' }), sampleSummary(), 0)
      await store.commit(sampleRecord({ workflow: 'orders', id: 'o-2' }), sampleSummary(), 0)

      await snapshots.watch({ workflow: 'order' }, orders)
      await snapshots.watch({}, everything)
      await store.commit(sampleRecord({ workflow: 'orders', id: 'o-3' }), sampleSummary(), 0)
      await store.commit(sampleRecord({ workflow: 'order', id: 'o-4' }), sampleSummary(), 0)
      await Promise.all([orders.count(2), everything.count(4)])

      expect(orders.ids).toEqual(['o-1', 'o-4'])
      expect(everything.ids).toEqual(['o-1', 'o-2', 'o-3', 'o-4'])
    })

    it('shows a watcher of many the newest of what there is, then every commit', async () => {
      const { snapshots, store } = await makeFixture()
      const heard = new HeardRecords()
      const other = { workflow: 'order', id: 'o-2' }
      let revision = 0
      for (let n = 0; n < 5; n += 1) {
        revision = await store.commit(numbered(address, n), sampleSummary(), revision)
      }
      await store.commit(numbered(other, 0), sampleSummary(), 0)

      await snapshots.watch({ workflow: 'order' }, heard)
      for (let n = 5; n < 10; n += 1) {
        revision = await store.commit(numbered(address, n), sampleSummary(), revision)
      }
      await heard.counter(9)

      const own = heard.records.filter(({ record }) => record.id === 'o-1')
      const counters = own.map(({ record }) => record.counter)
      expect(heard.revisions).toEqual(strictlyRising(heard.revisions))
      expect(counters.slice(-5)).toEqual([5, 6, 7, 8, 9])
      expect(counters[0]).toBeGreaterThanOrEqual(4)
      expect(heard.ids).toContain('o-2')
    })

    it('leaves out what cannot be read where many are watched', async () => {
      const { snapshots, store, writeForeign } = await makeFixture()
      const heard = new HeardRecords()
      await writeForeign(address, encodeValue([RECORD_FORMAT + 1, {}]))
      await snapshots.watch({}, heard)

      await writeForeign({ workflow: 'order', id: 'o-2' }, new TextEncoder().encode('nothing'))
      await store.commit(sampleRecord({ workflow: 'order', id: 'o-3' }), sampleSummary(), 0)
      await heard.count(1)

      expect(heard.ids).toEqual(['o-3'])
    })

    it('ends the watch of an instance whose record cannot be read any more', async () => {
      const { snapshots, store, writeForeign } = await makeFixture()
      const heard = new HeardRecords()
      await store.commit(numbered(address, 1), sampleSummary(), 0)
      await snapshots.watch(address, heard)

      await writeForeign(address, encodeValue([RECORD_FORMAT + 1, {}]))

      expect(await heard.end()).toMatchObject({ code: 'RECORD_FORMAT_UNSUPPORTED' })
    })

    it('shows nothing more once watching has stopped', async () => {
      const { snapshots, store } = await makeFixture()
      const [stopped, other, many] = [new HeardRecords(), new HeardRecords(), new HeardRecords()]
      const revision = await store.commit(numbered(address, 0), sampleSummary(), 0)
      const stop = await snapshots.watch(address, stopped)
      const stopMany = await snapshots.watch({}, many)
      await snapshots.watch(address, other)
      await Promise.all([stopped.count(1), many.count(1)])

      // What is on its way when watching stops is not shown either.
      const committing = store.commit(numbered(address, 1), sampleSummary(), revision)
      stop()
      stopMany()
      await committing
      await other.counter(1)

      expect([stopped.counters, many.counters]).toEqual([[0], [0]])
      expect([stopped.error, many.error]).toEqual([undefined, undefined])
    })

    it('watches and reads instances whatever their ids consist of', async () => {
      const { snapshots, store } = await makeFixture()
      const addresses = awkwardIds.map(id => ({ workflow: 'order', id }))
      const heard = addresses.map(() => new HeardRecords())
      await Promise.all(addresses.map((each, n) => snapshots.watch(each, heard[n]!)))

      await Promise.all(addresses.map((each, n) => store.commit(numbered(each, n), sampleSummary(), 0)))
      await Promise.all(heard.map(each => each.count(1)))

      const peeked = await Promise.all(addresses.map(each => snapshots.peek(each)))
      expect(heard.map(each => each.counters)).toEqual(addresses.map((_, n) => [n]))
      expect(peeked.map(row => row?.address.id)).toEqual(awkwardIds)
    })

    it.each([0, 1, 1_000])('lists %i records', async count => {
      const { snapshots, store } = await makeFixture()
      const ids = Array.from({ length: count }, (_, n) => `o-${n}`)
      await createAll(
        store,
        ids.map(id => ({ workflow: 'order', id })),
      )

      const rows = await collect(snapshots.list({}))

      expect(idsOf(rows)).toEqual(ids.toSorted())
    })

    it('lists each record once, also those that change meanwhile', async () => {
      const { snapshots, store } = await makeFixture()
      const addresses = Array.from({ length: 1_500 }, (_, n) => ({ workflow: 'order', id: `o-${n}` }))
      await createAll(store, addresses)

      const rows: ScannedRecord[] = []
      for await (const row of snapshots.list({})) {
        if (rows.push(row) > 1) continue
        for (const each of addresses.slice(0, 100)) {
          const { revision } = (await store.load(each))!
          await store.commit(numbered(each, 1), sampleSummary(), revision)
        }
      }

      expect(idsOf(rows)).toEqual(addresses.map(({ id }) => id).toSorted())
    })

    it('lists by workflow and by id', async () => {
      const { snapshots, store } = await makeFixture()
      const addresses = [
        { workflow: 'order', id: 'o-1' },
        { workflow: 'order', id: 'o-2' },
        { workflow: 'invoice', id: 'o-1' },
      ]
      const summary = sampleSummary({ state: 'shipping' })
      for (const each of addresses) await store.commit(sampleRecord(each), summary, 0)

      const orders = await collect(snapshots.list({ workflow: 'order' }))
      const one = await collect(snapshots.list({ workflow: 'invoice', id: 'o-1' }))
      const none = await collect(snapshots.list({ workflow: 'invoice', id: 'o-2' }))

      expect(idsOf(orders)).toEqual(['o-1', 'o-2'])
      expect(one).toMatchObject([{ address: addresses[2], summary }])
      expect(none).toEqual([])
    })

    it('lists everything there is while others write', async () => {
      const { snapshots, store } = await makeFixture()
      const ids = Array.from({ length: 200 }, (_, n) => `o-${n}`)
      const revisions = new Map<string, number>()
      const write = async (id: string, counter: number) => {
        const record = numbered({ workflow: 'order', id }, counter)
        revisions.set(id, await store.commit(record, sampleSummary(), revisions.get(id) ?? 0))
      }
      await Promise.all(ids.map(id => write(id, 0)))

      const busy = ids.slice(0, 5)
      let isListing = true
      const writing = busy.map(async id => {
        for (let n = 1; isListing; n += 1) await write(id, n)
      })
      const lists: (readonly ScannedRecord[])[] = []
      for (let n = 0; n < 10; n += 1) lists.push(await collect(snapshots.list({})))
      isListing = false
      await Promise.all(writing)

      for (const rows of lists) expect(new Set(rows.map(row => row.address.id))).toEqual(new Set(ids))
    })

    it('passes on why the signal has aborted', async () => {
      const { snapshots } = await makeFixture()
      const reason = new Error('enough')
      const signal = AbortSignal.abort(reason)

      await expect(snapshots.get(address, signal)).rejects.toBe(reason)
      await expect(snapshots.peek(address, signal)).rejects.toBe(reason)
      await expect(collect(snapshots.list({}, signal))).rejects.toBe(reason)
    })
  })
}

function strictlyRising(revisions: readonly number[]): readonly number[] {
  return [...new Set(revisions)].toSorted((a, b) => a - b)
}

async function collect(rows: AsyncIterable<ScannedRecord>): Promise<readonly ScannedRecord[]> {
  const collected: ScannedRecord[] = []
  for await (const row of rows) collected.push(row)
  return collected
}
