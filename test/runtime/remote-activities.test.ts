import { setTimeout } from 'node:timers/promises'

import { connect } from 'nats'
import { onTestFinished, describe, expect, it } from 'vitest'

import {
  createWorker,
  type TaskContext,
  type HandlerOf,
  type Node,
  type Worker,
  type WorkerOptions,
} from '../../src/index.ts'
import { delegator, type chore, type Chore } from '../support/remotes.ts'
import { until } from '../contract/until.ts'
import { sharedServerUrl } from '../support/nats.ts'
import { codeOf, startNode } from '../support/node.ts'

const workflows = [delegator]
const waiting = { timeout: '25s' } as const

type Handler = HandlerOf<typeof chore>

/** A worker for the chores of the node, stopped when the test ends. */
async function startWorker(
  node: Node,
  handler: Handler,
  options: Partial<WorkerOptions<{ chore: Chore }>> = {},
): Promise<Worker> {
  const worker = await createWorker({
    servers: sharedServerUrl(),
    namespace: node.status().namespace,
    activities: { chore: handler },
    ackWait: '200ms',
    drainTimeout: 0,
    log: 'silent',
    ...options,
  })
  onTestFinished(() => worker.stop())
  return worker
}

/** What a handler was called with, and the right to let each call end. */
class Calls {
  readonly all: TaskContext<Chore>[] = []
  readonly #ends: ((output: number) => void)[] = []

