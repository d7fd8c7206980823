import { describe, expect, it } from 'vitest'
import type { DeadLetterList, LetterFilter } from '../../actors/dead-letter.ts'
import type { Envelope } from '../../actors/envelope.ts'
import type { Inbox } from '../../actors/ports.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { partitionOf } from '../../src/workflow/address.ts'
import { collect } from '../support/node.ts'
import { HeardMessages } from './heard.ts'
import { addressIn, awkwardIds, sampleEnvelope } from './samples.ts'

export interface DeadLetterListFixture {
  readonly inbox: Inbox
  /** Of the same namespace, which holds none. */
  readonly list: DeadLetterList
  readonly partitions: number
  /** Publishes any bytes to partition 3. */
  readonly publishForeign: (bytes: Uint8Array) => Promise<void>
}

/** What every DeadLetterList must do. */
export function describeDeadLetterList(
  name: string,
  makeFixture: () => Promise<DeadLetterListFixture>,
): void {
  async function fixture() {
    const made = await makeFixture()
    const { inbox, list } = made
    const heard = new HeardMessages()
    await inbox.open(3, 1, heard)
    let count = 0
    /** Keeps what comes next among the dead letters. */
    const bury = async (publish: () => Promise<void>, code: string, reason = 'because') => {
      await publish()
      count += 1
      await heard.count(count)
      await heard.messages[count - 1]!.deadLetter(code, reason)
    }
    return {
      ...made,
      bury: (envelope: Envelope, code = 'EVENT_INVALID', reason?: string) =>
        bury(() => inbox.publish(envelope), code, reason),
      buryForeign: (bytes: Uint8Array) => bury(() => made.publishForeign(bytes), 'ENVELOPE_MALFORMED'),
      all: (filter: LetterFilter = {}) => collect(list.list(filter)),
    }
  }

  describe(`DeadLetterList: ${name}`, () => {
    it('tells of each letter what it was, for whom, when and why, oldest first', async () => {
      const { all, bury, list, partitions } = await fixture()
      const target = addressIn(3, partitions)
      const envelopes = [1, 2, 3].map(n => sampleEnvelope(target, n, { cause: `cause ${n}` }))

      for (const envelope of envelopes) await bury(envelope, 'EVENT_INVALID', 'zażółć\n')

      const letters = await all()
      expect(letters.map(({ content }) => content)).toEqual(envelopes.map(envelope => ({ envelope })))
      expect(letters.map(({ seq }) => seq)).toEqual(letters.map(({ seq }) => seq).toSorted((a, b) => a - b))
      const data = encodeEnvelope(envelopes[0]!)
      expect(letters[0]).toMatchObject({
        code: 'EVENT_INVALID',
        reason: 'zażółć\n',
        sizeBytes: data.length,
        target,
      })
      expect(Buffer.compare(letters[0]!.data, data)).toBe(0)
      expect(letters[0]!.origin.seq).toBeLessThan(letters[1]!.origin.seq)
      expect(await list.get(letters[1]!.seq)).toEqual(letters[1])
    })

    it('tells of all of a code, however many there are', async () => {
      const { all, bury, partitions } = await fixture()
      const target = addressIn(3, partitions)

      for (let n = 0; n < 250; n += 1) await bury(sampleEnvelope(target, n))

      expect((await all()).map(({ content }) => numberIn(content))).toEqual(
        Array.from({ length: 250 }, (_, n) => n),
      )
    })

    it('lets through what a filter wants', async () => {
      const { all, bury, partitions } = await fixture()
      const order = addressIn(3, partitions)
      const other = addressIn(3, partitions, 'other')
      await bury(sampleEnvelope(order, 1), 'EVENT_INVALID')
      await bury(sampleEnvelope(order, 2), 'WORKFLOW_UNKNOWN')
      await bury(sampleEnvelope(other, 3), 'EVENT_INVALID')
      const numbers = async (filter: LetterFilter) =>
        (await all(filter)).map(({ content }) => numberIn(content))
      const [, second] = await all()

      expect(await numbers({ code: 'EVENT_INVALID' })).toEqual([1, 3])
      expect(await numbers({ workflow: 'order' })).toEqual([1, 2])
      expect(await numbers({ workflow: 'order', id: order.id, code: 'WORKFLOW_UNKNOWN' })).toEqual([2])
      expect(await numbers({ id: 'nobody' })).toEqual([])
      expect(await numbers({ code: 'TIMEOUT' })).toEqual([])
      expect(await numbers({ since: second!.time })).toContain(3)
      expect(await numbers({ since: second!.time + 3_600_000 })).toEqual([])
    })

    it('says of what is no envelope why, and gives its bytes', async () => {
      const { all, buryForeign } = await fixture()
      const bytes = new TextEncoder().encode('{"id":')

      await buryForeign(bytes)

      const [letter] = await all()
      expect(letter).toMatchObject({
        code: 'ENVELOPE_MALFORMED',
        content: { malformed: { code: 'ENVELOPE_MALFORMED' } },
        sizeBytes: bytes.length,
      })
      expect(Buffer.compare(letter!.data, bytes)).toBe(0)
    })

    it('takes an envelope for another partition for none', async () => {
      const { all, buryForeign, partitions } = await fixture()

      await buryForeign(encodeEnvelope(sampleEnvelope(addressIn(4, partitions))))

      const [letter] = await all()
      expect(letter).toMatchObject({ content: { malformed: { code: 'ENVELOPE_MALFORMED' } } })
    })

    it('removes a letter once, and only that', async () => {
      const { all, bury, list, partitions } = await fixture()
      for (const n of [1, 2, 3]) await bury(sampleEnvelope(addressIn(3, partitions), n))
      const { seq } = (await all())[1]!

      expect(await list.remove(seq)).toBe(true)
      expect(await list.remove(seq)).toBe(false)
      expect(await list.remove(seq + 1_000)).toBe(false)

      expect(await list.get(seq)).toBeUndefined()
      expect((await all()).map(({ content }) => numberIn(content))).toEqual([1, 3])
    })

    it('knows whom a letter was for, whatever the id', async () => {
      const { all, bury, partitions } = await fixture()
      const targets = awkwardIds.flatMap(id => {
        const address = Array.from({ length: 500 }, (_, n) => ({ workflow: `w${n}`, id }))
        return address.find(candidate => partitionOf(candidate, partitions) === 3) ?? []
      })

      for (const target of targets) await bury(sampleEnvelope(target))

      expect(targets).toHaveLength(awkwardIds.length)
      expect((await all()).map(({ target }) => target)).toEqual(targets)
    })

    it('ends at what there was when it began, also while letters are kept and removed', async () => {
      const { bury, list, partitions } = await fixture()
      const target = addressIn(3, partitions)
      for (let n = 0; n < 5; n += 1) await bury(sampleEnvelope(target, n))

      const seen: unknown[] = []
      for await (const letter of list.list({})) {
        seen.push(numberIn(letter.content))
        await list.remove(letter.seq)
        await bury(sampleEnvelope(target, 10 + seen.length))
      }

      expect(seen).toEqual([0, 1, 2, 3, 4])
      expect(await collect(list.list({}))).toHaveLength(5)
    })

    it('answers nothing once the signal has aborted', async () => {
      const { bury, list, partitions } = await fixture()
      await bury(sampleEnvelope(addressIn(3, partitions)))
      const signal = AbortSignal.abort(new Error('enough'))

      await expect(collect(list.list({}, signal))).rejects.toThrow('enough')
      await expect(list.get(1, signal)).rejects.toThrow('enough')
      await expect(list.remove(1, signal)).rejects.toThrow('enough')
      expect(await collect(list.list({}))).toHaveLength(1)
    })
  })
}

function numberIn(content: { readonly envelope: Envelope } | { readonly malformed: Error }): unknown {
  if ('malformed' in content || content.envelope.type !== 'send') return undefined
  return content.envelope.event['number']
}
