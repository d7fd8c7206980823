import { describe, expect, it } from 'vitest'
import type { StoredMsg } from 'nats'
import { DeadLetters } from '../../src/nats/dead-letters.ts'
import { natsFixture } from '../contract/fixtures.ts'

async function fixture() {
  const { connection, namespace } = await natsFixture()
  const { deadLetterStream, inboxStream } = namespace.subjects
  const kept = async (): Promise<readonly StoredMsg[]> => {
    const { messages } = (await connection.jsm.streams.info(deadLetterStream)).state
    const seqs = Array.from({ length: messages }, (_, index) => index + 1)
    return Promise.all(seqs.map(seq => connection.jsm.streams.getMessage(deadLetterStream, { seq })))
  }
  return { connection, inboxStream, kept, letters: new DeadLetters(connection, namespace) }
}

const letter = {
  code: 'EVENT_INVALID',
  data: new TextEncoder().encode('as it came'),
  reason: 'the reason',
  seq: 7,
  subject: 'github.webhook.push',
}

describe('DeadLetters', () => {
  it('keeps a letter with what was wrong and where it came from', async () => {
    const { kept, letters } = await fixture()

    await letters.keep({ ...letter, stream: 'github_webhooks' })

    const [stored] = await kept()
    expect(stored!.string()).toBe('as it came')
    expect(
      ['Code', 'Reason', 'Seq', 'Stream', 'Subject'].map(name => stored!.header.get(`Hf-${name}`)),
    ).toEqual(['EVENT_INVALID', 'the reason', '7', 'github_webhooks', 'github.webhook.push'])
  })

  it('keeps the same place of a stream once, and the same place of another too', async () => {
    const { inboxStream, kept, letters } = await fixture()

    for (const stream of [undefined, 'github_webhooks', 'github_webhooks', undefined]) {
      await letters.keep({ ...letter, ...(stream !== undefined && { stream }) })
    }

    const streams = (await kept()).map(({ header }) => header.get('Hf-Stream'))
    expect(streams).toEqual([inboxStream, 'github_webhooks'])
  })

  it('keeps the reason alone when there is no room for both', async () => {
    const { connection, kept, letters } = await fixture()
    const data = new Uint8Array(connection.maxPayloadBytes)

    await letters.keep({ ...letter, data })

    const [stored] = await kept()
    expect(stored!.data).toHaveLength(0)
    expect(stored!.header.get('Hf-Reason')).toBe('the reason')
    expect(stored!.header.get('Hf-Size')).toBe(String(data.length))
  })
})
