import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'

import type { Envelope } from '../../actors/envelope.ts'
import type { TaskQueue } from '../../actors/ports.ts'
import type { Beat, Task } from '../../actors/remote-activity.ts'
import { decodeEnvelope } from '../../src/codec/envelope.ts'
import type { TaskContext, WorkerOptions } from '../../src/index.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { MemoryStore } from '../../src/memory/store.ts'
import { MemoryTaskQueue, MemoryTasks } from '../../src/memory/tasks.ts'
import { resolveWorkerOptions } from '../../src/runtime/worker-options.ts'
import { Worker } from '../../src/runtime/worker.ts'
import { sampleRecord, sampleSummary } from '../contract/samples.ts'
import { until } from '../contract/until.ts'

describe('a worker', () => {
  it('does not begin again what it is at, when that comes again', async () => {
    const clock = new ManualClock()
    const namespace = new MemoryNamespace({ clock })
    const forgetful = new MemoryTaskQueue(namespace, { ackWaitMs: 1_000 })
    let deliveries = 0
    // Its renewals come too late, as after a crash of NATS.
    const tasks: TaskQueue = {
      async open(activity, listener) {
        const task: typeof listener.task = message => {
          deliveries++
          listener.task(message)
        }
        const consumer = await forgetful.open(activity, {
          ...listener,
          task,
          stop: name => listener.stop(name),
        })
        return { ackWaitMs: 60_000, pull: count => consumer.pull(count), close: () => consumer.close() }
      },
    }
    let calls = 0
    let end: (output: number) => void = () => {}
    const options = resolveWorkerOptions({
      drainTimeout: 0,
      activities: {
        chore: () => {
          calls++
          return new Promise<number>(resolve => (end = resolve))
        },
      },
    })
    const worker = new Worker(options, { tasks, close: async () => {} }, pino({ level: 'silent' }), clock)
    onTestFinished(() => worker.stop())
    await worker.start()
    const name = { activity: 'chore', attempt: 1, incarnation: 4, instance: { workflow: 'w', id: 'i' } }
    await new MemoryTasks(namespace).post({
      ...name,
      effectId: 'e',
      format: 'json',
      idempotencyKey: 'key',
      input: 1,
      path: 'p',
    })
    await until(() => calls === 1)

    for (const times of [2, 3]) {
      clock.advance(1_000)
      await until(() => deliveries === times)
    }
    end(7)
    await until(() => namespace.tasks.stored.size === 0)

    expect([calls, deliveries]).toEqual([1, 3])
  })

  it('takes another task in place of one whose handler ignores its signal, after its grace', async () => {
    const { clock, namespace, worker, calls } = await idle({ concurrency: 1, grace: 5_000 })
    const tasks = new MemoryTasks(namespace)
    await tasks.post(taskOf(1))
    await until(() => calls.length === 1)
    await tasks.post(taskOf(2))

    await tasks.recall(taskOf(1))
    await until(() => calls[0]!.context.signal.aborted)
    clock.advance(4_999)
    await settled()
    const before = [worker.status(), calls.length]
    clock.advance(1)
    await until(() => calls.length === 2)

    const status = { namespace: 'default', running: { chore: 1 } }
    expect(before).toEqual([{ ...status, abandoned: 0 }, 1])
    expect([worker.status(), calls[1]!.context.attempt]).toEqual([{ ...status, abandoned: 1 }, 2])
    calls[0]!.end(7)
    await until(() => worker.status().abandoned === 0)
    expect(namespace.tasks.stored.size).toBe(1)
  })

  it('abandons no handler that ends in its grace', async () => {
    const { clock, namespace, worker, calls } = await idle({ concurrency: 1, grace: 5_000 })
    const tasks = new MemoryTasks(namespace)
    await tasks.post(taskOf(1))
    await until(() => calls.length === 1)
    await tasks.recall(taskOf(1))
    await until(() => calls[0]!.context.signal.aborted)
    clock.advance(4_999)

    calls[0]!.end(7)
    await until(() => worker.status().running['chore'] === 0)
    clock.advance(1)

    expect(worker.status().abandoned).toBe(0)
  })

  it('tells of heartbeats three times within their timeout, and the newest details of each time', async () => {
    const { beats, calls, clock, namespace } = await idle()
    await new MemoryTasks(namespace).post({ ...taskOf(1), silenceMs: 900 })
    await until(() => calls.length === 1)
    const { heartbeat } = calls[0]!.context

    for (const details of ['a', 'b', undefined, 'c', undefined]) heartbeat(details)
    await settled()
    const first = beats.splice(0)
    clock.advance(299)
    await settled()
    const early = beats.splice(0)
    clock.advance(1)
    await settled()
    const second = beats.splice(0)
    clock.advance(300)
    heartbeat()
    await settled()

    expect(first.map(inShort)).toEqual(['begins', 'a'])
    expect(early).toEqual([])
    expect(second.map(inShort)).toEqual(['c'])
    expect(beats.map(inShort)).toEqual(['alive'])
  })

  it('says with each renewal that it has begun, if anybody waits for heartbeats', async () => {
    const { beats, calls, clock, namespace } = await idle()
    const tasks = new MemoryTasks(namespace)
    await tasks.post({ ...taskOf(1), silenceMs: 60_000 })
    await tasks.post(taskOf(2))
    await until(() => calls.length === 2)
    calls[1]!.context.heartbeat()

    clock.advance(10_000)
    await settled()

    expect(beats.map(inShort)).toEqual(['begins', 'begins'])
  })

  it('fails with details that cannot be sent, and does not wait for the handler', async () => {
    const { calls, namespace, worker } = await idle()
    await new MemoryTasks(namespace).post(taskOf(1))
    await until(() => calls.length === 1)

    calls[0]!.context.heartbeat(() => {})
    await until(() => namespace.tasks.stored.size === 0)

    const [told] = await envelopesOf(namespace)
    expect(told).toMatchObject({ outcome: { status: 'error', error: { code: 'VALUE_UNSUPPORTED' } } })
    expect(calls[0]!.context.signal.aborted).toBe(true)
    expect(worker.status().abandoned).toBe(1)
  })

  it('tells with a failure what was told last, which may have been lost', async () => {
    const { calls, namespace } = await idle()
    await new MemoryTasks(namespace).post(taskOf(1))
    await until(() => calls.length === 1)

    calls[0]!.context.heartbeat('a')
    calls[0]!.fail(new Error('e'))
    await until(() => namespace.tasks.stored.size === 0)

    expect(await envelopesOf(namespace)).toMatchObject([{ outcome: { status: 'error' }, details: 'a' }])
  })

  it('goes on from what the worker before has told last, if that can be read', async () => {
    const { calls, clock, namespace, worker } = await idle()
    await new MemoryTasks(namespace).post({ ...taskOf(1), lastHeartbeat: 'asked with' })
    await until(() => calls.length === 1)
    const activity = { path: 'p', src: 'p', input: 1, incarnation: 4, attempt: 1, startedAt: 0 }
    const record = {
      ...sampleRecord(taskOf(1).instance),
      activities: [{ ...activity, lastHeartbeat: 'newest' }],
    }
    await new MemoryStore(namespace).commit(record, sampleSummary(), 0)

    // It gives it back.
    await stop(worker, clock)
    const second = await idle({}, namespace)
    await until(() => second.calls.length + calls.length === 2)

    expect([calls, second.calls].flat().map(({ context }) => context.lastHeartbeat)).toEqual([
      'asked with',
      'newest',
    ])
  })
})

