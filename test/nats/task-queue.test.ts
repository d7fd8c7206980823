import { describe, expect, it } from 'vitest'

import type { TaskListener, TaskMessage } from '../../actors/ports.ts'
import type { NatsConnection } from '../../src/nats/connection.ts'
import type { Namespace } from '../../src/nats/provision.ts'
import { NatsTaskQueue } from '../../src/nats/task-queue.ts'
import { NatsTasks } from '../../src/nats/tasks.ts'
import { natsFixture } from '../contract/fixtures.ts'
import { until } from '../contract/until.ts'
import { ownServer } from '../support/nats.ts'
import { scratchDir } from '../support/processes.ts'

const ackWaitMs = 30_000
const instance = { workflow: 'order', id: 'o-1' }

function taskOf(attempt: number): Parameters<NatsTasks['post']>[0] {
  const base = { activity: 'charge', attempt, effectId: `e-${attempt}`, format: 'json' } as const
  return { ...base, idempotencyKey: 'key', incarnation: 4, input: attempt, instance, path: 'pay' }
}

interface Heard {
  readonly errors: Error[]
  readonly messages: TaskMessage[]
}

/** A worker that has room for that many tasks. */
async function open(connection: NatsConnection, namespace: Namespace, room: number): Promise<Heard> {
  const heard: Heard = { errors: [], messages: [] }
  const listener: TaskListener = {
    task: message => heard.messages.push(message),
    stop: () => {},
    interrupted: error => heard.errors.push(error),
  }
  const consumer = await new NatsTaskQueue(connection, namespace, { ackWaitMs }).open('charge', listener)
  consumer.pull(room)
  return heard
}

describe('the work queue', () => {
  it('hands on what is no task as what cannot be understood, so that no result goes elsewhere', async () => {
    const { connection, namespace } = await natsFixture()
    const { subjects } = namespace
    const envelope = { id: 'x', type: 'settle', target: instance, path: 'pay', incarnation: 4, attempt: 1 }
    const reply = { subject: '$JS.API.STREAM.DELETE.hf_prod_inbox', envelope }
    const astray = { activity: 'charge', attempt: 1, idempotencyKey: 'k', reply }
    for (const [n, content] of ['{', JSON.stringify(astray)].entries()) {
      const subject = subjects.task(0, { ...taskOf(n + 1), instance })
      await connection.publish(subject, new TextEncoder().encode(content))
    }

    const { messages } = await open(connection, namespace, 2)
    await until(() => messages.length === 2)

    expect(
      messages.map(({ content }) => ('malformed' in content ? content.malformed : content)),
    ).toMatchObject([
      { code: 'VALUE_MALFORMED' },
      { code: 'VALUE_MALFORMED', fields: { field: 'reply.subject' } },
    ])
  })

  it('is asked again when somebody has deleted its consumer', async () => {
    const { connection, namespace } = await natsFixture()
    const { errors, messages } = await open(connection, namespace, 2)

    const { consumers } = connection.jsm
    const { taskStream } = namespace.subjects
    await until(async () => (await consumers.info(taskStream, 'charge')).num_waiting === 1)
    await consumers.delete(taskStream, 'charge')
    await until(() => errors.length > 0)
    for (const attempt of [1, 2, 3]) await new NatsTasks(connection, namespace).post(taskOf(attempt))
    await until(() => messages.length === 2)

    expect(messages).toMatchObject([{ content: { attempt: 1 } }, { content: { attempt: 2 } }])
  })

  it('is asked with few requests, however often a task ends, and hands out as many as there is room for', async () => {
    const { connection, namespace } = await natsFixture()
    const heard: Heard = { errors: [], messages: [] }
    const queue = new NatsTaskQueue(connection, namespace, { ackWaitMs })
    const consumer = await queue.open('charge', {
      task: message => heard.messages.push(message),
      stop: () => {},
      interrupted: error => heard.errors.push(error),
    })

    // More than the server takes.
    for (let n = 0; n < 600; n++) {
      consumer.pull(1)
      await new Promise(setImmediate)
    }
    const { consumers } = connection.jsm
    let standing = 0
    await until(async () => {
      standing = (await consumers.info(namespace.subjects.taskStream, 'charge')).num_waiting
      return standing >= 4
    })
    const tasks = new NatsTasks(connection, namespace)
    await Promise.all(Array.from({ length: 620 }, (_, n) => tasks.post(taskOf(n + 1))))
    await until(() => heard.messages.length >= 600)
    const { num_pending: waiting } = await consumers.info(namespace.subjects.taskStream, 'charge')

    expect([heard.errors, standing, heard.messages.length, waiting]).toEqual([[], 4, 600, 20])
  })

  // What it had handed out shortly before, a server that was killed may hand out again: workers know what they are at.
  it('is asked again when NATS was killed', async () => {
    const storeDir = await scratchDir()
    const server = await ownServer({ storeDir })
    const { connection, namespace } = await natsFixture({ url: server.url })
    const tasks = new NatsTasks(connection, namespace)
    const { messages } = await open(connection, namespace, 3)
    await tasks.post(taskOf(1))
    await until(() => messages.length === 1)

    server.kill('SIGKILL')
    await server.exited
    await ownServer({ storeDir, port: server.port })
    await until(async () => (await tasks.post(taskOf(2)).catch((error: Error) => error)) === undefined)
    await until(() => messages.some(({ content }) => 'attempt' in content && content.attempt === 2))
    await messages[0]!.settle({ status: 'done', output: 1 })

    const { messages: stored } = (await connection.jsm.streams.info(namespace.subjects.taskStream)).state
    expect(stored).toBe(1)
  })
})
