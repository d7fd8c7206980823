import type { Tasks } from '../../actors/ports.ts'
import type { Task, TaskName } from '../../actors/remote-activity.ts'
import { encodeTask } from '../codec/task.ts'
import { formatAddress, partitionOf } from '../workflow/address.ts'
import type { NatsConnection } from './connection.ts'
import { isConflict, translate } from './errors.ts'
import type { Publisher } from './group-publisher.ts'
import { Headers } from './headers.ts'
import type { Namespace } from './provision.ts'
import { publishOnce } from './publish.ts'
import { headerText } from './record-headers.ts'

const nothing = new Uint8Array()

/** The work queue of remote activities, as nodes fill it. */
export class NatsTasks implements Tasks {
  readonly #connection: NatsConnection
  readonly #namespace: Namespace
  readonly #publisher: Publisher

  /** @param publisher stores the tasks, maybe several together */
  constructor(connection: NatsConnection, namespace: Namespace, publisher: Publisher = connection) {
    this.#connection = connection
    this.#namespace = namespace
    this.#publisher = publisher
  }

  async post(task: Task): Promise<void> {
    const { partitions, subjects } = this.#namespace
    const partition = partitionOf(task.instance, partitions)
    const subject = subjects.task(partition, task)
    const headers = Headers.of({
      'Nats-Msg-Id': headerText(task.effectId),
      // A task stays until it is done: one that is posted again long after is still there, or no longer needed.
      'Nats-Expected-Last-Subject-Sequence': '0',
      'Content-Type': task.format === 'json' ? 'application/json' : 'application/msgpack',
    })
    const heartbeat = subjects.beat(partition, task)
    const data = encodeTask(task, { subject: subjects.envelope(partition, task.instance), heartbeat })
    const what = `ask for activity '${task.activity}' of ${formatAddress(task.instance)}`
    try {
      await publishOnce(this.#connection, what, { data, headers, subject }, undefined, this.#publisher)
    } catch (error) {
      if (!isConflict((error as Error).cause)) throw error
    }
  }

  async recall(task: TaskName): Promise<void> {
    const { partitions, subjects } = this.#namespace
    const partition = partitionOf(task.instance, partitions)
    const filter = subjects.task(partition, task)
    const subject = `$JS.API.STREAM.PURGE.${subjects.taskStream}`
    const stop = () => this.#connection.send(subjects.stop(partition, task), nothing)
    // At once, for the worker that is at it, and once more, for one that was given it meanwhile.
    stop()
    try {
      await this.#connection.askApi(subject, { filter })
    } catch (error) {
      throw translate(error, { what: `take back activity '${task.activity}'`, subject })
    }
    stop()
  }
}
