import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { connectNats } from '../../src/nats/connection.ts'
import { testConnection } from '../contract/fixtures.ts'
import { until } from '../contract/until.ts'
import { ownServer } from '../support/nats.ts'
import { scratchDir } from '../support/processes.ts'
import { serverWithUsers, urlOf } from './accounts.ts'
import { bareServer } from './bare-server.ts'

/** The error that connecting ends with. */
async function failureOf(servers: string | readonly string[]): Promise<Error> {
  try {
    const connection = await connectNats({ clock: systemClock, servers, timeoutMs: 2_000 })
    await connection.close()
  } catch (error) {
    return error as Error
  }
  throw new Error('it connected')
}

describe('connectNats', () => {
  it('says which servers it cannot reach, without the credentials', async () => {
    const error = await failureOf(['nats://alice:s3cr@t@127.0.0.1:1', '127.0.0.1:2'])

    expect(error).toMatchObject({
      code: 'CONNECTION_FAILED',
      retryable: true,
      fields: { servers: ['nats://127.0.0.1:1', '127.0.0.1:2'] },
    })
    expect(error.message).toContain('nats://127.0.0.1:1, 127.0.0.1:2')
    expect(`${error.message}${JSON.stringify(error)}`).not.toMatch(/alice|s3cr/)
  })

  it('says that JetStream is off', async () => {
    const error = await failureOf(await bareServer())

    expect(error).toMatchObject({ code: 'JETSTREAM_DISABLED' })
    expect(error.message).toContain('-js')
  })

  it('says that JetStream is off for the account', async () => {
    const server = await serverWithUsers()

    expect(await failureOf(urlOf(server, 'plain'))).toMatchObject({ code: 'JETSTREAM_DISABLED' })
  })

  it('says that the credentials are refused', async () => {
    const server = await serverWithUsers()

    const error = await failureOf(urlOf(server, 'admin', 'wrong'))

    expect(error).toMatchObject({ code: 'PERMISSION_DENIED' })
    expect(error.message).not.toContain('wrong')
  })

  it('takes user and password from the URL, or as options', async () => {
    const server = await serverWithUsers({ publish: { deny: ['secret'] } })

    await using inUrl = await connectNats({ clock: systemClock, servers: urlOf(server, 'limited') })
    await using asOptions = await connectNats({
      clock: systemClock,
      servers: server.url,
      user: 'limited',
      pass: 'pass',
    })

    for (const connection of [inUrl, asOptions]) {
      await expect(connection.request('secret')).rejects.toMatchObject({ code: 'PERMISSIONS_VIOLATION' })
    }
  })

  it('connects as a user who may not ask about JetStream', async () => {
    const server = await serverWithUsers({ publish: { deny: ['$JS.API.INFO'] } })

    await using connection = await connectNats({ clock: systemClock, servers: urlOf(server, 'limited') })

    expect(connection.serverVersion).toBe(server.serverVersion)
  })

  it('comes back when the server does, and says so', async () => {
    const storeDir = await scratchDir()
    const first = await ownServer({ storeDir })
    const connection = await testConnection(first.url)
    let reconnections = 0
    connection.onReconnected(() => (reconnections += 1))

    first.kill('SIGKILL')
    await first.exited
    await ownServer({ storeDir, port: first.port })
    await until(() => reconnections > 0)

    await expect(connection.jsm.getAccountInfo()).resolves.toBeDefined()
    expect(reconnections).toBe(1)
  })

  it('closes once, tells who listens, and may be closed again', async () => {
    const connection = await testConnection()
    const errors: Error[] = []
    connection.onClosed(error => errors.push(error))

    await Promise.all([connection.close(), connection.close()])
    await connection.close()

    expect(errors).toMatchObject([{ code: 'STORE_UNAVAILABLE', retryable: false }])
  })

  it('closes although the server is gone', async () => {
    const server = await ownServer()
    const connection = await testConnection(server.url)
    let isClosed = false
    connection.onClosed(() => (isClosed = true))

    server.kill('SIGKILL')
    await server.exited
    await connection.close()

    expect(isClosed).toBe(true)
  })

  it('closes although the server does not answer', async () => {
    const server = await ownServer()
    const connection = await testConnection(server.url)

    server.kill('SIGSTOP')
    await connection.close()
    server.kill('SIGCONT')

    expect(connection.nc.isClosed()).toBe(true)
  })
})