interface Call {
  readonly context: TaskContext<number>
  readonly end: (output: number) => void
  readonly fail: (error: Error) => void
}

interface Idle {
  readonly beats: Beat[]
  readonly calls: Call[]
  readonly clock: ManualClock
  readonly namespace: MemoryNamespace
  readonly worker: Worker
}

/** A worker for chores that end when the test says so. */
async function idle(
  options: Partial<WorkerOptions<{ chore: number }>> = {},
  namespace = new MemoryNamespace({ clock: new ManualClock() }),
): Promise<Idle> {
  const clock = namespace.clock as ManualClock
  const calls: Call[] = []
  const beats: Beat[] = []
  namespace.beatListeners.add(beat => beats.push(beat))
  const resolved = resolveWorkerOptions({
    drainTimeout: 0,
    activities: {
      chore: (context: TaskContext<number>) =>
        new Promise<number>((end, fail) => calls.push({ context, end, fail })),
    },
    ...options,
  })
  const tasks = new MemoryTaskQueue(namespace, { ackWaitMs: 30_000 })
  const worker = new Worker(resolved, { tasks, close: async () => {} }, pino({ level: 'silent' }), clock)
  onTestFinished(() => stop(worker, clock))
  await worker.start()
  return { beats, calls, clock, namespace, worker }
}

function taskOf(attempt: number): Task {
  const base = { activity: 'chore', attempt, effectId: `e-${attempt}`, format: 'json', input: 1 } as const
  return { ...base, idempotencyKey: 'key', incarnation: 4, instance: { workflow: 'w', id: 'i' }, path: 'p' }
}

function inShort({ details, isBeginning }: Beat): unknown {
  return isBeginning ? 'begins' : (details ?? 'alive')
}

async function envelopesOf(namespace: MemoryNamespace): Promise<readonly Envelope[]> {
  return Array.from({ length: namespace.partitions }, (_, n) => [...namespace.inbox(n).after(0)])
    .flat()
    .map(({ data }) => decodeEnvelope(data))
}

/** What is on its way in memory has arrived. */
async function settled(): Promise<void> {
  await new Promise(setImmediate)
}

/** Whatever it is at. */
async function stop(worker: Worker, clock: ManualClock): Promise<void> {
  const stopped = worker.stop()
  await settled()
  clock.advance(1)
  await stopped
}
