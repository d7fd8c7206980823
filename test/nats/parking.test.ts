import { describe, expect, it } from 'vitest'
import { NatsInbox } from '../../src/nats/inbox.ts'
import { NatsParking } from '../../src/nats/parking.ts'
import { Replies } from '../../src/nats/replies.ts'
import { natsFixture } from '../contract/fixtures.ts'
import { HeardMessages } from '../contract/heard.ts'
import { addressIn, sampleEnvelope } from '../contract/samples.ts'

describe('parking', () => {
  it('takes the largest envelope that the inbox takes', async () => {
    const { connection, namespace } = await natsFixture()
    const inbox = new NatsInbox(connection, namespace)
    const parking = new NatsParking(connection, namespace)
    const target = addressIn(3, namespace.partitions)
    const heard = new HeardMessages()
    await inbox.open(3, 1, heard)
    const publish = (bytes: number) =>
      inbox.publish(sampleEnvelope(target, 1, { event: { type: 'BIG', text: 'x'.repeat(bytes) } }))

    let [fits, tooMany] = [connection.maxPayloadBytes - 2_000, connection.maxPayloadBytes]
    while (tooMany - fits > 1) {
      const bytes = Math.floor((fits + tooMany) / 2)
      const isTaken = await publish(bytes).then(
        () => true,
        () => false,
      )
      if (isTaken) fits = bytes
      else tooMany = bytes
    }
    await heard.count(2)
    const largest = heard.messages.at(-1)!
    await parking.park(target, [largest], 0)

    const [parked] = await parking.read(target, 0, 1)
    expect(parked!.content).toEqual({ ...largest.content, isBacklog: undefined })
  })

  it('keeps the headers of an envelope, save those that told the server what to do', async () => {
    const { connection, namespace } = await natsFixture()
    const inbox = new NatsInbox(connection, namespace)
    const parking = new NatsParking(connection, namespace)
    const target = addressIn(3, namespace.partitions)
    const heard = new HeardMessages()
    const { subject } = new Replies(connection).expect()
    await inbox.publish(sampleEnvelope(target, 1), { replyTo: subject })
    await inbox.open(3, 1, heard)
    await heard.count(1)

    // Parked, removed and parked again within the time in which a stream knows ids.
    await parking.park(target, heard.messages, 0)
    const [first] = await parking.read(target, 0, 1)
    first!.ack()
    await expect.poll(() => parking.last(target)).toBeUndefined()
    await parking.park(target, heard.messages, 0)
    const stored = await connection.jsm.streams.getMessage(namespace.subjects.parkedStream, {
      last_by_subj: namespace.subjects.parked(3, target),
    })

    expect([...stored.header.keys()].toSorted()).toEqual([
      'Hf-Inbox-Seq',
      'Hf-Reply',
      'Nats-Expected-Last-Subject-Sequence',
    ])
  })

  it('buries each of several that have no place in the inbox', async () => {
    const { connection, namespace } = await natsFixture()
    const parking = new NatsParking(connection, namespace)
    const target = addressIn(3, namespace.partitions)
    for (const text of ['one', 'two']) {
      await connection.publish(namespace.subjects.parked(3, target), Buffer.from(text))
    }

    for (const message of await parking.read(target, 0, 10))
      await message.deadLetter('ENVELOPE_MALFORMED', '')

    const { state } = await connection.jsm.streams.info(namespace.subjects.deadLetterStream)
    expect(state.messages).toBe(2)
  })
})
