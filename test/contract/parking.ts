import { describe, expect, it } from 'vitest'
import type { InboxMessage, ParkedMessage, Parking } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import type { KeptLetter } from './inbox.ts'
import { addressIn, awkwardIds, sampleEnvelope } from './samples.ts'
import { until } from './until.ts'

export interface ParkingFixture {
  /** Two views of the same parked envelopes, of which there are none. */
  readonly views: readonly [Parking, Parking]
  readonly maxPayloadBytes: number
  readonly partitions: number
  readonly deadLetters: () => Promise<readonly KeptLetter[]>
  /** A subject to answer to, and what is answered there. */
  readonly expectReply: () => { readonly answer: Promise<Uint8Array>; readonly subject: string }
}

/** An envelope as the inbox would deliver it. */
function delivered(
  target: Address,
  number: number,
  over: { text?: string; repeats?: number; replyTo?: string } = {},
): InboxMessage {
  const { repeats, replyTo, text } = over
  const event = { type: 'COUNT', number, ...(text !== undefined && { text }) }
  const envelope = sampleEnvelope(target, number, { event })
  const unused = () => {
    throw new Error('it is only parked')
  }
  return {
    content: { envelope, seq: number, repeats, replyTo },
    wire: {
      data: encodeEnvelope(envelope),
      headers: [
        ...(replyTo === undefined ? [] : [['Hf-Reply', replyTo] as const]),
        ...(repeats === undefined ? [] : [['Hf-Repeats', String(repeats)] as const]),
      ],
    },
    ack: unused,
    working: unused,
    reply: unused,
    deadLetter: unused,
  }
}

function seqsOf(messages: readonly ParkedMessage[]): readonly number[] {
  return messages.map(({ content }) => content.seq)
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, n) => from + n)
}

