import { describe, expect, it } from 'vitest'
import { decodeValue } from '../../src/codec/msgpack.ts'
import { NatsEventSink } from '../../src/nats/events.ts'
import { textOf } from '../../src/nats/record-headers.ts'
import { scanStream } from '../../src/nats/scan.ts'
import { natsFixture } from '../contract/fixtures.ts'

const address = { workflow: 'order', id: 'o.1 ż' }

describe('NatsEventSink', () => {
  it('keeps an event for other services, with who emitted it and as what', async () => {
    const { connection, namespace } = await natsFixture()
    const { allEvents, eventStream } = namespace.subjects
    const event = { type: 'ORDER\nSHIPPED', at: new Date(7), big: 2n ** 70n }

    await new NatsEventSink(connection, namespace).emit(address, 'order/o.1 ż#4', event)

    const found: unknown[] = []
    for await (const { msg } of scanStream(connection, eventStream, {
      filters: [allEvents],
      headersOnly: false,
    })) {
      const header = (name: string) => textOf(msg.headers!.get(name))
      found.push([
        msg.subject,
        decodeValue(msg.data),
        header('Hf-Effect'),
        header('Hf-Event'),
        header('Hf-Instance'),
        header('Content-Type'),
      ])
    }
    const subject = `hf.${namespace.name}.events.order.o=2E1=20=C5=BC`
    expect(found).toEqual([
      [subject, event, 'order/o.1 ż#4', 'ORDER\nSHIPPED', 'order/o.1 ż', 'application/msgpack'],
    ])
  })
})
