import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { connect, type NatsConnection } from 'nats'
import { describe, expect, it, onTestFinished } from 'vitest'

import { isRuntimeError, type RuntimeError } from '../../actors/errors.ts'
import { startServer, type NatsServer } from '../../src/nats/server.ts'
import { compareVersions, SYNC_INTERVAL_VERSION } from '../../src/nats/server/version.ts'
import { ownServer, serverBinary, serverVersion } from '../support/nats.ts'
import { isRunning, scratchDir, writeScript } from '../support/processes.ts'

async function client(server: NatsServer): Promise<NatsConnection> {
  const nc = await connect({ maxReconnectAttempts: 0, servers: server.url })
  onTestFinished(() => nc.close())
  return nc
}

async function store(server: NatsServer, ...values: string[]): Promise<void> {
  const nc = await client(server)
  const jsm = await nc.jetstreamManager()
  await jsm.streams.add({ name: 'kept', subjects: ['kept'] })
  for (const value of values) await nc.jetstream().publish('kept', value)
}

async function stored(server: NatsServer): Promise<string[]> {
  const nc = await client(server)
  const jsm = await nc.jetstreamManager()
  const { state } = await jsm.streams.info('kept')
  const seqs = Array.from({ length: state.last_seq }, (_, index) => index + 1)
  const messages = await Promise.all(seqs.map(seq => jsm.streams.getMessage('kept', { seq })))
  return messages.map(message => message.string())
}

async function startFailure(promise: Promise<NatsServer>): Promise<RuntimeError> {
  const error = await promise.then(
    server => server.stop().then(() => new Error('it started')),
    (thrown: unknown) => thrown,
  )
  if (!isRuntimeError(error, 'SERVER_START_FAILED')) throw error
  return error
}

/** Servers before 2.10 cannot be told when to sync. */
const syncs = compareVersions(serverVersion(), SYNC_INTERVAL_VERSION) >= 0

async function varz(server: NatsServer): Promise<Record<string, unknown>> {
  const response = await fetch(`${server.monitoringUrl}/varz`)
  return (await response.json()) as Record<string, unknown>
}