/** What every Parking must do. */
export function describeParking(name: string, makeFixture: () => Promise<ParkingFixture>): void {
  describe(`Parking: ${name}`, () => {
    it('gives back what was parked, in order, as it came, with its place in the inbox', async () => {
      const { partitions, views } = await makeFixture()
      const [parking, other] = views
      const target = addressIn(3, partitions)
      const messages = [7, 9, 30].map(seq => delivered(target, seq))

      const last = await parking.park(target, messages, 0)
      const found = await other.read(target, 0, 10)

      expect(found.map(({ content }) => content)).toEqual(messages.map(({ content }) => content))
      expect(found.map(({ wire }) => Buffer.from(wire.data))).toEqual(
        messages.map(({ wire }) => Buffer.from(wire.data)),
      )
      expect(found.at(-1)!.position).toBe(last)
      expect(await other.last(target)).toEqual({ position: last, seq: 30 })
    })

    it('has nothing where nothing is parked', async () => {
      const { partitions, views } = await makeFixture()
      const [parking] = views
      const target = addressIn(3, partitions)

      expect(await parking.last(target)).toBeUndefined()
      expect(await parking.read(target, 0, 10)).toEqual([])
      expect(await parking.instances(3)).toEqual([])
    })

    it('parks many behind what is parked, and reads them some at a time', async () => {
      const { partitions, views } = await makeFixture()
      const [parking] = views
      const target = addressIn(3, partitions)
      const neighbour = addressIn(3, partitions, 'other')

      let last = await parking.park(
        target,
        range(1, 4).map(n => delivered(target, n)),
        0,
      )
      await parking.park(neighbour, [delivered(neighbour, 4)], 0)
      last = await parking.park(
        target,
        range(5, 605).map(n => delivered(target, n)),
        last,
      )
      await parking.park(neighbour, [delivered(neighbour, 605)], (await parking.last(neighbour))!.position)
      await parking.park(target, [delivered(target, 606)], last)

      const read: number[] = []
      let after = 0
      for (;;) {
        const some = await parking.read(target, after, 100)
        if (some.length === 0) break
        expect(some.length).toBeLessThanOrEqual(100)
        read.push(...seqsOf(some))
        after = some.at(-1)!.position
      }
      expect(read).toEqual([...range(1, 4), ...range(5, 605), 606])
      expect(seqsOf(await parking.read(neighbour, 0, 100))).toEqual([4, 605])
    })

    it.each([1, 40])('refuses %i behind another than the one parked last, and parks none', async count => {
      const { partitions, views } = await makeFixture()
      const [parking, other] = views
      const target = addressIn(3, partitions)
      const first = await parking.park(target, [delivered(target, 1)], 0)
      const second = await parking.park(target, [delivered(target, 2)], first)
      const late = range(2, 2 + count).map(n => delivered(target, n))

      await expect(other.park(target, late, 0)).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })
      await expect(other.park(target, late, first)).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })

      expect(seqsOf(await parking.read(target, 0, 100))).toEqual([1, 2])
      await other.park(target, [delivered(target, 3)], second)
      expect(seqsOf(await parking.read(target, 0, 100))).toEqual([1, 2, 3])
    })

    it('lets one of many win that park at the same time', async () => {
      const { partitions, views } = await makeFixture()
      const target = addressIn(3, partitions)

      const parked = await Promise.allSettled(
        range(0, 10).map(n =>
          views[n % 2]!.park(
            target,
            range(1, n % 3 === 0 ? 2 : 20).map(seq => delivered(target, seq)),
            0,
          ),
        ),
      )

      expect(parked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const seqs = seqsOf(await views[0].read(target, 0, 300))
      expect(seqs).toEqual(range(1, 1 + seqs.length))
    })

    it('removes what is settled, and nothing else', async () => {
      const { partitions, views } = await makeFixture()
      const [parking, other] = views
      const target = addressIn(3, partitions)
      await parking.park(
        target,
        range(1, 6).map(n => delivered(target, n)),
        0,
      )
      const found = await parking.read(target, 0, 10)

      for (const index of [0, 1, 3]) found[index]!.ack()
      await until(async () => (await other.read(target, 0, 10)).length === 2)
      expect(seqsOf(await other.read(target, 0, 10))).toEqual([3, 5])
      expect(seqsOf(await other.read(target, found[2]!.position, 10))).toEqual([5])

      for (const message of found) message.ack()
      await until(async () => (await other.last(target)) === undefined)
      expect(await other.instances(3)).toEqual([])
      await other.park(target, [delivered(target, 6)], 0)
      expect(seqsOf(await other.read(target, 0, 10))).toEqual([6])
    })

    it('tells of which instances of a partition anything is parked, whatever their ids consist of', async () => {
      const { partitions, views } = await makeFixture()
      const [parking, other] = views
      const addresses = awkwardIds.map(id => ({ workflow: 'order', id }))

      await Promise.all(addresses.map((address, n) => parking.park(address, [delivered(address, n + 1)], 0)))

      const found = await Promise.all(range(0, partitions).map(partition => other.instances(partition)))
      expect(
        found
          .flat()
          .map(({ id }) => id)
          .toSorted(),
      ).toEqual(awkwardIds.toSorted())
      for (const [n, address] of addresses.entries()) {
        expect(seqsOf(await other.read(address, 0, 10))).toEqual([n + 1])
      }
    })

    it('carries an answer to the sender that waits, also to one that has sent it again', async () => {
      const { expectReply, partitions, views } = await makeFixture()
      const target = addressIn(3, partitions)
      const { answer, subject } = expectReply()
      await views[0].park(target, [delivered(target, 5, { repeats: 3, replyTo: subject })], 0)

      const [message] = await views[1].read(target, 0, 1)
      message!.reply(Uint8Array.of(1, 2, 3))

      expect(message!.content).toMatchObject({ repeats: 3, replyTo: subject, seq: 5 })
      expect([...(await answer)]).toEqual([1, 2, 3])
    })

    it('keeps as a dead letter what nobody can take, as if it came from the inbox', async () => {
      const { deadLetters, partitions, views } = await makeFixture()
      const target = addressIn(3, partitions)
      const parked = delivered(target, 17)
      await views[0].park(target, [parked, delivered(target, 18)], 0)
      const [message] = await views[0].read(target, 0, 1)

      await message!.deadLetter('EVENT_INVALID', 'because')
      await until(async () => (await views[1].read(target, 0, 10)).length === 1)

      expect(await deadLetters()).toEqual([
        { code: 'EVENT_INVALID', data: new Uint8Array(parked.wire.data), reason: 'because', seq: 17 },
      ])
    })

    it('refuses what is too large, and parks what comes before it', async () => {
      const { maxPayloadBytes, partitions, views } = await makeFixture()
      const target = addressIn(3, partitions)
      const large = delivered(target, 2, { text: 'x'.repeat(maxPayloadBytes) })

      const parking = views[0].park(target, [delivered(target, 1), large], 0)

      await expect(parking).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
      const { position } = (await views[0].last(target))!
      expect(seqsOf(await views[0].read(target, 0, 10))).toEqual([1])
      await expect(views[0].park(target, [large], position)).rejects.toMatchObject({
        code: 'PAYLOAD_TOO_LARGE',
      })
    })
  })
}
