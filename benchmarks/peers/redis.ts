/** A Redis of our own, from the programs on this machine. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { Absent } from '../contest/contestant.ts'
import { findProgram } from './find-program.ts'
import { freePorts, ServerProcess, temporaryFolder } from './server-process.ts'

const run = promisify(execFile)

export interface RedisServer extends AsyncDisposable {
  readonly pid: number
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
  readonly version: string
}

const settings = { appendonly: 'yes', appendfsync: 'everysec', 'maxmemory-policy': 'noeviction' }

/** @throws Absent when there is no Redis on this machine */
export async function startRedis(): Promise<RedisServer> {
  const command = await findProgram('redis-server', '/usr/bin')
  if (command === undefined) {
    throw new Absent('redis-server is not installed (Debian: apt-get install redis-server)')
  }
  const { path, remove } = await temporaryFolder('redis')
  const [port] = await freePorts(1)
  const set = Object.entries({ ...settings, bind: '127.0.0.1', dir: path, port: String(port), save: '' })
  const library = process.env['LD_LIBRARY_PATH']
  const server = new ServerProcess({
    command,
    args: set.flatMap(([name, value]) => [`--${name}`, value]),
    ...(library !== undefined && { env: { LD_LIBRARY_PATH: library } }),
  })
  await server.untilReady(async () => server.wrote.includes('Ready to accept connections'))
  const { stdout } = await run(command, ['--version'])
  return {
    pid: server.pid,
    port: port!,
    settings,
    version: /v=([\d.]+)/.exec(stdout)![1]!,
    async [Symbol.asyncDispose]() {
      await server.kill()
      await remove()
    },
  }
}
