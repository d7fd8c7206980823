import { setTimeout } from 'node:timers/promises'

import { AckPolicy, connect as connectLibrary, JSONCodec, type JsMsg } from 'nats'
import { describe, expect, it, onTestFinished } from 'vitest'

import {
  createWorker,
  type InstanceHandle,
  type Node,
  type TaskContext,
  type Worker,
  type WorkerOptions,
} from '../../src/index.ts'
import { until } from '../contract/until.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { patientReader, reader } from '../support/readers.ts'

const workflows = [reader, patientReader]
const waiting = { timeout: '20s' } as const

type Read = (context: TaskContext<string>) => Promise<string>

async function startWorker(
  namespace: string,
  read: Read,
  options: Partial<WorkerOptions<{ read: string }>> = {},
): Promise<Worker> {
  const worker = await createWorker({
    servers: sharedServerUrl(),
    namespace,
    activities: { read },
    ackWait: '300ms',
    drainTimeout: 0,
    log: 'silent',
    ...options,
  })
  onTestFinished(() => worker.stop())
  return worker
}

/** Works, with the right to end, until its signal is aborted. */
function untilAborted({ signal }: TaskContext<string>): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
}

function namespaceOf(node: Node): string {
  return node.status().namespace
}

/** What is documented in src/codec/task.ts. */
interface ForeignTask {
  readonly attempt: number
  readonly heartbeatTimeoutMs: number
  readonly lastHeartbeat: unknown
  readonly reply: {
    readonly envelope: { readonly id: string }
    readonly heartbeat: string
    readonly subject: string
  }
}

/** As its record has it. */
async function detailsOf(handle: InstanceHandle): Promise<unknown> {
  return (await handle.get())?.activities[0]?.lastHeartbeat
}

