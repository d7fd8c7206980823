import type { JsMsg, Msg } from 'nats'
import { describe, expect, it } from 'vitest'
import { Headers, headersIn, ReceivedHeaders } from '../../src/nats/headers.ts'
import { natsFixture, testConnection } from '../contract/fixtures.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'

const values = { A: 'one', 'Hf-State': 'paying|ż 🧾', 'Hf-Empty': '', 'Hf-Due': '12: 30' }

/** The message as it comes back from the server, on a subject and with a reply of more than ASCII. */
async function sentAndReceived(headers: Headers | undefined, payload = new Uint8Array()): Promise<Msg> {
  const { nc } = await testConnection(sharedServerUrl())
  const subject = `${freshNamespace()}.ż`
  const received = new Promise<Msg>(resolve => {
    nc.subscribe(subject, { callback: (_, msg) => resolve(msg) })
  })
  nc.publish(subject, payload, headers && { headers: headers.forLibrary, reply: 'reply.ż' })
  return await received
}

function read(msg: JsMsg | Msg): Record<string, string> {
  return Object.fromEntries([...headersIn(msg)!].map(([name, [value]]) => [name, value!]))
}

describe('headers', () => {
  it.each([0, 1, 100_000])('come as they were sent, with a payload of %i bytes', async size => {
    const payload = new Uint8Array(size).fill(7)

    const msg = await sentAndReceived(Headers.of(values), payload)

    expect(headersIn(msg)).toBeInstanceOf(ReceivedHeaders)
    expect(read(msg)).toEqual(values)
    for (const [name, value] of Object.entries(values)) expect(headersIn(msg)!.get(name)).toBe(value)
    expect(Buffer.compare(msg.data, payload)).toBe(0)
  })

  it('are the same to the library', async () => {
    const msg = await sentAndReceived(Headers.of(values))

    expect([...msg.headers!].map(([name, [value]]) => [name, value])).toEqual(Object.entries(values))
  })

  it('come as they were sent with a message of JetStream', async () => {
    const { connection, namespace } = await natsFixture()
    const { event, eventStream } = namespace.subjects
    const headers = Headers.of(values)
    await connection.publish(event({ workflow: 'order', id: 'o-1' }), new Uint8Array(3), { headers })

    const msg = await (await connection.nc.jetstream().consumers.get(eventStream)).next()

    expect(headersIn(msg!)).toBeInstanceOf(ReceivedHeaders)
    expect(read(msg!)).toEqual(values)
  })

  it('are not there when none were sent', async () => {
    expect(headersIn(await sentAndReceived(undefined, new Uint8Array(3)))).toBeUndefined()
  })

  it('are as the library reads them where its messages do not tell their size', async () => {
    const msg = await sentAndReceived(Headers.of(values))
    const { data, headers, subject } = msg
    const bare = { data, headers, subject, sid: 0 } as unknown as Msg

    expect(headersIn(bare)).toBe(headers)
  })

  it('are found by their whole name alone, and not inside of values', () => {
    const headers = new ReceivedHeaders(
      'NATS/1.0\r\nXHf-Due: 1\r\nHf-Due-X: 2\r\nA: Hf-Due: 3\r\nHf-Due:4\r\n\r\n',
    )

    expect(headers.get('Hf-Due')).toBe('4')
    expect(headers.get('Hf')).toBe('')
  })

  it('tell the first value, or the last, of a name that comes twice', () => {
    const twice = Headers.of({ A: '1' }).with({ A: '2' })
    const headers = new ReceivedHeaders(new TextDecoder().decode(twice.encode()))

    expect([headers.get('A'), headers.last('A')]).toEqual(['1', '2'])
  })

  it('say what the server answers', () => {
    const refused = new ReceivedHeaders('NATS/1.0 404 Message Not Found\r\n\r\n')
    const plain = new ReceivedHeaders('NATS/1.0\r\nA: 404\r\n\r\n')

    expect([refused.code, refused.description]).toEqual([404, 'Message Not Found'])
    expect([plain.code, plain.description]).toEqual([0, ''])
  })

  it('are refused when a value has more than one line', () => {
    expect(() => Headers.of({ A: 'x\r\nNats-Msg-Id: y' })).toThrow(/header A must be one line/)
    expect(() => Headers.of({}).withAll([['A', 'x\ny']])).toThrow(/one line/)
  })

  it('know their size on the wire', () => {
    const headers = Headers.of(values).with({ more: 'x' })

    expect(headers.sizeBytes).toBe(headers.encode().length)
  })
})
