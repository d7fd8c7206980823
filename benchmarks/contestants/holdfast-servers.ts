import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { partitionsFor } from '../../actors/assignment.ts'
import { connect, type Client, type NatsServer } from '../../src/index.ts'
import type { Scale } from '../contest/contestants.ts'
import { readerOf, type DiaryReader } from '../contest/diary.ts'
import type { Roots } from '../contest/meter.ts'
import { NatsServers } from '../nats-servers.ts'
import { NodeProcess } from '../node-process.ts'
import type { MeasureOrder, ServedNews } from '../served-node.ts'
import type { HoldfastNodeOptions } from './holdfast-node.ts'

export const partitions = 32

const lookEveryMs = 50
const shareWithinMs = 60_000

type Node = NodeProcess<MeasureOrder, ServedNews>

/** The nats-servers and the nodes, the first of which can be killed and comes again. */
export class HoldfastServers implements AsyncDisposable {
  readonly client: Client
  readonly diary: DiaryReader
  readonly #folder: string
  readonly #nodes: Node[]
  readonly #servers: NatsServers

  private constructor(folder: string, servers: NatsServers, nodes: Node[], client: Client) {
    this.#folder = folder
    this.#servers = servers
    this.#nodes = nodes
    this.client = client
    this.diary = readerOf(diaryIn(folder))
  }

  /** Resolves when each node serves its share of the partitions. */
  static async start({ nodes: count, servers: serverCount }: Scale): Promise<HoldfastServers> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-contest-'))
    const servers = await NatsServers.start({ count: serverCount })
    const names = Array.from({ length: count }, (_, index) => nameOf(index))
    const nodes: Node[] = []
    try {
      // The first makes the namespace.
      nodes.push(launch(folder, servers, 0))
      await nodes[0]!.next('serving')
      for (let index = 1; index < count; index++) nodes.push(launch(folder, servers, index))
      await Promise.all(nodes.map((node, index) => untilServing(node, nameOf(index), names)))
      return new HoldfastServers(folder, servers, nodes, await connect(connectionTo(servers)))
    } catch (error) {
      await end(folder, nodes, servers)
      throw error
    }
  }

  get server(): NatsServer {
    return this.#servers.running[0]!
  }

  roots(): Roots {
    return {
      client: process.pid,
      runtime: this.#nodes.map(({ pid }) => pid),
      server: this.#servers.running.map(({ pid }) => pid),
    }
  }

  /** Kills the first node and starts it again; resolves when it serves. */
  async crashNode(): Promise<void> {
    await this.#nodes[0]!.kill()
    this.#nodes[0] = launch(this.#folder, this.#servers, 0)
    await this.#nodes[0].next('serving')
  }

  /** Kills the first nats-server and starts it again; resolves when it takes requests. */
  crashServer(): Promise<void> {
    return this.#servers.crash()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]()
    await end(this.#folder, this.#nodes, this.#servers)
  }
}

async function end(folder: string, nodes: readonly Node[], servers: NatsServers): Promise<void> {
  await Promise.all(nodes.map(node => node.kill()))
  await servers[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
}

function launch(folder: string, servers: NatsServers, index: number): Node {
  const replicas = servers.running.length
  const node = { ...connectionTo(servers), name: nameOf(index), partitions, replicas }
  const options: HoldfastNodeOptions = { diary: diaryIn(folder), node }
  return new NodeProcess('contestants/holdfast-node', options, new AbortController().signal)
}

/** @throws Error when it has another share for a minute than the one it should have */
async function untilServing(node: Node, name: string, names: readonly string[]): Promise<void> {
  const share = partitionsFor(name, names, partitions).size
  const giveUpAt = performance.now() + shareWithinMs
  for (;;) {
    const { measures } = await node.ask({ type: 'measure', gc: false }, 'measured')
    if (measures.partitions === share) return
    if (performance.now() > giveUpAt) throw new Error(`${name} serves ${measures.partitions} of ${share}`)
    await pause(lookEveryMs)
  }
}

function nameOf(index: number): string {
  return `node-${index}`
}

function connectionTo({ urls }: NatsServers) {
  return { servers: urls, namespace: 'contest' }
}

function diaryIn(folder: string): string {
  return join(folder, 'diary')
}