describe('a heartbeat of a worker', { timeout: 60_000 }, () => {
  it('is stored with its details, which the next attempt reads, at whatever worker', async () => {
    const node = await startNode({ workflows })
    const first = await startWorker(
      namespaceOf(node),
      async ({ heartbeat }) => {
        heartbeat({ page: 1 })
        await until(async () => (await detailsOf(handle)) !== undefined)
        // Nobody waits for it, but it is not lost.
        heartbeat({ page: 2 })
        void first.stop()
        throw new Error('no more')
      },
      { drainTimeout: '5s' },
    )
    const handle = await node.client.start(patientReader, { id: 'r' })
    await handle.waitFor(({ activities }) => activities[0]?.retryAt !== undefined, waiting)
    const seen: unknown[] = []
    await startWorker(namespaceOf(node), async ({ attempt, lastHeartbeat }) => {
      seen.push(attempt, lastHeartbeat)
      return 'read'
    })

    expect(await handle.result(waiting)).toBe('read')
    expect(seen).toEqual([2, { page: 2 }])
  })

  it('costs next to nothing: of a thousand a second, one a second is stored', async () => {
    const node = await startNode({ workflows })
    const startedAt = performance.now()
    await startWorker(namespaceOf(node), async ({ heartbeat }) => {
      for (let page = 1; page <= 2_500; page++) {
        heartbeat(page)
        await setTimeout(1)
      }
      return 'read'
    })
    const handle = await node.client.start(patientReader, { id: 'r' })
    let commits = 0
    const pages: unknown[] = []
    for await (const snapshot of handle.watch()) {
      commits++
      pages.push(snapshot.activities[0]?.lastHeartbeat)
      if (snapshot.status === 'done') break
    }
    const seconds = (performance.now() - startedAt) / 1_000

    // Besides: its start, the end of it, and once that the task was asked for.
    expect(commits).toBeLessThanOrEqual(Math.ceil(seconds) + 4)
    expect(pages.filter(page => page !== undefined).length).toBeGreaterThanOrEqual(2)
  })

  it('must come in time, or the attempt fails at its worker, and the next one begins, though its task is renewed', async () => {
    const node = await startNode({ workflows })
    const attempts: number[] = []
    const signals: AbortSignal[] = []
    await startWorker(namespaceOf(node), context => {
      attempts.push(context.attempt)
      signals.push(context.signal)
      return untilAborted(context)
    })
    const handle = await node.client.start(reader, { id: 'r' })

    expect(await handle.result(waiting)).toBe('failed ACTIVITY_TIMEOUT')
    expect(attempts).toEqual([1, 2, 3])
    await expect.poll(() => signals.every(({ aborted }) => aborted)).toBe(true)
  })

  it('keeps an attempt alive that takes far longer than the timeout', async () => {
    const node = await startNode({ workflows, passivateAfter: '100ms' })
    const attempts: number[] = []
    await startWorker(namespaceOf(node), async ({ attempt, heartbeat }) => {
      attempts.push(attempt)
      for (let n = 0; n < 40; n++) {
        await setTimeout(100)
        heartbeat()
      }
      return 'read'
    })
    const handle = await node.client.start(reader, { id: 'r' })

    expect(await handle.result(waiting)).toBe('read')
    expect(attempts).toEqual([1])
  })

  it('is not missed while no worker has begun', async () => {
    const node = await startNode({ workflows })
    const handle = await node.client.start(reader, { id: 'r' })
    await setTimeout(1_500)

    await startWorker(namespaceOf(node), async ({ attempt }) => `read at attempt ${attempt}`)

    expect(await handle.result(waiting)).toBe('read at attempt 1')
  })

  it('is waited for by the next owner, too, which gives the worker all its time anew', async () => {
    const namespace = freshNamespace()
    const node = await startNode({ namespace, workflows, name: 'n' })
    const attempts: number[] = []
    let isSilent = false
    await startWorker(namespace, async ({ attempt, heartbeat, signal }) => {
      attempts.push(attempt)
      if (attempt > 1) return 'read'
      while (!signal.aborted) {
        await setTimeout(50)
        if (!isSilent) heartbeat()
      }
      throw signal.reason as Error
    })
    await node.client.start(reader, { id: 'r' })
    await until(() => attempts.length === 1)
    await expect
      .poll(() => node.client.instance(reader, 'r').get())
      .toMatchObject({
        activities: [{ remote: { isBegun: true } }],
      })

    await node.stop()
    await setTimeout(1_500)
    const next = await startNode({ namespace, workflows, name: 'n' })
    const handle = next.client.instance(reader, 'r')
    await setTimeout(1_000)
    expect(attempts).toEqual([1])
    isSilent = true

    expect(await handle.result(waiting)).toBe('read')
    expect(attempts).toEqual([1, 2])
  })

  it('is not waited for while its instance is paused', async () => {
    const node = await startNode({ workflows })
    let attempts = 0
    let end: (output: string) => void = () => {}
    await startWorker(namespaceOf(node), () => {
      attempts++
      return new Promise(resolve => (end = resolve))
    })
    const handle = await node.client.start(reader, { id: 'r' })
    await until(() => attempts === 1)
    await handle.pause()

    await setTimeout(1_500)
    await handle.resume()
    end('read')

    expect([await handle.result(waiting), attempts]).toEqual(['read', 1])
  })

  it('takes one line in any language', async () => {
    const node = await startNode({ workflows })
    const nc = await connectLibrary({ servers: sharedServerUrl() })
    onTestFinished(() => nc.close())
    const json = JSONCodec<unknown>()
    const stream = `hf_${namespaceOf(node)}_tasks`
    const consumers = (await nc.jetstreamManager()).consumers
    await consumers.add(stream, { durable_name: 'read', ack_policy: AckPolicy.Explicit })
    const consumer = await nc.jetstream().consumers.get(stream, 'read')
    const handle = await node.client.start(reader, { id: 'r' })
    const seen: unknown[] = []
    const take = async (): Promise<{ message: JsMsg; task: ForeignTask }> => {
      const message = (await consumer.next())!
      const task = json.decode(message.data) as ForeignTask
      seen.push([task.attempt, task.lastHeartbeat, task.heartbeatTimeoutMs])
      return { message, task }
    }

    const first = await take()
    for (let page = 1; page <= 20; page++) {
      nc.publish(first.task.reply.heartbeat, json.encode({ details: { page } }))
      await setTimeout(50)
    }
    // From here on it is silent.
    const second = await take()
    const { envelope, subject } = second.task.reply
    const answer = { ...envelope, time: Date.now(), outcome: { status: 'done', output: 'read' } }
    await nc.jetstream().publish(subject, json.encode(answer), { msgID: answer.id })
    await second.message.ackAck()

    expect(await handle.result(waiting)).toBe('read')
    expect(seen).toEqual([
      [1, undefined, 700],
      [2, { page: 20 }, 700],
    ])
  })
})
