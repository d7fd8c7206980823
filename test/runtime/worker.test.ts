import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'

import type { TaskQueue } from '../../actors/ports.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { MemoryTaskQueue, MemoryTasks } from '../../src/memory/tasks.ts'
import { resolveWorkerOptions } from '../../src/runtime/worker-options.ts'
import { Worker } from '../../src/runtime/worker.ts'
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
})