  readonly handler: Handler = context => {
    this.all.push(context)
    return new Promise(resolve => this.#ends.push(resolve))
  }

  async count(n: number): Promise<void> {
    await until(() => this.all.length >= n)
  }

  end(index: number, output: number): void {
    this.#ends[index]!(output)
  }
}

describe('a remote activity', () => {
  it('is done by a worker, with the context of a local one', async () => {
    const node = await startNode({ workflows })
    const calls = new Calls()
    await startWorker(node, calls.handler)
    const handle = await node.client.start(delegator, { id: 'a b' })

    await handle.send({ type: 'DO', n: 7 })
    await calls.count(1)
    calls.end(0, 49)
    const { context } = await handle.waitFor(s => s.context.results.length === 1, waiting)

    expect(context.results).toEqual(['done 49'])
    const [{ attempt, idempotencyKey, input, signal }] = calls.all as [TaskContext<Chore>]
    expect({ attempt, idempotencyKey, input }).toEqual({
      attempt: 1,
      idempotencyKey: expect.stringMatching(/^delegator\/a b\/chore\/\d+$/),
      input: { n: 7, ms: 0 },
    })
    expect(signal.aborted).toBe(false)
  })

  it('waits until there is a worker, out of memory', async () => {
    const node = await startNode({ workflows, passivateAfter: '40ms' })
    const handle = await node.client.start(delegator, { id: 'd' })

    await handle.update({ type: 'DO', n: 3 })
    await expect.poll(() => node.status().resident).toBe(0)
    await startWorker(node, async ({ input }) => input.n * input.n)
    const { context } = await handle.waitFor(s => s.context.results.length === 1, waiting)

    expect(context.results).toEqual(['done 9'])
  })

  it('is tried again by its policy, under the same key', async () => {
    const node = await startNode({ workflows })
    const keys: string[] = []
    await startWorker(node, async ({ attempt, idempotencyKey }) => {
      keys.push(`${attempt} ${idempotencyKey}`)
      if (attempt < 3) throw new Error(`attempt ${attempt}`)
      return attempt
    })
    const handle = await node.client.start(delegator, { id: 'd' })

    await handle.send({ type: 'DO', n: 1 })
    const { context } = await handle.waitFor(s => s.context.results.length === 1, waiting)

    expect(context.results).toEqual(['done 3'])
    const [key] = keys[0]!.split(' ').slice(1)
    expect(keys).toEqual([`1 ${key}`, `2 ${key}`, `3 ${key}`])
  })

  it('hands the error of its last attempt to the machine', async () => {
    const node = await startNode({ workflows })
    let calls = 0
    await startWorker(node, async () => {
      calls++
      throw Object.assign(new Error('no'), { code: 'Hopeless' })
    })
    const handle = await node.client.start(delegator, { id: 'd' })

    await handle.send({ type: 'DO', n: 1 })
    const { context } = await handle.waitFor(s => s.context.results.length === 1, waiting)

    expect([context.results, calls]).toEqual([['failed Hopeless'], 1])
  })

  it('fails when its result cannot be sent', async () => {
    const node = await startNode({ workflows })
    await startWorker(node, async () => (() => {}) as unknown as number)
    const handle = await node.client.start(delegator, { id: 'd' })

    await handle.send({ type: 'DO', n: 1 })
    const { context } = await handle.waitFor(s => s.context.results.length === 1, waiting)

    expect(context.results).toEqual(['failed VALUE_UNSUPPORTED'])
  })

  it('S5: that runs 30 times longer than the acknowledgement wait is done once', async () => {
    const node = await startNode({ workflows })
    let calls = 0
    const handler: Handler = async ({ input }) => {
      calls++
      await setTimeout(input.ms)
      return 5
    }
    await Promise.all([1, 2, 3].map(() => startWorker(node, handler, { ackWait: '500ms' })))
    const handle = await node.client.start(delegator, { id: 'd' })

    await handle.send({ type: 'DO', n: 1, ms: 15_000 })
    const { context } = await handle.waitFor(s => s.context.results.length === 1, waiting)

    expect([context.results, calls]).toEqual([['done 5'], 1])
    expect(await queued(node)).toBe(0)
  })

  it('is aborted when its state is left, and its result is dropped', async () => {
    const node = await startNode({ workflows })
    const calls = new Calls()
    await startWorker(node, calls.handler)
    const handle = await node.client.start(delegator, { id: 'd' })
    await handle.send({ type: 'DO', n: 1 })
    await calls.count(1)

    await handle.update({ type: 'DROP' })
    await expect.poll(() => calls.all[0]!.signal.aborted).toBe(true)
    calls.end(0, 111)
    await handle.send({ type: 'DO', n: 2 })
    await calls.count(2)
    calls.end(1, 4)
    const { context } = await handle.waitFor(s => s.context.results.length > 0, waiting)

    expect(context.results).toEqual(['done 4'])
    expect(await queued(node)).toBe(0)
  })

  it('that no worker has begun is taken out of the queue when its state is left', async () => {
    const node = await startNode({ workflows })
    const handle = await node.client.start(delegator, { id: 'd' })
    await handle.update({ type: 'DO', n: 1 })
    await expect.poll(() => queued(node)).toBe(1)

    await handle.update({ type: 'FINISH' })

    await expect.poll(() => queued(node)).toBe(0)
  })

  it('fails when no result arrives in time, and is tried again by its policy', async () => {
    const node = await startNode({ workflows })
    const calls = new Calls()
    await startWorker(node, calls.handler)
    const handle = await node.client.start(delegator, { id: 'd' })

    await handle.send({ type: 'DO_HASTILY', n: 1 })
    const { context } = await handle.waitFor(s => s.context.results.length === 1, waiting)

    expect(context.results).toEqual(['failed ACTIVITY_TIMEOUT'])
    expect(calls.all.map(({ attempt }) => attempt)).toEqual([1, 2])
    await expect.poll(() => calls.all.map(({ signal }) => signal.aborted)).toEqual([true, true])
  })

  it('fails when its task has been given to workers too often, and the task is kept', async () => {
    const node = await startNode({ workflows })
    let deliveries = 0
    const handle = await node.client.start(delegator, { id: 'd' })
    await handle.send({ type: 'DO', n: 1 })
    // Each stops at once and gives it back.
    for (let n = 1; n <= 3; n++) {
      const calls = new Calls()
      const worker = await startWorker(node, calls.handler, { maxDeliveries: 3 })
      await calls.count(1)
      deliveries += calls.all.length
      await worker.stop()
    }
    const last = new Calls()
    await startWorker(node, last.handler, { maxDeliveries: 3 })
    const { context } = await handle.waitFor(s => s.context.results.length === 1, waiting)

    expect(context.results).toEqual(['failed DELIVERIES_EXCEEDED'])
    expect([deliveries, last.all.length]).toEqual([3, 0])
    expect(await messagesIn(node, 'dead')).toBe(1)
    await expect.poll(() => queued(node)).toBe(0)
  })

  it(
    'a thousand tasks of three workers each have exactly one result that counts',
    { timeout: 60_000 },
    async () => {
      const node = await startNode({ workflows })
      let calls = 0
      const handler: Handler = async ({ input }) => {
        calls++
        return input.n * 2
      }
      const options = { ackWait: '10s', concurrency: 20 } as const
      await Promise.all([1, 2, 3].map(() => startWorker(node, handler, options)))
      const ids = Array.from({ length: 1_000 }, (_, n) => n)
      const handles = await Promise.all(ids.map(n => node.client.start(delegator, { id: `d-${n}` })))

      await Promise.all(handles.map((handle, n) => handle.send({ type: 'DO', n })))
      const snapshots = await Promise.all(
        handles.map(handle => handle.waitFor(s => s.context.results.length > 0, { timeout: '40s' })),
      )

      expect(snapshots.map(({ context }) => context.results)).toEqual(ids.map(n => [`done ${n * 2}`]))
      expect(calls).toBe(1_000)
      await expect.poll(() => queued(node)).toBe(0)
    },
  )
})

describe('a worker', () => {
  it('is told everything that is wrong with its options', async () => {
    const creating = createWorker({
      activities: { 'a.b': async () => 1 },
      ackWait: '1ms',
      concurrency: 0,
      maxDeliveries: 1.5,
    })

    await expect(creating).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      fields: {
        problems: [
          'ackWait: must be 100 ms to 1 h',
          'concurrency: must be a whole number from 1 to 10000, not 0',
          'maxDeliveries: must be a whole number from 1 to 1000, not 1.5',
          expect.stringMatching(/^activities: a name is .*got 'a\.b'$/),
        ],
      },
    })
  })

