import type { EventObject } from '../../actors/event.ts'
import { decodeValue } from '../../src/codec/msgpack.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryEventSink } from '../../src/memory/events.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { NatsEventSink } from '../../src/nats/events.ts'
import { describeEventSink } from './events.ts'
import { natsFixture } from './fixtures.ts'

describeEventSink('memory', async () => {
  const namespace = new MemoryNamespace({ clock: new ManualClock() })
  return {
    emitted: async () => namespace.events.map(({ event }) => event),
    sink: new MemoryEventSink(namespace),
  }
})

describeEventSink('NATS', async () => {
  const { connection, namespace } = await natsFixture()
  const { eventStream } = namespace.subjects
  return {
    emitted: async () => {
      const { last_seq: last } = (await connection.jsm.streams.info(eventStream)).state
      const events: EventObject[] = []
      for (let seq = 1; seq <= last; seq += 1) {
        const { data } = await connection.jsm.streams.getMessage(eventStream, { seq })
        events.push(decodeValue(data) as EventObject)
      }
      return events
    },
    sink: new NatsEventSink(connection, namespace),
  }
})