describe('startServer', () => {
  it('resolves when JetStream answers, with the version the server reports', async () => {
    const server = await ownServer()

    const nc = await client(server)
    const account = await (await nc.jetstreamManager()).getAccountInfo()

    expect(account.streams).toBe(0)
    expect(server.serverVersion).toBe(nc.info?.version)
    expect(server.serverVersion).toMatch(/^2\.\d+\.\d+/)
  })

  it('answers on the loopback address only', async () => {
    const server = await ownServer()
    const outside = Object.values(networkInterfaces())
      .flatMap(addresses => addresses ?? [])
      .filter(({ family, internal }) => family === 'IPv4' && !internal)

    const answers = await Promise.all(
      ['127.0.0.1', ...outside.map(({ address }) => address)].map(
        host =>
          new Promise(resolve => {
            const socket = createConnection(server.port, host)
            socket.once('connect', () => resolve('open')).once('error', () => resolve('closed'))
            onTestFinished(() => void socket.destroy())
          }),
      ),
    )

    expect(answers).toEqual(['open', ...outside.map(() => 'closed')])
  })

  it('runs under the name given, with the payload limit as the server has it', async () => {
    const server = await ownServer({ monitoringPort: -1, serverName: 'alone' })

    expect(await varz(server)).toMatchObject({
      host: '127.0.0.1',
      jetstream: { config: { store_dir: join(server.storeDir, 'jetstream') } },
      max_payload: 1_048_576,
      server_name: 'alone',
    })
  })

  it.runIf(syncs)('syncs every write by default', async () => {
    const server = await ownServer({ monitoringPort: -1 })

    expect(await varz(server)).toMatchObject({ jetstream: { config: { sync_always: true } } })
    expect(server.syncInterval).toBe('always')
  })

  it.runIf(syncs)('syncs as rarely as it is told to', async () => {
    const server = await ownServer({ monitoringPort: -1, syncInterval: '90s' })

    const { jetstream } = await varz(server)

    expect(jetstream).toMatchObject({ config: { sync_interval: 90_000_000_000 } })
    expect(jetstream).not.toMatchObject({ config: { sync_always: true } })
    expect(server.syncInterval).toBe('90s')
  })

  it('tells a server before 2.10 nothing about syncing, and tells its caller so', async () => {
    const progress: string[] = []
    const path = await writeScript(
      join(await scratchDir(), 'nats-server'),
      `[ "$1" = --version ] && { echo "nats-server: v2.9.25"; exit; }\nexec '${serverBinary()}' "$@"`,
    )

    const server = await ownServer({ onProgress: message => progress.push(message), path })

    expect(await readFile(join(server.storeDir, 'nats-server.conf'), 'utf8')).not.toContain('sync_interval')
    expect(server.syncInterval).toBeUndefined()
    expect(progress).toEqual([
      expect.stringContaining('nats-server 2.9.25 cannot be told to sync every write'),
    ])
  })

  it('opens no monitoring port unless asked', async () => {
    const server = await ownServer()

    const log = await readFile(server.logFile, 'utf8')

    expect(server.monitoringUrl).toBeUndefined()
    expect(log).toContain('Server is ready')
    expect(log).not.toContain('monitor')
  })

  it('lets lines of the caller win over its own', async () => {
    const server = await ownServer({ extraConfig: 'max_payload: 4096', monitoringPort: -1 })

    expect(await varz(server)).toMatchObject({ max_payload: 4096 })
  })

  it('is ready with a server whose clients must authenticate', async () => {
    const server = await ownServer({ extraConfig: 'authorization { token: "open sesame" }' })

    const nc = await connect({ servers: server.url, token: 'open sesame' })
    onTestFinished(() => nc.close())

    expect((await (await nc.jetstreamManager()).getAccountInfo()).streams).toBe(0)
  })

  it.runIf(process.platform === 'linux')('gives the server nothing of our environment', async () => {
    const server = await ownServer()

    const environment = await readFile(`/proc/${server.pid}/environ`, 'utf8')
    const names = environment.split('\0').map(line => line.split('=')[0] ?? '')

    // What the shell sets by itself, according to which shell it is.
    expect(names.filter(name => !['', 'OLDPWD', 'PWD', 'SHLVL', '_'].includes(name))).toEqual([])
  })

  it('gives ten servers started at once ten ports', async () => {
    const servers = await Promise.all(Array.from({ length: 10 }, () => ownServer()))

    expect(new Set(servers.map(({ port }) => port)).size).toBe(10)
    expect(new Set(servers.map(({ storeDir }) => storeDir)).size).toBe(10)
  })

  it('says why a server ended early, with the last lines of its log', async () => {
    const error = await startFailure(ownServer({ extraConfig: 'nonsense: 1' }))

    expect(error.fields).toMatchObject({ exitCode: 1, reason: 'it ended with code 1' })
    expect(error.fields['log']).toEqual([expect.stringContaining('unknown field "nonsense"')])
    expect(existsSync(String(error.fields['storeDir']))).toBe(false)
  })

  it('says so when its port is taken', async () => {
    const other = await ownServer()

    const error = await startFailure(ownServer({ port: other.port }))

    const [first, cause, hint, ...more] = error.message.split('\n')
    expect(first).toContain('did not start')
    expect(cause).toContain('address already in use')
    expect(hint).toBe(`  port ${other.port} is taken: choose another, or none, and it takes a free one`)
    expect(more).toEqual([])
  })

  it('quotes the lines of this start only', async () => {
    const storeDir = await scratchDir()
    await startFailure(ownServer({ extraConfig: 'nonsense: 1', storeDir }))

    const error = await startFailure(ownServer({ extraConfig: 'gibberish: 1', storeDir }))

    expect(error.fields['log']).toEqual([expect.stringContaining('unknown field "gibberish"')])
  })

  it('takes no server for ready whose JetStream does not answer', async () => {
    const error = await startFailure(ownServer({ extraConfig: 'jetstream: disabled', startTimeoutMs: 300 }))

    expect(error.fields['reason']).toBe('it was not ready for 300 ms')
    expect(error.message).toContain('Server is ready')
  })

  it('gives up on a server that does not get ready', async () => {
    const dir = await scratchDir()
    const path = await writeScript(
      join(dir, 'nats-server'),
      '[ "$1" = --version ] && { echo "nats-server: v2.15.1"; exit; }\necho "pid $$"\nexec sleep 60',
    )

    const error = await startFailure(startServer({ path, startTimeoutMs: 300 }))

    expect(error.fields['reason']).toBe('it was not ready for 300 ms')
    const [line] = error.fields['log'] as string[]
    expect(isRunning(Number(line?.replace('pid ', '')))).toBe(false)
  })

  it('names everything that is wrong with its options at once', async () => {
    const starting = startServer({ port: 70_000, serverName: 'two words', syncInterval: 'often' })

    await expect(starting).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      fields: {
        problems: [
          'port must be -1 or 1 to 65535, not 70000',
          'serverName must be 1 to 256 characters without spaces',
          "syncInterval must be 'always' or a length like '500ms', '2m', not 'often'",
        ],
      },
    })
  })
})

