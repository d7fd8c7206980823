import type {
  TaskConsumer,
  TaskListener,
  TaskMessage,
  TaskQueue,
  Tasks,
  TimerHandle,
} from '../../actors/ports.ts'
import type { Task, TaskName } from '../../actors/remote-activity.ts'
import { encodeEnvelope } from '../codec/envelope.ts'
import { decodeBeat, decodeTask, encodeBeat, encodeTask } from '../codec/task.ts'
import { formatAddress, partitionOf } from '../workflow/address.ts'
import type { MemoryNamespace } from './namespace.ts'
import { MemorySnapshots } from './snapshots.ts'

/** A task as it waits, or is with a worker. */
interface StoredTask {
  readonly activity: string
  readonly data: Uint8Array
  readonly key: string
  deliveries: number
  /** When it comes again; undefined while it waits. */
  timer: TimerHandle | undefined
}

/** The tasks of a namespace, and the workers that take them. */
export class MemoryTaskStore {
  /** By name, in the order they came. */
  readonly stored = new Map<string, StoredTask>()
  readonly consumers = new Set<MemoryTaskConsumer>()

  /** Hands out what waits: later, as a delivery would come. */
  pump(): void {
    queueMicrotask(() => {
      for (const task of this.stored.values()) {
        if (task.timer !== undefined) continue
        for (const consumer of this.consumers) if (consumer.take(task)) break
      }
    })
  }
}

/** The work queue of remote activities in memory, as nodes fill it. */
export class MemoryTasks implements Tasks {
  readonly #namespace: MemoryNamespace

  constructor(namespace: MemoryNamespace) {
    this.#namespace = namespace
  }

  async post(task: Task): Promise<void> {
    const { tasks } = this.#namespace
    const key = keyOf(task)
    const data = encodeTask(task, { subject: formatAddress(task.instance), heartbeat: key })
    this.#namespace.requireFitting(`ask for activity '${task.activity}'`, data)
    if (tasks.stored.has(key) || !this.#namespace.isNew(`task ${task.effectId}`)) return
    tasks.stored.set(key, { activity: task.activity, data, deliveries: 0, key, timer: undefined })
    tasks.pump()
  }

  async recall(task: TaskName): Promise<void> {
    const { consumers, stored } = this.#namespace.tasks
    stored.get(keyOf(task))?.timer?.cancel()
    stored.delete(keyOf(task))
    const { activity, attempt, incarnation, instance } = task
    for (const consumer of consumers) consumer.stop({ activity, attempt, incarnation, instance })
  }
}

export interface MemoryTaskQueueOptions {
  readonly ackWaitMs: number
}

/** The same, as a worker empties it. */
export class MemoryTaskQueue implements TaskQueue {
  readonly #namespace: MemoryNamespace
  readonly #ackWaitMs: number

  constructor(namespace: MemoryNamespace, { ackWaitMs }: MemoryTaskQueueOptions) {
    this.#namespace = namespace
    this.#ackWaitMs = ackWaitMs
  }

  async open(activity: string, listener: TaskListener): Promise<TaskConsumer> {
    const consumer = new MemoryTaskConsumer(this.#namespace, activity, listener, this.#ackWaitMs)
    this.#namespace.tasks.consumers.add(consumer)
    return consumer
  }
}

class MemoryTaskConsumer implements TaskConsumer {
  readonly ackWaitMs: number
  readonly #namespace: MemoryNamespace
  readonly #activity: string
  readonly #listener: TaskListener
  #wanted = 0

  constructor(namespace: MemoryNamespace, activity: string, listener: TaskListener, ackWaitMs: number) {
    this.#namespace = namespace
    this.#activity = activity
    this.#listener = listener
    this.ackWaitMs = ackWaitMs
  }

  pull(count: number): void {
    this.#wanted += count
    this.#namespace.tasks.pump()
  }

  async close(): Promise<void> {
    this.#namespace.tasks.consumers.delete(this)
  }

  /** Hands the task to the worker if it has room. */
  take(task: StoredTask): boolean {
    if (this.#wanted === 0 || task.activity !== this.#activity) return false
    this.#wanted -= 1
    task.deliveries += 1
    this.#hold(task)
    this.#listener.task(this.#message(task, task.deliveries))
    return true
  }

  stop(task: TaskName): void {
    if (task.activity === this.#activity) this.#listener.stop(task)
  }

  #message(task: StoredTask, deliveries: number): TaskMessage {
    const { beatListeners, clock, partitions, tasks } = this.#namespace
    const isStored = () => tasks.stored.get(task.key) === task
    const drop = () => {
      if (!isStored()) return
      task.timer?.cancel()
      tasks.stored.delete(task.key)
    }
    const { task: content, answer, path } = decodeTask(task.data)
    const { attempt, incarnation, instance } = content
    return {
      content,
      deliveries,
      settle: async (outcome, details) => {
        const envelope = answer(outcome, clock.now(), details)
        const data = encodeEnvelope(envelope)
        this.#namespace.requireFitting('tell a result', data)
        this.#namespace.deliverOnce(envelope.id, partitionOf(envelope.target, partitions), data)
        drop()
      },
      beat: said => {
        const data = encodeBeat(said)
        this.#namespace.requireFitting('tell how far a task is', data)
        const beat = { attempt, incarnation, instance, path, ...decodeBeat(data) }
        for (const listener of beatListeners) queueMicrotask(() => listener(beat))
      },
      newestDetails: async () => {
        const stored = await new MemorySnapshots(this.#namespace).get(instance)
        return stored?.record.activities.find(activity => activity.incarnation === incarnation)?.lastHeartbeat
      },
      working: () => {
        if (isStored() && task.timer !== undefined) this.#hold(task)
      },
      giveBack: () => {
        if (isStored()) this.#release(task)
      },
      deadLetter: async (code, reason) => {
        const partition = partitionOf(content.instance, partitions)
        this.#namespace.bury({ data: task.data, replyTo: undefined, seq: 0 }, partition, code, reason)
      },
      drop,
    }
  }

  /** Keeps it from others for a while. */
  #hold(task: StoredTask): void {
    task.timer?.cancel()
    task.timer = this.#namespace.clock.setTimer(this.ackWaitMs, () => this.#release(task))
  }

  #release(task: StoredTask): void {
    task.timer?.cancel()
    task.timer = undefined
    this.#namespace.tasks.pump()
  }
}

function keyOf({ activity, attempt, incarnation, instance }: TaskName): string {
  return `${activity} ${formatAddress(instance)} ${incarnation} ${attempt}`
}
