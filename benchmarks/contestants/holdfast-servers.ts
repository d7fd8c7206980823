import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { connect, startServer, type Client, type NatsServer } from '../../src/index.ts'
import { readerOf, type DiaryReader } from '../contest/diary.ts'
import type { Roots } from '../contest/meter.ts'
import { NodeProcess } from '../node-process.ts'
import type { MeasureOrder, ServedNews } from '../served-node.ts'
import type { HoldfastNodeOptions } from './holdfast-node.ts'

export const partitions = 32

type Node = NodeProcess<MeasureOrder, ServedNews>

/** The nats-server and the node, each of which can be killed and comes again. */
export class HoldfastServers implements AsyncDisposable {
  readonly client: Client
  readonly diary: DiaryReader
  readonly #folder: string
  #node: Node
  #server: NatsServer

  private constructor(folder: string, server: NatsServer, node: Node, client: Client) {
    this.#folder = folder
    this.#server = server
    this.#node = node
    this.client = client
    this.diary = readerOf(diaryIn(folder))
  }

  static async start(): Promise<HoldfastServers> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-contest-'))
    const server = await startServer({
      path: process.env['HOLDFAST_NATS_SERVER'],
      storeDir: join(folder, 'store'),
    })
    const node = await startNode(folder, server)
    return new HoldfastServers(folder, server, node, await connect(connectionTo(server)))
  }

  get server(): NatsServer {
    return this.#server
  }

  roots(): Roots {
    return { client: process.pid, runtime: this.#node.pid, server: this.#server.pid }
  }

  /** Kills the node and starts it again; resolves when it serves. */
  async crashNode(): Promise<void> {
    await this.#node.kill()
    this.#node = await startNode(this.#folder, this.#server)
  }

  /** Kills the nats-server and starts it again; resolves when it takes requests. */
  async crashServer(): Promise<void> {
    const { binaryPath: path, port, storeDir } = this.#server
    this.#server.kill('SIGKILL')
    await this.#server.exited
    this.#server = await startServer({ path, port, storeDir })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]()
    await this.#node.kill()
    await this.#server.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

async function startNode(folder: string, server: NatsServer): Promise<Node> {
  const node = { ...connectionTo(server), name: 'node', partitions }
  const options: HoldfastNodeOptions = { diary: diaryIn(folder), node }
  const started: Node = new NodeProcess('contestants/holdfast-node', options, new AbortController().signal)
  await started.next('serving')
  return started
}

function connectionTo({ url }: NatsServer) {
  return { servers: url, namespace: 'contest' }
}

function diaryIn(folder: string): string {
  return join(folder, 'diary')
}
