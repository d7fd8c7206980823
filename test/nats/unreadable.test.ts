import { expect, it } from 'vitest'

import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { NatsInbox } from '../../src/nats/inbox.ts'
import { NatsInspection } from '../../src/nats/inspection.ts'
import { NatsSnapshots } from '../../src/nats/snapshots.ts'
import { natsFixture, testConnection } from '../contract/fixtures.ts'
import { HeardMessages, HeardRecords } from '../contract/heard.ts'
import { addressIn, sampleEnvelope } from '../contract/samples.ts'

/** What is thrown while the library reads a connection ends the reading of that connection. */

/** Headers of which the server takes any bytes, and the library throws when it reads them. */
function raw(text: string): { readonly headers: never } {
  return { headers: { encode: () => Buffer.from(text) } as never }
}

it.each([
  ['nothing', []],
  ['no object', [0xc0]],
  ['an array without its end', [0x92]],
  ['an object that asks nothing', [0x80]],
])('a node still hears the server when it is asked %s', async (_, bytes) => {
  const { connection, namespace } = await natsFixture()
  const stranger = await testConnection()
  await new NatsInspection(connection, namespace).answer('n-1', ({ depth }) => {
    if (depth === undefined) throw new Error('nothing was asked')
    return { depth } as never
  })

  stranger.nc.publish(namespace.subjects.question('n-1'), new Uint8Array(bytes))
  await stranger.nc.flush()

  await expect(connection.askApi('$JS.API.INFO', {})).resolves.toBeDefined()
})

it('who watches still hears the server after a commit whose headers nobody can read', async () => {
  const { connection, namespace } = await natsFixture()
  const stranger = await testConnection()
  const target = addressIn(3, namespace.partitions)
  await new NatsSnapshots(connection, namespace).watch(target, new HeardRecords())

  const subject = namespace.subjects.snapshot(3, target)
  stranger.nc.publish(subject, new Uint8Array([1]), raw('XXXXXXXX\r\nno name: 1\r\n\r\n'))
  await stranger.nc.flush()

  await expect(connection.askApi('$JS.API.INFO', {})).resolves.toBeDefined()
})

it('who reads a record that was removed with headers that the library refuses finds none', async () => {
  const { connection, namespace } = await natsFixture()
  const stranger = await testConnection()
  const target = addressIn(3, namespace.partitions)

  const subject = namespace.subjects.record(3, target)
  stranger.nc.publish(subject, new Uint8Array(0), raw('NATS/1.0\r\nGröße: 0\r\n\r\n'))
  await stranger.nc.flush()

  await expect(new NatsSnapshots(connection, namespace).get(target)).resolves.toBeUndefined()
})

/** An inbox that was sent an envelope with such headers. */
async function inboxSent(text: string) {
  const { connection, namespace } = await natsFixture()
  const stranger = await testConnection()
  const inbox = new NatsInbox(connection, namespace)
  const target = addressIn(3, namespace.partitions)
  const heard = new HeardMessages()
  await inbox.open(3, 1, heard)
  const data = encodeEnvelope(sampleEnvelope(target, 1))
  stranger.nc.publish(namespace.subjects.envelope(3, target), data, raw(text))
  await stranger.nc.flush()
  return { heard, inbox, target }
}

it('an envelope is delivered though its headers cannot be read', async () => {
  const { heard, inbox, target } = await inboxSent('NATS/1.0\r\nno name: 1\r\n')

  await inbox.publish(sampleEnvelope(target, 2))
  await heard.count(2)

  expect(heard.numbers).toEqual([1, 2])
})

it('an envelope can be parked whatever its headers, and keeps those that can be sent', async () => {
  const { heard } = await inboxSent('NATS/1.0\r\nGröße: 1\r\nno name: 2\r\nSize: 3\r\n\r\n')

  await heard.count(1)

  expect(heard.messages[0]!.wire.headers).toEqual([['Size', '3']])
})
