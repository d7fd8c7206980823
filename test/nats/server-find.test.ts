import { symlink } from 'node:fs/promises'
import { delimiter, join, relative } from 'node:path'
import { describe, expect, it, vi } from 'vitest'

import { isRuntimeError } from '../../actors/errors.ts'
import { findServer, PROVIDED_VERSION, type FailedSearch } from '../../src/nats/server.ts'
import { compareVersions, readVersion } from '../../src/nats/server/version.ts'
import { serverBinary } from '../support/nats.ts'
import { scratchDir, writeScript } from '../support/processes.ts'

/** Stands in for a nats-server where only its version matters. */
async function pretendServer(path: string, version: string): Promise<string> {
  return await writeScript(path, `echo "nats-server: v${version}"`)
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    value => ({ resolved: value }),
    (error: unknown) => error,
  )
}

describe('findServer', () => {
  it('takes the server on the PATH, through a symbolic link', async () => {
    const dir = await scratchDir()
    await symlink(serverBinary(), join(dir, 'nats-server'))

    const found = await findServer({ cacheDir: join(dir, 'cache'), provide: [], searchPath: dir })

    expect(found).toEqual({
      path: join(dir, 'nats-server'),
      source: 'path',
      version: await readVersion(serverBinary()),
    })
  })

  it('takes the binary given before the one on the PATH', async () => {
    const dir = await scratchDir()
    await pretendServer(join(dir, 'bin/nats-server'), '2.14.0')
    const given = await pretendServer(join(dir, 'mine'), '2.12.0')

    const found = await findServer({ path: given, searchPath: join(dir, 'bin') })

    expect(found).toEqual({ path: given, source: 'option', version: '2.12.0' })
  })

  it('takes the server on the PATH before one in the cache', async () => {
    const dir = await scratchDir()
    await pretendServer(join(dir, 'bin/nats-server'), '2.11.0')
    await pretendServer(join(dir, 'cache', PROVIDED_VERSION, 'nats-server'), PROVIDED_VERSION)

    const found = await findServer({
      cacheDir: join(dir, 'cache'),
      provide: [],
      searchPath: join(dir, 'bin'),
    })

    expect(found.source).toBe('path')
  })

  it('passes over a server on the PATH that is too old, and one that does not run, for the next one', async () => {
    const dir = await scratchDir()
    await pretendServer(join(dir, 'old/nats-server'), '2.9.9')
    await writeScript(join(dir, 'broken/nats-server'), 'exit 3')
    await pretendServer(join(dir, 'lowest/nats-server'), '2.9.10')
    const searchPath = ['old', 'broken', 'lowest'].map(name => join(dir, name)).join(delimiter)

    const found = await findServer({ cacheDir: join(dir, 'cache'), provide: [], searchPath })

    expect(found).toEqual({ path: join(dir, 'lowest/nats-server'), source: 'path', version: '2.9.10' })
  })

  it('passes over a relative folder on the PATH', async () => {
    const dir = await scratchDir()
    await pretendServer(join(dir, 'nats-server'), '2.15.1')

    const error = await failure(
      findServer({ cacheDir: join(dir, 'cache'), provide: [], searchPath: relative(process.cwd(), dir) }),
    )

    expect(isRuntimeError(error, 'SERVER_NOT_FOUND')).toBe(true)
  })

  it('takes from the cache the version it provides before any newer one', async () => {
    const dir = await scratchDir()
    await pretendServer(join(dir, '2.99.0/nats-server'), '2.99.0')
    await pretendServer(join(dir, PROVIDED_VERSION, 'nats-server'), PROVIDED_VERSION)

    const found = await findServer({ cacheDir: dir, searchPath: '' })

    expect(found).toEqual({
      path: join(dir, PROVIDED_VERSION, 'nats-server'),
      source: 'cache',
      version: PROVIDED_VERSION,
    })
  })

  it('asks for the release before it takes an older server from the cache', async () => {
    const dir = await scratchDir()
    const progress: string[] = []
    await pretendServer(join(dir, '2.9.10/nats-server'), '2.9.10')
    await pretendServer(join(dir, '2.10.27/nats-server'), '2.10.27')

    const found = await findServer({
      cacheDir: dir,
      onProgress: message => progress.push(message),
      releaseUrl: 'http://127.0.0.1:2/releases',
      searchPath: '',
    })

    expect(found).toMatchObject({ source: 'cache', version: '2.10.27' })
    expect(progress).toEqual([expect.stringContaining(`downloading nats-server ${PROVIDED_VERSION}`)])
  })

  it('leaves the environment variable to its callers', async () => {
    const dir = await scratchDir()
    vi.stubEnv('HOLDFAST_NATS_SERVER', serverBinary())

    const error = await failure(findServer({ cacheDir: dir, provide: [], searchPath: '' }))

    vi.unstubAllEnvs()
    expect(isRuntimeError(error, 'SERVER_NOT_FOUND')).toBe(true)
  })

  it('names the three ways out, and why every place failed, when there is none', async () => {
    const dir = await scratchDir()
    await pretendServer(join(dir, 'bin/nats-server'), '2.8.0')

    const error = await failure(
      findServer({
        cacheDir: join(dir, 'cache'),
        provide: ['release'],
        releaseUrl: 'http://127.0.0.1:2/releases',
        searchPath: join(dir, 'bin'),
      }),
    )

    if (!isRuntimeError(error, 'SERVER_NOT_FOUND')) throw error
    expect(error.message).toMatch(/on the PATH[^]*HOLDFAST_NATS_SERVER[^]*by its URL/)
    expect(error.fields['searches']).toEqual([
      { source: 'path', reason: `${join(dir, 'bin/nats-server')} is version 2.8.0, older than 2.9.10` },
      { source: 'release', reason: expect.stringMatching(/ECONNREFUSED/) },
    ] satisfies FailedSearch[])
  })

  it('does not look elsewhere when the binary given does not run', async () => {
    const error = await failure(findServer({ path: '/nowhere/nats-server' }))

    if (!isRuntimeError(error, 'SERVER_NOT_FOUND')) throw error
    expect(error.fields['searches']).toEqual([
      { source: 'option', reason: '/nowhere/nats-server is not installed' },
    ])
  })

  it('refuses a given binary that is too old', async () => {
    const dir = await scratchDir()
    const path = await pretendServer(join(dir, 'nats-server'), '2.9.9')

    const error = await failure(findServer({ path }))

    if (!isRuntimeError(error, 'SERVER_UNSUPPORTED')) throw error
    expect(error.fields).toEqual({ minimum: '2.9.10', path, version: '2.9.9' })
  })

  it('refuses a program that is no nats-server', async () => {
    const dir = await scratchDir()
    const path = await writeScript(join(dir, 'nats-server'), 'echo "redis 7.2.4"')

    const error = await failure(findServer({ path }))

    if (!isRuntimeError(error, 'SERVER_NOT_FOUND')) throw error
    expect(error.message).toContain('it calls itself "redis 7.2.4"')
  })

  it('rejects with the reason of the signal', async () => {
    const error = await failure(findServer({}, AbortSignal.abort('enough')))

    expect(error).toBe('enough')
  })
})

describe('compareVersions', () => {
  it('orders by number, not by letter', () => {
    const sorted = ['2.9.10', '2.10.0', '2.9.9', '2.15.1'].toSorted(compareVersions)

    expect(sorted).toEqual(['2.9.9', '2.9.10', '2.10.0', '2.15.1'])
  })

  it('takes a preview for its release', () => {
    expect(compareVersions('2.15.1-RC.2', '2.15.1')).toBe(0)
  })
})
