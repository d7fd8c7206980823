import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startServer, type NatsServer, type StartServerOptions } from '../src/index.ts'

export interface NatsServersOptions {
  /** One alone, or a cluster of three. */
  readonly count: 1 | 3
  /** Whether they tell about themselves over HTTP. Default no. */
  readonly isMonitored?: boolean
}

/**
 * The nats-servers of a benchmark, each of which syncs every write, can be killed and comes again on its port with its
 * store. HOLDFAST_NATS_SERVER names the nats-server to use.
 *
 * Not that of `test/chaos`: `bench:compare` builds this beside older commits, which have another there or none.
 */
export class NatsServers implements AsyncDisposable {
  readonly #folder: string
  readonly #options: readonly StartServerOptions[]
  readonly #running: NatsServer[] = []

  private constructor(folder: string, options: readonly StartServerOptions[]) {
    this.#folder = folder
    this.#options = options
  }

  /** Resolves when all of them take requests. */
  static async start({ count, isMonitored = false }: NatsServersOptions): Promise<NatsServers> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
    const clusters = count === 1 ? [{}] : clusterOf(await freePorts(count))
    const options = clusters.map((cluster, index) => ({
      ...cluster,
      path: process.env['HOLDFAST_NATS_SERVER'],
      storeDir: join(folder, String(index)),
      ...(isMonitored && { monitoringPort: -1 }),
    }))
    const servers = new NatsServers(folder, options)
    try {
      servers.#running.push(...(await Promise.all(options.map(each => startServer(each)))))
    } catch (error) {
      await servers[Symbol.asyncDispose]()
      throw error
    }
    return servers
  }

  /** Those that run now: another one after a crash. */
  get running(): readonly NatsServer[] {
    return this.#running
  }

  get urls(): readonly string[] {
    return this.#running.map(({ url }) => url)
  }

  /** Kills one and starts it again; resolves when it takes requests. */
  async crash(index = 0): Promise<void> {
    const server = this.#running[index]!
    server.kill('SIGKILL')
    await server.exited
    this.#running[index] = await startServer({ ...this.#options[index], port: server.port })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map(server => server.stop()))
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

function clusterOf(ports: readonly number[]): readonly StartServerOptions[] {
  const routes = JSON.stringify(ports.map(port => `nats://127.0.0.1:${port}`))
  return ports.map((port, index) => ({
    extraConfig: `cluster { name: bench, listen: "127.0.0.1:${port}", routes: ${routes} }`,
    serverName: `bench-${index}`,
  }))
}

/** Each must know the routes to the others before any of them runs. */
async function freePorts(count: number): Promise<readonly number[]> {
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