describe('a store', () => {
  it('is kept over a clean stop', async () => {
    const storeDir = await scratchDir()
    const first = await ownServer({ storeDir })
    await store(first, 'one', 'two')
    await first.stop()

    const second = await ownServer({ storeDir })

    expect(await stored(second)).toEqual(['one', 'two'])
  })

  it('is kept over kill -9, and the server comes back on its port', async () => {
    const storeDir = await scratchDir()
    const first = await ownServer({ storeDir })
    await store(first, 'one', 'two')
    first.kill('SIGKILL')
    const exit = await first.exited

    const second = await ownServer({ port: first.port, storeDir })

    expect(exit).toEqual({ code: null, signal: 'SIGKILL' })
    expect(second.url).toBe(first.url)
    expect(await stored(second)).toEqual(['one', 'two'])
  })

  it('has one server at a time', async () => {
    const first = await ownServer({ storeDir: await scratchDir() })

    const error = await startFailure(ownServer({ startTimeoutMs: 300, storeDir: first.storeDir }))

    expect(error.fields['reason']).toBe(`process ${first.pid} uses its store and did not end for 300 ms`)
    expect((await client(first)).isClosed()).toBe(false)
  })

  it('is handed to the next server as soon as the one before has left', async () => {
    const storeDir = await scratchDir()
    const first = await ownServer({ storeDir })
    await store(first, 'one')
    const starting = ownServer({ storeDir })
    await first.stop()

    const second = await starting

    expect(await stored(second)).toEqual(['one'])
  })

  it('is left alone when the start is aborted while waiting for it', async () => {
    const first = await ownServer({ storeDir: await scratchDir() })
    const controller = new AbortController()
    const starting = startServer({ path: serverBinary(), storeDir: first.storeDir }, controller.signal)
    controller.abort('never mind')

    await expect(starting).rejects.toBe('never mind')

    expect(isRunning(first.pid)).toBe(true)
    expect(await readFile(join(first.storeDir, 'nats-server.pid'), 'utf8')).toBe(`${first.pid}\n`)
  })
})

describe('stop', () => {
  it('ends the server cleanly and removes a temporary store', async () => {
    const server = await ownServer()

    await server.stop()

    // Some versions end with 0, some with 1, when they are asked to.
    expect((await server.exited).signal).toBeNull()
    expect(isRunning(server.pid)).toBe(false)
    expect(existsSync(server.storeDir)).toBe(false)
  })

  it('leaves in a store of the caller its configuration and log, and nothing of an earlier crash', async () => {
    const storeDir = await scratchDir()
    const crashed = await ownServer({ storeDir })
    crashed.kill('SIGKILL')
    await crashed.exited
    const server = await ownServer({ storeDir })

    await server.stop()

    expect((await readdir(storeDir)).toSorted()).toEqual(['jetstream', 'nats-server.conf', 'nats-server.log'])
  })

  it('may be called twice, at once and after a crash', async () => {
    const server = await ownServer()
    await Promise.all([server.stop(), server.stop()])
    const crashed = await ownServer()
    crashed.kill('SIGKILL')
    await crashed.exited

    await crashed.stop()

    expect(existsSync(crashed.storeDir)).toBe(false)
  })

  it('kills a server that does not end in time', async () => {
    const server = await ownServer({ stopTimeoutMs: 100 })
    server.kill('SIGSTOP')

    await server.stop()

    expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' })
  })

  it('is called at the end of the block that owns the server', async () => {
    let pid = 0
    {
      await using server = await startServer({ path: serverBinary() })
      pid = server.pid
      expect(isRunning(pid)).toBe(true)
    }

    expect(isRunning(pid)).toBe(false)
  })
})
