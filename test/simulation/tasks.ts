/** Tasks for workers, over a {@link Link}: as `src/nats/tasks.ts` and `src/nats/task-queue.ts` have them. */
import { isRuntimeError } from '../../actors/errors.ts'
import type { Beats, TaskConsumer, TaskListener, TaskMessage, TaskQueue, Tasks } from '../../actors/ports.ts'
import { MemoryBeats } from '../../src/memory/beats.ts'
import { MemoryTaskQueue, MemoryTasks } from '../../src/memory/tasks.ts'
import { formatAddress } from '../../src/workflow/address.ts'
import type { Link } from './link.ts'
import type { SimServer } from './server.ts'

const reopenWaitMs = 250

export function simTasks(link: Link, server: SimServer): Tasks {
  const tasks = new MemoryTasks(server.namespace)
  return {
    post: task =>
      link.publishOnce('tasks', `ask a worker for ${formatAddress(task.instance)}`, () => tasks.post(task)),
    recall: task =>
      link.request('tasks', `take back the task of ${formatAddress(task.instance)}`, () =>
        tasks.recall(task),
      ),
  }
}

export function simBeats(link: Link, server: SimServer): Beats {
  const beats = new MemoryBeats(server.namespace)
  return {
    listen: (partition, listener) =>
      link.request('beats', `listen to the workers for ${partition}`, () =>
        beats.listen(partition, {
          beat: beat => link.push('beats', () => listener.beat(beat)),
          malformed: error => link.push('beats', () => listener.malformed(error)),
        }),
      ),
  }
}

export function simTaskQueue(link: Link, server: SimServer, ackWaitMs: number): TaskQueue {
  const queue = new MemoryTaskQueue(server.namespace, { ackWaitMs })
  return {
    async open(activity, listener) {
      const consumer = new SimTaskConsumer(
        link,
        onServer => queue.open(activity, onServer),
        listener,
        ackWaitMs,
      )
      await consumer.open()
      return consumer
    },
  }
}

/** When the connection breaks the server forgets what was asked for: it is asked for again after a reconnection. */
class SimTaskConsumer implements TaskConsumer {
  readonly ackWaitMs: number
  readonly #link: Link
  readonly #make: (onServer: TaskListener) => Promise<TaskConsumer>
  readonly #listener: TaskListener
  readonly #stopReconnected: () => void
  #current: TaskConsumer | undefined
  /** Counts the reconnections. */
  #round = 0
  /** Asked for and not come. */
  #wanted = 0

  constructor(
    link: Link,
    make: (onServer: TaskListener) => Promise<TaskConsumer>,
    listener: TaskListener,
    ackWaitMs: number,
  ) {
    this.ackWaitMs = ackWaitMs
    this.#link = link
    this.#make = make
    this.#listener = listener
    // It rejects only for what is wrong with the simulation itself, and that then ends the run.
    this.#stopReconnected = link.onReconnected(() => void this.#openAgain())
  }

  async open(): Promise<void> {
    const link = this.#link
    const round = this.#round
    const onServer = await link.request('tasks', 'take tasks', () =>
      this.#make({
        task: message => link.push('tasks', () => this.#receive(message)),
        stop: task => link.push('tasks', () => this.#listener.stop(task)),
        interrupted: error => this.#listener.interrupted(error),
      }),
    )
    if (round !== this.#round) return
    link.onBroken(() => void onServer.close())
    this.#current = onServer
    this.#ask(this.#wanted)
  }

  pull(count: number): void {
    this.#wanted += count
    this.#ask(count)
  }

  async close(): Promise<void> {
    this.#round++
    this.#stopReconnected()
    await this.#current?.close()
  }

  #ask(count: number): void {
    const current = this.#current
    if (current === undefined || count === 0) return
    this.#link.send('tasks', `ask for ${count} tasks`, () => current.pull(count))
  }

  #receive(message: TaskMessage): void {
    this.#wanted--
    this.#listener.task(new SimTaskMessage(message, this.#link))
  }

  async #openAgain(): Promise<void> {
    this.#current = undefined
    const round = ++this.#round
    while (round === this.#round) {
      try {
        await this.open()
        return
      } catch (error) {
        if (!isRuntimeError(error, 'STORE_UNAVAILABLE')) throw error
      }
      await this.#link.process.sleep(reopenWaitMs)
    }
  }
}

class SimTaskMessage implements TaskMessage {
  readonly content: TaskMessage['content']
  readonly deliveries: number
  readonly #delivered: TaskMessage
  readonly #link: Link

  constructor(delivered: TaskMessage, link: Link) {
    this.content = delivered.content
    this.deliveries = delivered.deliveries
    this.#delivered = delivered
    this.#link = link
  }

  settle(...told: Parameters<TaskMessage['settle']>): Promise<void> {
    return this.#link.publishOnce('tasks', 'tell a result', () => this.#delivered.settle(...told))
  }

  beat(beat: Parameters<TaskMessage['beat']>[0]): void {
    this.#link.send('beats', 'tell how far a task is', () => this.#delivered.beat(beat))
  }

  newestDetails(): Promise<unknown> {
    return this.#link.request('loads', 'read how far a task is', () => this.#delivered.newestDetails())
  }

  working(): void {
    this.#link.send('tasks', 'work on a task', () => this.#delivered.working())
  }

  giveBack(): void {
    this.#link.send('tasks', 'give a task back', () => this.#delivered.giveBack())
  }

  drop(): void {
    this.#link.send('tasks', 'drop a task', () => this.#delivered.drop())
  }

  async deadLetter(code: string, reason: string): Promise<void> {
    throw new Error(`no task may be a dead letter in the simulation: ${code}: ${reason}`)
  }
}
