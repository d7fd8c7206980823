import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startServer, type NatsServer } from '../../src/index.ts'

/** NATS for chaos: one server, or a cluster of three, each on its port and folder for as long as the run lasts. */
export class Servers implements AsyncDisposable {
  readonly #folder: string
  readonly #ports: readonly number[]
  readonly #routes: readonly number[]
  readonly #path: string | undefined
  readonly #running: (NatsServer | undefined)[]

  private constructor(folder: string, ports: readonly number[], path: string | undefined) {
    this.#folder = folder
    this.#path = path
    this.#ports = ports.slice(0, ports.length / 2)
    this.#routes = ports.slice(ports.length / 2)
    this.#running = this.#ports.map(() => undefined)
  }

  /** @param path of the nats-server to run; default: whichever is found */
  static async start(count: 1 | 3, path?: string): Promise<Servers> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-chaos-'))
    const servers = new Servers(folder, await freePorts(count * 2), path)
    await Promise.all(servers.#ports.map((_, index) => servers.restart(index)))
    return servers
  }

  get count(): number {
    return this.#ports.length
  }

  get urls(): readonly string[] {
    return this.#ports.map(port => `nats://127.0.0.1:${port}`)
  }

  /** Kills one as a crash does, and resolves when it is gone. */
  async crash(index: number): Promise<void> {
    const server = this.#running[index]
    if (server === undefined) return
    this.#running[index] = undefined
    server.kill('SIGKILL')
    await server.exited
  }

  async restart(index: number): Promise<void> {
    const routes = this.#routes.map(port => `nats://127.0.0.1:${port}`)
    const cluster = `cluster { name: chaos, listen: "127.0.0.1:${this.#routes[index]}", routes: ${JSON.stringify(routes)} }`
    this.#running[index] = await startServer({
      ...(this.#path !== undefined && { path: this.#path }),
      ...(this.count > 1 && { extraConfig: cluster }),
      port: this.#ports[index]!,
      serverName: `chaos-${index}`,
      storeDir: join(this.#folder, String(index)),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map(async server => server?.stop()))
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function freePorts(count: number): Promise<number[]> {
  const listeners = await Promise.all(
    Array.from({ length: count }, async () => {
      const listener = createServer().listen(0, '127.0.0.1')
      await new Promise(resolve => listener.once('listening', resolve))
      return listener
    }),
  )
  const ports = listeners.map(listener => (listener.address() as AddressInfo).port)
  await Promise.all(listeners.map(listener => new Promise(resolve => listener.close(resolve))))
  return ports
}
