import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../actors/envelope.ts'
import type { Inbox } from '../../actors/ports.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { partitionOf } from '../../src/workflow/address.ts'
import { HeardMessages } from './heard.ts'
import { addressIn, awkwardIds, sampleEnvelope } from './samples.ts'
import { until } from './until.ts'

export interface KeptLetter {
  readonly code: string
  readonly data: Uint8Array
  readonly reason: string
  readonly seq: number
}

export interface InboxFixture {
  readonly inbox: Inbox
  readonly maxPayloadBytes: number
  readonly partitions: number
  readonly deadLetters: () => Promise<readonly KeptLetter[]>
  /** A subject to answer to, and what is answered there. */
  readonly expectReply: () => { readonly answer: Promise<Uint8Array>; readonly subject: string }
  /** Publishes any bytes to the partition of the target, as anyone who may write there can. */
  readonly publishForeign: (
    target: { readonly workflow: string; readonly id: string },
    bytes: Uint8Array,
  ) => Promise<void>
  /** How many envelopes are stored and not acknowledged. */
  readonly waiting: () => Promise<number>
}

/** What every Inbox must do. `makeFixture` answers one that holds nothing. */
export function describeInbox(name: string, makeFixture: () => Promise<InboxFixture>): void {
  describe(`Inbox: ${name}`, () => {
    it('delivers what was published before and after it was opened, in order', async () => {
      const { inbox, partitions } = await makeFixture()
      const target = addressIn(3, partitions)
      const heard = new HeardMessages()
      for (let n = 0; n < 20; n += 1) await inbox.publish(sampleEnvelope(target, n))

      await inbox.open(3, 1, heard)
      await heard.count(20)
      for (let n = 20; n < 40; n += 1) await inbox.publish(sampleEnvelope(target, n))
      await heard.count(40)

      expect(heard.numbers).toEqual(range(0, 40))
      expect(heard.seqs).toEqual(heard.seqs.toSorted((a, b) => a - b))
    })

    it('delivers to each instance what was sent to several under one id, and to each once', async () => {
      const { inbox, partitions } = await makeFixture()
      const [one, two] = [addressIn(3, partitions, 'one'), addressIn(3, partitions, 'two')]
      const heard = new HeardMessages()
      await inbox.open(3, 1, heard)
      for (const target of [one, two, one, two]) {
        await inbox.publish(sampleEnvelope(target, 1, { id: 'webhook-7' }))
      }
      await inbox.publish(sampleEnvelope(one, 2))
      await heard.count(3)

      const targets = heard.messages.map(({ content }) => 'envelope' in content && content.envelope.target)
      expect(targets).toEqual([one, two, one])
      expect(heard.numbers).toEqual([1, 1, 2])
    })

    it('delivers an envelope exactly as it was published', async () => {
      const { inbox, partitions } = await makeFixture()
      const target = addressIn(3, partitions)
      const heard = new HeardMessages()
      const envelope = sampleEnvelope(target, 1, {
        cause: 'order/o-9#4',
        event: { type: 'PAY', at: new Date(7), big: 2n ** 70n, text: 'ż🧾\r\n' },
      })

      await inbox.publish(envelope)
      await inbox.open(3, 1, heard)
      await heard.count(1)

      expect(heard.messages[0]!.content).toEqual({
        envelope,
        isBacklog: true,
        seq: expect.any(Number),
        replyTo: undefined,
      })
    })

    it('says which envelopes were there before it was opened, whoever has taken them', async () => {
      const { inbox, partitions } = await makeFixture()
      const target = addressIn(3, partitions)
      const publish = (number: number) => inbox.publish(sampleEnvelope(target, number))
      const heard = new HeardMessages()
      const next = new HeardMessages()
      await publish(0)
      await publish(1)
      await inbox.open(3, 1, heard)
      await publish(2)
      await heard.count(3)
      heard.messages[0]!.ack()
      await inbox.open(3, 2, next)
      await publish(3)
      await heard.end()
      // The acknowledgement may have come too late.
      await until(() => next.numbers.at(-1) === 3)

      const isBacklog = ({ messages }: HeardMessages) =>
        messages.map(({ content }) => (content as Delivery).isBacklog)
      expect(isBacklog(heard)).toEqual([true, true, false])
      expect(isBacklog(next).slice(-3)).toEqual([true, true, false])
    })

    it('delivers more than it holds unsettled at a time, as they are settled', async () => {
      const { inbox, partitions, waiting } = await makeFixture()
      const target = addressIn(3, partitions)
      const heard = new HeardMessages()
      await Promise.all(range(0, 300).map(n => inbox.publish(sampleEnvelope(target, n))))

      await inbox.open(3, 1, heard)
      await heard.count(256)
      await waiting()
      const atFirst = heard.messages.length
      for (let n = 0; n < 300; n += 1) {
        await heard.count(n + 1)
        heard.messages[n]!.ack()
      }
      await until(async () => (await waiting()) === 0)

      expect(atFirst).toBe(256)
      expect(heard.messages).toHaveLength(300)
    })

    it('delivers the envelopes of one partition only', async () => {
      const { inbox, partitions } = await makeFixture()
      const [third, fourth] = [new HeardMessages(), new HeardMessages()]
      await inbox.publish(sampleEnvelope(addressIn(3, partitions), 3))
      await inbox.publish(sampleEnvelope(addressIn(4, partitions), 4))

      await Promise.all([inbox.open(3, 1, third), inbox.open(4, 1, fourth)])
      await Promise.all([third.count(1), fourth.count(1)])

      expect([third.numbers, fourth.numbers]).toEqual([[3], [4]])
    })

    it('delivers to instances whatever their ids consist of', async () => {
      const { inbox, partitions } = await makeFixture()
      const heard = range(0, partitions).map(() => new HeardMessages())
      await Promise.all(heard.map((listener, partition) => inbox.open(partition, 1, listener)))

      const targets = awkwardIds.map(id => ({ workflow: 'order', id }))
      await Promise.all(targets.map((target, n) => inbox.publish(sampleEnvelope(target, n))))
      await until(() => heard.flatMap(each => each.messages).length >= targets.length)

      const wanted = targets.map((target, n) => [partitionOf(target, partitions), target.id, n])
      const found = heard.flatMap((each, partition) =>
        each.messages.map(({ content }) =>
          'malformed' in content
            ? [partition, content.malformed]
            : [
                partition,
                content.envelope.target.id,
                (content.envelope as { event?: { number?: unknown } }).event?.number,
              ],
        ),
      )
      expect(found.toSorted(byLast)).toEqual(wanted.toSorted(byLast))
    })

    it('delivers what is not acknowledged to the next term, in order, and nothing before the first of it', async () => {
      const { inbox, partitions, waiting } = await makeFixture()
      const target = addressIn(3, partitions)
      const [first, second] = [new HeardMessages(), new HeardMessages()]
      for (let n = 0; n < 10; n += 1) await inbox.publish(sampleEnvelope(target, n))
      await inbox.open(3, 1, first)
      await first.count(10)
      for (const n of [0, 1, 2, 5, 7]) first.messages[n]!.ack()
      await until(async () => (await waiting()) <= 7)

      await inbox.open(3, 2, second)
      await inbox.publish(sampleEnvelope(target, 10))
      await until(() => second.numbers.includes(10))

      expect(second.numbers.filter(n => n !== 5 && n !== 7)).toEqual([3, 4, 6, 8, 9, 10])
    })

    it('ends the earlier term, whose acknowledgements then mean nothing', async () => {
      const { inbox, partitions } = await makeFixture()
      const target = addressIn(3, partitions)
      const [first, second, third] = [new HeardMessages(), new HeardMessages(), new HeardMessages()]
      for (let n = 0; n < 3; n += 1) await inbox.publish(sampleEnvelope(target, n))
      await inbox.open(3, 1, first)
      await first.count(3)

      await inbox.open(3, 2, second)
      const error = await first.end()
      await second.count(3)
      for (const message of first.messages) message.ack()
      await inbox.publish(sampleEnvelope(target, 3))
      await second.count(4)
      await inbox.open(3, 3, third)
      await third.count(4)

      expect(error).toMatchObject({ code: 'REVISION_CONFLICT' })
      expect(first.messages).toHaveLength(3)
      expect(third.numbers).toEqual([0, 1, 2, 3])
    })

    it('refuses an earlier term and goes on with the later one', async () => {
      const { inbox, partitions } = await makeFixture()
      const target = addressIn(3, partitions)
      const [late, early] = [new HeardMessages(), new HeardMessages()]
      await inbox.open(3, 12, late)

      const opening = inbox.open(3, 9, early)

      await expect(opening).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })
      await inbox.publish(sampleEnvelope(target, 1))
      await late.count(1)
      expect(late.error).toBeUndefined()
      expect(early.messages).toEqual([])
    })

    it('lets the later of two terms win that begin at the same time', async () => {
      const { inbox, partitions } = await makeFixture()
      const heard = range(0, 4).map(() => new HeardMessages())

      const opened = await Promise.allSettled(
        [13, 11, 14, 12].map((term, n) => inbox.open(3, term, heard[n]!)),
      )
      await inbox.publish(sampleEnvelope(addressIn(3, partitions), 1))
      await heard[2]!.count(1)

      expect(opened[2]!.status).toBe('fulfilled')
      const others = [0, 1, 3].filter(n => opened[n]!.status === 'fulfilled')
      await Promise.all(others.map(n => heard[n]!.end()))
      expect(heard.map(each => each.numbers)).toEqual([[], [], [1], []])
    })

    it('opens a term anew: what is not acknowledged comes again', async () => {
      const { inbox, partitions } = await makeFixture()
      const target = addressIn(3, partitions)
      const [first, second] = [new HeardMessages(), new HeardMessages()]
      for (let n = 0; n < 3; n += 1) await inbox.publish(sampleEnvelope(target, n))
      const consumer = await inbox.open(3, 5, first)
      await first.count(3)
      await consumer.close()

      await inbox.open(3, 5, second)
      await second.count(3)

      expect(second.numbers).toEqual([0, 1, 2])
    })

    it('tells nothing more once closed, but still takes acknowledgements', async () => {
      const { inbox, partitions, waiting } = await makeFixture()
      const target = addressIn(3, partitions)
      const [first, second] = [new HeardMessages(), new HeardMessages()]
      await inbox.publish(sampleEnvelope(target, 0))
      const consumer = await inbox.open(3, 1, first)
      await first.count(1)

      await consumer.close()
      await inbox.publish(sampleEnvelope(target, 1))
      first.messages[0]!.ack()
      await until(async () => (await waiting()) === 1)
      await inbox.open(3, 2, second)
      await second.count(1)

      expect(first.numbers).toEqual([0])
      expect(first.error).toBeUndefined()
      expect(second.numbers).toEqual([1])
    })

    it('stores an envelope once however often it is published', async () => {
      const { inbox, partitions, waiting } = await makeFixture()
      const target = addressIn(3, partitions)
      const heard = new HeardMessages()
      const repeated = sampleEnvelope(target, 1, { id: 'ź\n once' })
      await Promise.all([inbox.publish(repeated), inbox.publish(repeated), inbox.publish(repeated)])
      await inbox.publish(sampleEnvelope(target, 2))
      await inbox.publish(repeated)

      await inbox.open(3, 1, heard)
      await heard.count(2)

      expect(heard.numbers).toEqual([1, 2])
      expect(await waiting()).toBe(2)
    })

    it('understands an envelope that somebody else wrote as JSON', async () => {
      const { inbox, partitions, publishForeign } = await makeFixture()
      const target = addressIn(3, partitions)
      const heard = new HeardMessages()
      const json = JSON.stringify({
        id: 'e-1',
        type: 'send',
        target,
        time: 5,
        event: { type: 'GO', number: 7 },
      })
      await publishForeign(target, new TextEncoder().encode(json))

      await inbox.open(3, 1, heard)
      await heard.count(1)

      expect(heard.numbers).toEqual([7])
    })

    it('says what is wrong with an envelope that cannot be understood, and keeps it as a dead letter', async () => {
      const { deadLetters, inbox, partitions, publishForeign, waiting } = await makeFixture()
      const target = addressIn(3, partitions)
      const heard = new HeardMessages()
      const bytes = new TextEncoder().encode('neither msgpack nor JSON')
      await publishForeign(target, bytes)
      await inbox.publish(sampleEnvelope(target, 1))
      await inbox.open(3, 1, heard)
      await heard.count(2)

      const { content } = heard.messages[0]!
      await heard.messages[0]!.deadLetter('ENVELOPE_MALFORMED', 'not\r\nan envelope: 100 %')
      await until(async () => (await waiting()) === 1)

      expect(content).toEqual({ malformed: expect.objectContaining({ code: 'ENVELOPE_MALFORMED' }), seq: 1 })
      expect(heard.numbers).toEqual([undefined, 1])
      expect(await deadLetters()).toEqual([
        { code: 'ENVELOPE_MALFORMED', data: bytes, reason: 'not\r\nan envelope: 100 %', seq: 1 },
      ])
    })

    it('takes an envelope for an instance elsewhere as malformed', async () => {
      const { inbox, partitions, publishForeign } = await makeFixture()
      const target = addressIn(3, partitions)
      const heard = new HeardMessages()
      await publishForeign(target, encodeEnvelope(sampleEnvelope(addressIn(4, partitions), 1)))

      await inbox.open(3, 1, heard)
      await heard.count(1)

      expect(heard.messages[0]!.content).toMatchObject({ malformed: { code: 'ENVELOPE_MALFORMED' } })
    })

    it('carries an answer to the sender that waits', async () => {
      const { expectReply, inbox, partitions } = await makeFixture()
      const target = addressIn(3, partitions)
      const heard = new HeardMessages()
      const { answer, subject } = expectReply()
      await inbox.publish(sampleEnvelope(target, 1), { replyTo: subject })
      await inbox.publish(sampleEnvelope(target, 2))
      await inbox.open(3, 1, heard)
      await heard.count(2)

      for (const message of heard.messages) message.reply(Uint8Array.of(1, 2, 3))

      expect([...(await answer)]).toEqual([1, 2, 3])
      expect(heard.messages[0]!.content).toMatchObject({ replyTo: subject })
    })

    it('stores an envelope again whose sender waits, and says where the first stands', async () => {
      const { expectReply, inbox, partitions } = await makeFixture()
      const target = addressIn(3, partitions)
      const heard = new HeardMessages()
      const envelope = sampleEnvelope(target, 1)
      const { answer, subject } = expectReply()
      await inbox.publish(sampleEnvelope(target, 0))
      await inbox.publish(envelope)
      await inbox.publish(envelope, { replyTo: subject })
      await inbox.publish(envelope)
      await inbox.publish(sampleEnvelope(target, 2))
      await inbox.open(3, 1, heard)
      await heard.count(4)

      const [, first, again] = heard.messages
      again!.reply(Uint8Array.of(1, 2, 3))

      expect(heard.numbers).toEqual([0, 1, 1, 2])
      expect(first!.content).toEqual({ envelope, isBacklog: true, seq: first!.content.seq })
      expect(again!.content).toMatchObject({ envelope, repeats: first!.content.seq, replyTo: subject })
      expect([...(await answer)]).toEqual([1, 2, 3])
    })

    it('refuses an envelope that is too large, with its size and the limit', async () => {
      const { inbox, maxPayloadBytes, partitions, waiting } = await makeFixture()
      const event = { type: 'BIG', text: 'x'.repeat(maxPayloadBytes) }

      const publishing = inbox.publish(sampleEnvelope(addressIn(3, partitions), 1, { event }))

      await expect(publishing).rejects.toMatchObject({
        code: 'PAYLOAD_TOO_LARGE',
        fields: { limitBytes: maxPayloadBytes, sizeBytes: expect.toSatisfy(size => size > maxPayloadBytes) },
      })
      expect(await waiting()).toBe(0)
    })

    it('publishes nothing when the signal has aborted, and passes on why', async () => {
      const { inbox, partitions, waiting } = await makeFixture()
      const reason = new Error('enough')

      const publishing = inbox.publish(sampleEnvelope(addressIn(3, partitions)), {
        signal: AbortSignal.abort(reason),
      })

      await expect(publishing).rejects.toBe(reason)
      expect(await waiting()).toBe(0)
    })
  })
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, n) => from + n)
}

function byLast(a: readonly unknown[], b: readonly unknown[]): number {
  return Number(a.at(-1)) - Number(b.at(-1))
}
