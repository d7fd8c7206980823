/** A PostgreSQL of our own, from the programs on this machine, with its default durability. */
import { execFile, execFileSync } from 'node:child_process'
import { chown } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { Absent } from '../contest/contestant.ts'
import { readerOf, type DiaryReader } from '../contest/diary.ts'
import { findProgram } from './find-program.ts'
import { freePorts, ServerProcess, temporaryFolder } from './server-process.ts'

const run = promisify(execFile)

export interface Postgres extends AsyncDisposable {
  /** Kills it and starts it again; resolves when it serves. */
  crash(): Promise<void>
  /** Beside its data. */
  readonly diary: DiaryReader
  /** Of a database for whoever must not meet the first. */
  readonly otherUrl: string
  readonly pid: number
  readonly settings: Readonly<Record<string, string>>
  readonly url: string
  readonly version: string
}

const settings = { fsync: 'on', synchronous_commit: 'on', max_connections: '100' }

/** @throws Absent when there is no PostgreSQL on this machine */
export async function startPostgres(): Promise<Postgres> {
  const initdb = await findProgram('initdb', '/usr/lib/postgresql/*/bin')
  const postgres = await findProgram('postgres', '/usr/lib/postgresql/*/bin')
  if (initdb === undefined || postgres === undefined) {
    throw new Absent('PostgreSQL is not installed (Debian: apt-get install postgresql)')
  }
  const { path, remove } = await temporaryFolder('postgres')
  // It refuses to run as root.
  const uid = process.getuid!() === 0 ? Number(execFileSync('id', ['-u', 'nobody'])) : undefined
  if (uid !== undefined) await chown(path, uid, uid)
  const data = join(path, 'data')
  const owner = uid === undefined ? {} : { uid, gid: uid }
  await run(initdb, ['--pgdata', data, '--username', 'postgres', '--auth', 'trust', '--encoding', 'UTF8'], {
    ...owner,
    cwd: path,
    env: { PATH: process.env['PATH']!, LANG: 'C' },
  })
  const [port] = await freePorts(1)
  const set = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const ready = (await findProgram('pg_isready', '/usr/lib/postgresql/*/bin')) ?? 'pg_isready'
  const listen = ['-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${path}`]
  const start = async () => {
    const args = ['-D', data, '-p', String(port), ...listen, ...set]
    const started = new ServerProcess({ command: postgres, args, ...(uid !== undefined && { uid }) })
    await started.untilReady(async () => {
      await run(ready, ['-h', '127.0.0.1', '-p', String(port)])
      return true
    })
    return started
  }
  let server = await start()
  const { stdout } = await run(postgres, ['--version'])
  return {
    async crash() {
      await server.kill()
      server = await start()
    },
    diary: readerOf(join(path, 'diary')),
    otherUrl: `postgresql://postgres@127.0.0.1:${port}/other`,
    get pid() {
      return server.pid
    },
    settings,
    url: `postgresql://postgres@127.0.0.1:${port}/contest`,
    version: /[\d.]+/.exec(stdout)![0],
    async [Symbol.asyncDispose]() {
      await server.kill()
      await remove()
    },
  }
}
