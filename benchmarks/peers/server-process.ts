import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export interface ServerOptions {
  readonly args: readonly string[]
  readonly command: string
  readonly env?: Readonly<Record<string, string>>
  /** Whose rights it has; default ours. */
  readonly uid?: number
}

const startTimeoutMs = 60_000
const lookEveryMs = 50

/** A server of a contestant, with nothing of our environment but PATH. */
export class ServerProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  #wrote = ''

  constructor({ args, command, env, uid }: ServerOptions) {
    this.#child = spawn(command, args, {
      env: { PATH: process.env['PATH']!, LANG: 'C', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(uid !== undefined && { uid }),
      ...(uid !== undefined && { gid: uid }),
    })
    const keep = (chunk: Buffer) => {
      this.#wrote = (this.#wrote + chunk.toString()).slice(-4000)
    }
    this.#child.stdout!.on('data', keep)
    this.#child.stderr!.on('data', keep)
    // A server that outlives a contestant would disturb all that follow.
    process.once('exit', () => this.#child.kill('SIGKILL'))
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** The end of what it wrote. */
  get wrote(): string {
    return this.#wrote
  }

  /** @throws Error with what it wrote when it is not ready in a minute, or has ended */
  async untilReady(isReady: () => Promise<boolean>): Promise<void> {
    const giveUpAt = performance.now() + startTimeoutMs
    while (!(await isReady().catch(() => false))) {
      if (this.#child.exitCode !== null || performance.now() > giveUpAt) {
        throw new Error(`the server is not ready; it wrote:\n${this.#wrote}`)
      }
      await pause(lookEveryMs)
    }
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

/** So many ports that nobody listens to. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(server => once(server.close(), 'close')))
  return ports
}

/** A folder for what a server stores. */
export async function temporaryFolder(name: string): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `holdfast-${name}-`))
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) }
}
