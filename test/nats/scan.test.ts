import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'

import { ManualClock } from '../../src/memory/clock.ts'
import { NatsDeadLetterList } from '../../src/nats/dead-letter-list.ts'
import { DeadLetters } from '../../src/nats/dead-letters.ts'
import { scanStream } from '../../src/nats/scan.ts'
import { NatsStore } from '../../src/nats/store.ts'
import { natsFixture, testConnection } from '../contract/fixtures.ts'
import { addressIn, createAll } from '../contract/samples.ts'
import { ownServer } from '../support/nats.ts'

it('a scan whose connection is closed as it begins leaves nothing behind that throws later', async () => {
  const { connection: other, namespace } = await natsFixture()
  await createAll(new NatsStore(other, namespace), [addressIn(1, namespace.partitions)])
  const clock = new ManualClock()
  const connection = await testConnection(undefined, { clock })
  const { recordStream, allRecords } = namespace.subjects
  // It is closed while the answer about the consumer is on its way to whoever has asked.
  const { nc } = connection
  const manager = nc.jetstreamManager.bind(nc)
  nc.jetstreamManager = async options => {
    const jsm = await manager(options)
    const add = jsm.consumers.add.bind(jsm.consumers)
    jsm.consumers.add = async (...args) => {
      const info = await add(...args)
      void connection.close()
      await Promise.resolve()
      return info
    }
    return jsm
  }
  const rows = scanStream(connection, recordStream, { filters: [allRecords], headersOnly: true })

  await expect(rows.next()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect(() => clock.advance(10_000)).not.toThrow()
})

it('lists large letters over a connection on which they take longer than a silence may', async () => {
  const server = await ownServer({ syncInterval: '1m' })
  const { connection, namespace } = await natsFixture({ url: server.url })
  const letters = new DeadLetters(connection, namespace)
  for (let seq = 1; seq <= 40; seq++) {
    const data = Buffer.alloc(700_000)
    await letters.keep({ code: 'ENVELOPE_MALFORMED', data, reason: '', seq, subject: 'x' })
  }
  const slow = await testConnection(await slowWireTo(server.port, 400_000))

  let count = 0
  for await (const _ of new NatsDeadLetterList(slow, namespace).list({})) count++

  expect(count).toBe(40)
}, 60_000)

/** A wire that carries so many bytes in a tenth of a second from the server. */
async function slowWireTo(port: number, bytesPerTenth: number): Promise<string> {
  const open = new Set<Socket>()
  const listener = createServer(client => {
    const server = connect(port, '127.0.0.1')
    open.add(client).add(server)
    for (const socket of [client, server]) socket.on('error', () => {})
    client.pipe(server)
    client.on('close', () => server.destroy())
    const carry = () => {
      const data = (server.read(bytesPerTenth) ?? server.read()) as Buffer | null
      if (data !== null) client.write(data)
    }
    const timer = setInterval(carry, 100)
    server.on('readable', () => {}).on('close', () => clearInterval(timer))
  })
  onTestFinished(() => {
    for (const socket of open) socket.destroy()
    listener.close()
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return `nats://127.0.0.1:${(listener.address() as AddressInfo).port}`
}
