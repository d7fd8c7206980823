import { describe, expect, it } from 'vitest'
import type { RecordSummary, ScannedRecord, Store } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import { RECORD_FORMAT } from '../../actors/record.ts'
import { encodeRecord } from '../../src/codec/record.ts'
import { encodeValue } from '../../src/codec/msgpack.ts'
import { partitionOf } from '../../src/workflow/address.ts'
import { addressIn, awkwardIds, createAll, idsOf, numbered, sampleRecord, sampleSummary } from './samples.ts'

export interface StoreFixture {
  readonly maxPayloadBytes: number
  readonly partitions: number
  readonly store: Store
  /** Stores bytes in the place of a record, as anyone who may write there can. Answers the revision. */
  readonly writeForeign: (address: Address, bytes: Uint8Array) => Promise<number>
}

const address = { workflow: 'order', id: 'o-1' }

/** What every Store must do. `makeFixture` answers one that holds nothing. */
export function describeStore(name: string, makeFixture: () => Promise<StoreFixture>): void {
  describe(`Store: ${name}`, () => {
    it('answers that there is no record', async () => {
      const { store } = await makeFixture()

      const stored = await store.load(address)

      expect(stored).toBeUndefined()
    })

    it('answers a record exactly as it was committed, with its revision and commit', async () => {
      const { store } = await makeFixture()
      const record = sampleRecord(address, {
        snapshot: {
          status: 'active',
          value: { paying: 'authorising' },
          context: { at: new Date(5), big: 2n ** 70n, map: new Map([['k', new Set([1])]]), text: 'ż🧾\n' },
        },
        cursor: 42,
        recent: ['a', 'b'],
      })

      const revision = await store.commit(record, sampleSummary({ commit: 'c-1', event: 'SHIPPED' }), 0)

      expect(await store.load(address)).toEqual({ record, revision, commit: 'c-1', event: 'SHIPPED' })
    })

    it('answers the newest of several commits, whose revisions rise', async () => {
      const { store } = await makeFixture()

      const first = await store.commit(numbered(address, 1), sampleSummary(), 0)
      const second = await store.commit(numbered(address, 2), sampleSummary(), first)
      const third = await store.commit(numbered(address, 3), sampleSummary(), second)

      expect([first < second, second < third]).toEqual([true, true])
      expect(await store.load(address)).toMatchObject({ record: { counter: 3 }, revision: third })
    })

    it('refuses to create a record that exists', async () => {
      const { store } = await makeFixture()
      const revision = await store.commit(numbered(address, 1), sampleSummary(), 0)

      const again = store.commit(numbered(address, 2), sampleSummary(), 0)

      await expect(again).rejects.toMatchObject({ code: 'REVISION_CONFLICT', retryable: false })
      expect(await store.load(address)).toMatchObject({ record: { counter: 1 }, revision })
    })

    it('refuses a commit from a stale owner', async () => {
      const { store } = await makeFixture()
      const first = await store.commit(numbered(address, 1), sampleSummary(), 0)
      const second = await store.commit(numbered(address, 2), sampleSummary(), first)

      const stale = store.commit(numbered(address, 3), sampleSummary(), first)

      await expect(stale).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })
      expect(await store.load(address)).toMatchObject({ record: { counter: 2 }, revision: second })
    })

    it('refuses to replace a record that does not exist', async () => {
      const { store } = await makeFixture()

      const replacing = store.commit(numbered(address, 1), sampleSummary(), 7)

      await expect(replacing).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })
      expect(await store.load(address)).toBeUndefined()
    })

    it('lets exactly one of many commits at the same revision win', async () => {
      const { store } = await makeFixture()
      const created = await store.commit(numbered(address, 0), sampleSummary(), 0)

      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) =>
          store.commit(numbered(address, n + 1), sampleSummary({ commit: `c-${n + 1}` }), created),
        ),
      )

      const winners = outcomes.flatMap((outcome, n) => (outcome.status === 'fulfilled' ? [n + 1] : []))
      expect(winners).toHaveLength(1)
      expect(await store.load(address)).toMatchObject({
        record: { counter: winners[0] },
        commit: `c-${winners[0]}`,
      })
    })

    it('keeps instances apart whatever their ids consist of', async () => {
      const { store } = await makeFixture()
      const addresses = awkwardIds.map(id => ({ workflow: 'order', id }))

      await Promise.all(addresses.map((each, n) => store.commit(numbered(each, n), sampleSummary(), 0)))

      const loaded = await Promise.all(addresses.map(each => store.load(each)))
      expect(loaded.map(stored => stored?.record.counter)).toEqual(addresses.map((_, n) => n))
      expect(loaded.map(stored => stored?.record.id)).toEqual(awkwardIds)
    })

    it('refuses a record of a newer format and does not overwrite it', async () => {
      const { store, writeForeign } = await makeFixture()
      const revision = await writeForeign(address, encodeValue([RECORD_FORMAT + 1, { anything: true }]))

      await expect(store.load(address)).rejects.toMatchObject({ code: 'RECORD_FORMAT_UNSUPPORTED' })
      const overwriting = store.commit(numbered(address, 1), sampleSummary(), 0)

      await expect(overwriting).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })
      await expect(store.load(address)).rejects.toMatchObject({ code: 'RECORD_FORMAT_UNSUPPORTED' })
      expect(await store.commit(numbered(address, 1), sampleSummary(), revision)).toBeGreaterThan(revision)
    })

    it('refuses bytes that are no record', async () => {
      const { store, writeForeign } = await makeFixture()
      await writeForeign(address, new TextEncoder().encode('not a record'))

      await expect(store.load(address)).rejects.toMatchObject({ code: 'RECORD_MALFORMED' })
    })

    it('refuses the record of another instance', async () => {
      const { store, writeForeign } = await makeFixture()
      await writeForeign(address, encodeRecord(sampleRecord({ workflow: 'order', id: 'o-2' })))

      await expect(store.load(address)).rejects.toMatchObject({ code: 'RECORD_MALFORMED' })
    })

    it('refuses a record that is too large, with its size and the limit', async () => {
      const { maxPayloadBytes, store } = await makeFixture()
      const record = sampleRecord(address, {
        snapshot: { status: 'active', value: 'idle', context: { text: 'x'.repeat(maxPayloadBytes) } },
      })

      const committing = store.commit(record, sampleSummary(), 0)

      await expect(committing).rejects.toMatchObject({
        code: 'PAYLOAD_TOO_LARGE',
        fields: { limitBytes: maxPayloadBytes, sizeBytes: expect.toSatisfy(size => size > maxPayloadBytes) },
      })
      expect(await store.load(address)).toBeUndefined()
    })

    it('does nothing when the signal has aborted, and passes on why', async () => {
      const { store } = await makeFixture()
      const reason = new Error('enough')
      const signal = AbortSignal.abort(reason)

      await expect(store.commit(numbered(address, 1), sampleSummary(), 0, signal)).rejects.toBe(reason)
      await expect(store.load(address, signal)).rejects.toBe(reason)
      await expect(collect(store.scanOwing([0], signal))).rejects.toBe(reason)

      expect(await store.load(address)).toBeUndefined()
    })

    it('scans nothing where nothing is', async () => {
      const { partitions, store } = await makeFixture()

      expect(await collect(store.scanOwing(all(partitions)))).toEqual([])
      expect(await collect(store.scanOwing([0]))).toEqual([])
      expect(await collect(store.scanOwing([]))).toEqual([])
    })

    it('scans the newest summary of each owing record of the partitions asked for, and no other', async () => {
      const { partitions, store } = await makeFixture()
      const [inFirst, inSecond, inThird] = [0, 1, 2].map(partition => addressIn(partition, partitions))
      const first = await store.commit(numbered(inFirst!, 1), sampleSummary(), 0)
      await store.commit(numbered(inSecond!, 1), sampleSummary(), 0)
      await store.commit(numbered(inThird!, 1), sampleSummary(), 0)
      const summary = sampleSummary({
        workflowVersion: 9,
        state: 'paying.authorising|shipping\r\nHf-Status: done',
        event: ' ż%0A🧾 ',
        dueAt: 1_767_225_999_999,
        owes: 3,
      })
      const revision = await store.commit(numbered(inFirst!, 2), summary, first)

      const rows = await collect(store.scanOwing([0, 2]))

      expect(idsOf(rows)).toEqual([inFirst!.id, inThird!.id].toSorted())
      const row = rows.find(each => each.partition === 0)
      expect(row).toEqual({ address: inFirst, partition: 0, revision, time: expect.any(Number), summary })
    })

    it('scans every owing record once, however many there are and whatever their ids consist of', async () => {
      const { partitions, store } = await makeFixture()
      const ids = [...awkwardIds, ...Array.from({ length: 1_200 }, (_, n) => `o-${n}`)]
      const addresses = ids.map(id => ({ workflow: 'order', id }))
      await createAll(store, addresses)

      const rows = await collect(store.scanOwing(all(partitions)))
      const [few, many] = [
        [3, 5, 7],
        [0, 1, 2, 3, 4, 9, 10, 11, 12, 13, 14, 15],
      ] as const
      const [fewRows, manyRows] = [await collect(store.scanOwing(few)), await collect(store.scanOwing(many))]

      const idsIn = (some: readonly number[]) =>
        addresses.filter(each => some.includes(partitionOf(each, partitions))).map(each => each.id)
      expect(idsOf(rows)).toEqual(ids.toSorted())
      expect(idsOf(fewRows)).toEqual(idsIn(few).toSorted())
      expect(idsOf(manyRows)).toEqual(idsIn(many).toSorted())
    })

    it('scans no record that owes nothing and has no timer', async () => {
      const { partitions, store } = await makeFixture()
      const commit = (id: string, over: Partial<RecordSummary>) => {
        const address = { workflow: 'order', id }
        return store.commit(numbered(address, 1), sampleSummary(over), 0)
      }
      await commit('at-rest', { owes: 0 })
      await commit('owing', { owes: 1 })
      await commit('with-a-timer', { owes: 0, dueAt: 1_767_225_999_999 })
      const settled = await commit('settled', { owes: 10 })
      const address = { workflow: 'order', id: 'settled' }
      await store.commit(numbered(address, 2), sampleSummary({ owes: 0 }), settled)

      const rows = await collect(store.scanOwing(all(partitions)))

      expect(idsOf(rows)).toEqual(['owing', 'with-a-timer'])
    })

    it('stops scanning when the reader does', async () => {
      const { partitions, store } = await makeFixture()
      await createAll(
        store,
        Array.from({ length: 5 }, (_, n) => ({ workflow: 'order', id: `o-${n}` })),
      )

      let seen = 0
      for await (const row of store.scanOwing(all(partitions))) {
        seen += row.revision > 0 ? 1 : 0
        if (seen === 2) break
      }

      expect(seen).toBe(2)
    })
  })
}

function all(partitions: number): readonly number[] {
  return Array.from({ length: partitions }, (_, partition) => partition)
}

async function collect(rows: AsyncIterable<ScannedRecord>): Promise<readonly ScannedRecord[]> {
  const collected: ScannedRecord[] = []
  for await (const row of rows) collected.push(row)
  return collected
}
