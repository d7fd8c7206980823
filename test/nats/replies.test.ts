import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/memory/clock.ts'
import { Replies } from '../../src/nats/replies.ts'
import { testConnection } from '../contract/fixtures.ts'

describe('Replies', () => {
  it('hands each answer to who waits for it', async () => {
    const connection = await testConnection()
    const replies = new Replies(connection)
    const [first, second] = [replies.expect(), replies.expect()]

    connection.send(second.subject, Uint8Array.of(2))
    connection.send(first.subject, Uint8Array.of(1))

    expect([...(await first.answer), ...(await second.answer)]).toEqual([1, 2])
  })

  it('takes the first of several answers', async () => {
    const connection = await testConnection()
    const { answer, subject } = new Replies(connection).expect()

    connection.send(subject, Uint8Array.of(1))
    connection.send(subject, Uint8Array.of(2))
    await connection.nc.flush()

    expect([...(await answer)]).toEqual([1])
  })

  it('gives up when the time is over, and keeps no timer otherwise', async () => {
    const clock = new ManualClock()
    const connection = await testConnection(undefined, { clock })
    const replies = new Replies(connection)
    const [late, answered, disposed] = [replies.expect(500), replies.expect(500), replies.expect(500)]
    disposed.dispose()
    connection.send(answered.subject, Uint8Array.of(1))
    await answered.answer

    const timers = clock.timerCount
    clock.advance(500)

    expect(timers).toBe(1)
    await expect(late.answer).rejects.toMatchObject({ code: 'TIMEOUT', fields: { timeoutMs: 500 } })
  })

  it('gives up when the signal aborts, and passes on why', async () => {
    const replies = new Replies(await testConnection())
    const stop = new AbortController()
    const reason = new Error('enough')
    const [waiting, tooLate] = [replies.expect(undefined, stop.signal), () => replies.expect(5, stop.signal)]

    stop.abort(reason)

    await expect(waiting.answer).rejects.toBe(reason)
    await expect(tooLate().answer).rejects.toBe(reason)
  })

  it('gives up when it is closed, or the connection is', async () => {
    const connection = await testConnection()
    const [closed, cut] = [new Replies(connection), new Replies(connection)]
    const [one, other] = [closed.expect(), cut.expect()]

    closed.close()
    await connection.close()

    const unavailable = { code: 'STORE_UNAVAILABLE' }
    await expect(one.answer).rejects.toMatchObject(unavailable)
    await expect(other.answer).rejects.toMatchObject(unavailable)
    await expect(cut.expect().answer).rejects.toMatchObject(unavailable)
  })
})
