/** What is measured again and again while a soak lasts. */
import { readdirSync, readFileSync } from 'node:fs'

import type { NatsServer } from '../../src/index.ts'
import type { Nodes } from './nodes.ts'

/** The node is the one that lives as long as the run; the client, and so its process, is that of the errands. */
export interface Sample {
  readonly minute: number
  readonly nodeHeapMiB: number
  readonly nodeResidentMiB: number
  /** Open file descriptors. */
  readonly nodeFiles: number
  readonly nodeSubscriptions: number
  readonly clientHeapMiB: number
  /** One for each result that is waited for, and some that are always there. */
  readonly clientSubscriptions: number
  /** Of all streams of the server. */
  readonly consumers: number
  /** Resident memory of the nats-server, which knows all that has ever ended. */
  readonly serverMiB: number
}

const mebibyte = 2 ** 20

/** Heaps are those after garbage was collected. */
export async function sample(nodes: Nodes, server: NatsServer, minute: number): Promise<Sample> {
  const { heapMiB, rssMiB } = await nodes.measure('steady', true)
  globalThis.gc!()
  return {
    minute,
    nodeHeapMiB: heapMiB,
    nodeResidentMiB: rssMiB,
    nodeFiles: filesOf(nodes.steadyPid),
    nodeSubscriptions: await subscriptionsOf('steady', server),
    clientHeapMiB: process.memoryUsage().heapUsed / mebibyte,
    clientSubscriptions: await clientSubscriptions(server),
    consumers: (await streamsOf(server)).reduce((sum, { consumers }) => sum + consumers, 0),
    serverMiB: residentOf(server.pid),
  }
}

/** What the server has of a stream. */
interface Stream {
  readonly consumers: number
  readonly messages: number
  readonly name: string
}

export async function streamsOf(server: NatsServer): Promise<readonly Stream[]> {
  const { account_details: accounts } = await ask<{
    readonly account_details: readonly {
      readonly stream_detail: readonly {
        readonly name: string
        readonly state: { readonly consumer_count: number; readonly messages: number }
      }[]
    }[]
  }>(server, 'jsz?streams=true')
  return accounts.flatMap(({ stream_detail: streams }) =>
    streams.map(({ name, state }) => ({ consumers: state.consumer_count, messages: state.messages, name })),
  )
}

export function clientSubscriptions(server: NatsServer): Promise<number> {
  return subscriptionsOf('holdfast client', server)
}

/** Of the connection of that name. */
async function subscriptionsOf(name: string, server: NatsServer): Promise<number> {
  const { connections } = await ask<{
    readonly connections: readonly { readonly name?: string; readonly subscriptions: number }[]
  }>(server, 'connz')
  const own = connections.filter(connection => connection.name === name)
  if (own.length !== 1) throw new Error(`${name} has ${own.length} connections, not one`)
  return own[0]!.subscriptions
}

async function ask<T>({ monitoringUrl }: NatsServer, what: string): Promise<T> {
  const answer = await fetch(`${monitoringUrl}/${what}`)
  if (!answer.ok) throw new Error(`${what}: ${answer.status}`)
  return (await answer.json()) as T
}

/** proc(5). */
function filesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

function residentOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}