  it('needs a namespace that a node has made', async () => {
    const creating = createWorker({
      servers: sharedServerUrl(),
      namespace: 'nobody-made-this',
      activities: { chore: async () => 1 },
    })

    expect(await codeOf(creating)).toBe('NAMESPACE_NOT_FOUND')
  })

  it('takes no more tasks than it may', async () => {
    const node = await startNode({ workflows })
    const calls = new Calls()
    const worker = await startWorker(node, calls.handler, { concurrency: 2 })
    const handles = await Promise.all([1, 2, 3].map(n => node.client.start(delegator, { id: `d-${n}` })))
    await Promise.all(handles.map((handle, n) => handle.update({ type: 'DO', n })))
    await calls.count(2)
    await expect.poll(() => queued(node)).toBe(3)

    expect(worker.status()).toEqual({
      namespace: node.status().namespace,
      running: { chore: 2 },
      abandoned: 0,
    })
    calls.end(0, 1)
    await calls.count(3)
    expect(calls.all.length).toBe(3)
  })

  it('that stops lets its tasks finish', async () => {
    const node = await startNode({ workflows })
    const calls = new Calls()
    const worker = await startWorker(node, calls.handler, { drainTimeout: '10s' })
    const handle = await node.client.start(delegator, { id: 'd' })
    await handle.send({ type: 'DO', n: 1 })
    await calls.count(1)

    const stopped = worker.stop()
    calls.end(0, 8)
    await stopped
    const { context } = await handle.waitFor(s => s.context.results.length === 1, waiting)

    expect(context.results).toEqual(['done 8'])
    expect(await queued(node)).toBe(0)
  })

  it('that stops gives back at once what it cannot finish', async () => {
    const node = await startNode({ workflows })
    const [first, second] = [new Calls(), new Calls()]
    const worker = await startWorker(node, first.handler, { ackWait: '1h' })
    const handle = await node.client.start(delegator, { id: 'd' })
    await handle.send({ type: 'DO', n: 1 })
    await first.count(1)

    await worker.stop()
    await startWorker(node, second.handler)
    await second.count(1)

    expect(first.all[0]!.signal.aborted).toBe(true)
    expect(second.all[0]!.idempotencyKey).toBe(first.all[0]!.idempotencyKey)
  })
})

async function messagesIn(node: Node, stream: 'dead' | 'tasks'): Promise<number> {
  const nc = await connect({ servers: sharedServerUrl() })
  try {
    const jsm = await nc.jetstreamManager()
    return (await jsm.streams.info(`hf_${node.status().namespace}_${stream}`)).state.messages
  } finally {
    await nc.close()
  }
}

function queued(node: Node): Promise<number> {
  return messagesIn(node, 'tasks')
}
