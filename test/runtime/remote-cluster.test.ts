import { setTimeout } from 'node:timers/promises'

import { connect as connectLibrary } from 'nats'
import { describe, expect, it, onTestFinished } from 'vitest'

import { connect, createNode, createWorker, type TaskContext } from '../../src/index.ts'
import { Servers } from '../chaos/servers.ts'
import { until } from '../contract/until.ts'
import { freshNamespace, serverBinary } from '../support/nats.ts'
import { codeOf } from '../support/node.ts'
import { delegator, type Chore } from '../support/remotes.ts'

const ackWaitMs = 15_000

/** Of the stream, by its number among the servers; undefined while there is none, or none that answers. */
async function leaderOf(urls: readonly string[], stream: string): Promise<number | undefined> {
  try {
    const nc = await connectLibrary({ servers: [...urls], reconnect: false, timeout: 2_000 })
    try {
      const leader = (await (await nc.jetstreamManager()).streams.info(stream)).cluster?.leader
      return leader === undefined || leader === '' ? undefined : Number(leader.split('-').at(-1))
    } finally {
      await nc.close()
    }
  } catch {
    return undefined
  }
}

describe('workers on a cluster of three', { timeout: 180_000 }, () => {
  it('do each task once, and no result is lost or doubled, though the leader of the tasks is killed meanwhile', async () => {
    const servers = await Servers.start(3, serverBinary())
    onTestFinished(() => servers[Symbol.asyncDispose]())
    const namespace = freshNamespace()
    const connection = { servers: servers.urls, namespace }
    const stream = `hf_${namespace}_tasks`
    const options = { replicas: 3, partitions: 4, workflows: [delegator], log: 'silent' } as const
    const node = await createNode({ ...connection, ...options })
    onTestFinished(() => node.stop())
    const client = await connect(connection)
    onTestFinished(() => client.close())
    const runs: string[] = []
    let release: () => void = () => {}
    const released = new Promise<void>(resolve => (release = resolve))
    for (const name of ['a', 'b']) {
      const worker = await createWorker({
        ...connection,
        ackWait: ackWaitMs,
        concurrency: 20,
        drainTimeout: 0,
        log: 'silent',
        activities: {
          chore: async ({ attempt, idempotencyKey, input }: TaskContext<Chore>) => {
            runs.push(`${idempotencyKey} attempt ${attempt}`)
            await released
            return `${input.n} by ${name}`
          },
        },
      })
      onTestFinished(() => worker.stop())
    }
    const handles = await Promise.all(
      Array.from({ length: 30 }, (_, n) => client.start(delegator, { id: `d-${n}` })),
    )
    // Until it is stored: while there is no leader nobody knows.
    const begin = (from: number, to: number) =>
      Promise.all(
        handles.slice(from, to).map(async (handle, n) => {
          const send = () => handle.send({ type: 'DO', n: from + n }, { id: `do-${from + n}` })
          await until(async () => (await codeOf(send())) === 'no error')
        }),
      )
    await begin(0, 20)
    await until(() => runs.length === 20)

    const leader = (await leaderOf(servers.urls, stream))!
    await servers.crash(leader)
    const others = servers.urls.filter((_, index) => index !== leader)
    await begin(20, 30)
    await until(async () => (await leaderOf(others, stream)) !== undefined)
    await until(() => runs.length >= 30)
    // Longer than any of them would be left to a worker that does not renew it.
    await setTimeout(ackWaitMs + 5_000)
    release()
    const results = await Promise.all(
      handles.map(async handle => {
        const { context } = await handle.waitFor(s => s.context.results.length > 0, { timeout: '40s' })
        return context.results.map(result => result.replace(/ by [ab]$/, ''))
      }),
    )

    expect(results).toEqual(handles.map((_, n) => [`done ${n}`]))
    expect(runs.length).toBe(30)
    expect(new Set(runs).size).toBe(30)
    await until(async () => {
      const nc = await connectLibrary({ servers: others })
      const { state } = await (await nc.jetstreamManager()).streams.info(stream)
      await nc.close()
      return state.messages === 0
    })
  })
})
