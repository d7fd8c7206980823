import { describe, expect, it } from 'vitest'
import type { SettleEnvelope } from '../../actors/envelope.ts'
import { RuntimeError } from '../../actors/errors.ts'
import type {
  BeatListener,
  TaskConsumer,
  TaskListener,
  TaskMessage,
  TaskQueue,
  Tasks,
} from '../../actors/ports.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import type { Beat, Task, TaskName } from '../../actors/remote-activity.ts'
import { until } from './until.ts'

/** How long a task stays with a worker that does not renew it. */
export const ackWaitMs = 400

export interface TasksFixture {
  readonly tasks: Tasks
  /** Of a worker in a process of its own. */
  readonly queue: () => Promise<TaskQueue>
  /** Lets time go by. */
  readonly pass: (ms: number) => Promise<void>
  /** How many tasks wait or are with a worker. */
  readonly stored: () => Promise<number>
  /** Hears what workers say of instances in the partition of the one that asks, or in another one. */
  readonly listen: (listener: BeatListener, isElsewhere?: boolean) => Promise<() => void>
  /** Stores a record of the instance that asks. */
  readonly store: (activities: InstanceRecord['activities']) => Promise<void>
  /** The envelopes in the inbox, in order. */
  readonly told: () => Promise<readonly SettleEnvelope[]>
  /** The reasons of the dead letters. */
  readonly deadLetters: () => Promise<readonly string[]>
}

export const instance = { workflow: 'order', id: 'o.1 ż' }
let count = 0

function task(change: Partial<Task> = {}): Task {
  const base = { activity: 'charge', attempt: 1, format: 'msgpack', incarnation: 4, instance } as const
  const effectId = `order/o.1 ż:${++count}`
  return { ...base, effectId, path: 'pay', idempotencyKey: 'key', input: { cents: 5n }, ...change }
}

class HeardTasks implements TaskListener {
  readonly messages: TaskMessage[] = []
  readonly stopped: TaskName[] = []
  readonly errors: Error[] = []

  task(message: TaskMessage): void {
    this.messages.push(message)
  }

  stop(name: TaskName): void {
    this.stopped.push(name)
  }

  interrupted(error: Error): void {
    this.errors.push(error)
  }

  async count(n: number): Promise<void> {
    await until(() => this.messages.length >= n)
  }
}

async function worker(
  fixture: TasksFixture,
  room = 10,
): Promise<{ consumer: TaskConsumer; heard: HeardTasks }> {
  const heard = new HeardTasks()
  const consumer = await (await fixture.queue()).open('charge', heard)
  consumer.pull(room)
  return { consumer, heard }
}

/** What every pair of Tasks and TaskQueue must do. `makeFixture` answers one that holds nothing. */
export function describeTasks(name: string, makeFixture: () => Promise<TasksFixture>): void {
  describe(`Tasks: ${name}`, () => {
    it.each(['json', 'msgpack'] as const)('hands a %s task to a worker as it was posted', async format => {
      const fixture = await makeFixture()
      const input = format === 'json' ? { a: ['ż🧾', 1, null] } : { at: new Date(7), big: 2n ** 70n }
      const { heard } = await worker(fixture)

      await fixture.tasks.post(task({ format, input }))
      await heard.count(1)

      expect(heard.messages[0]!.deliveries).toBe(1)
      expect(heard.messages[0]!.content).toEqual({
        activity: 'charge',
        attempt: 1,
        idempotencyKey: 'key',
        incarnation: 4,
        input,
        instance,
      })
    })

    it('keeps tasks until there is a worker, and hands each to one that has room, in order', async () => {
      const fixture = await makeFixture()
      for (const attempt of [1, 2, 3]) await fixture.tasks.post(task({ attempt }))

      const first = await worker(fixture, 2)
      await first.heard.count(2)
      const second = await worker(fixture)
      await second.heard.count(1)

      const attempts = [...first.heard.messages, ...second.heard.messages].map(({ content }) =>
        'malformed' in content ? 0 : content.attempt,
      )
      expect(attempts).toEqual([1, 2, 3])
    })

    it('hands no worker the tasks of another activity', async () => {
      const fixture = await makeFixture()
      const { heard } = await worker(fixture)

      await fixture.tasks.post(task({ activity: 'charge-back' }))
      await fixture.tasks.post(task())
      await heard.count(1)

      expect(heard.messages).toMatchObject([{ content: { activity: 'charge' } }])
      expect(await fixture.stored()).toBe(2)
    })

    it('keeps a task once, however often it is posted, also when it is with a worker', async () => {
      const fixture = await makeFixture()
      const posted = task()
      await fixture.tasks.post(posted)
      await fixture.tasks.post(posted)
      const { heard } = await worker(fixture)
      await heard.count(1)

      await fixture.tasks.post(posted)
      // Nobody remembers this id: long after, the task itself tells that it is there.
      await fixture.tasks.post({ ...posted, effectId: 'order/o.1 ż:forgotten' })

      expect([await fixture.stored(), heard.messages.length]).toEqual([1, 1])
    })

    it('tells the instance the outcome once, and then the task is gone', async () => {
      const fixture = await makeFixture()
      const { heard } = await worker(fixture)
      await fixture.tasks.post(task({ effectId: 'e' }))
      await heard.count(1)
      const [message] = heard.messages as [TaskMessage]

      await message.settle({ status: 'done', output: { receipt: 7n } })
      await message.settle({ status: 'error', error: new Error('too late') })

      expect(await fixture.stored()).toBe(0)
      expect(await fixture.told()).toMatchObject([
        {
          type: 'settle',
          id: 'e.settled',
          target: instance,
          path: 'pay',
          incarnation: 4,
          attempt: 1,
          outcome: { status: 'done', output: { receipt: 7n } },
        },
      ])
    })

    it('tells with a failure how far it had come', async () => {
      const fixture = await makeFixture()
      const { heard } = await worker(fixture)
      await fixture.tasks.post(task())
      await heard.count(1)

      await heard.messages[0]!.settle({ status: 'error', error: 'e' }, { page: 7n })

      expect(await fixture.told()).toMatchObject([{ outcome: { status: 'error' }, details: { page: 7n } }])
    })

    it('hands a worker what it must know of heartbeats, and what it says to whoever hears the instance', async () => {
      const fixture = await makeFixture()
      const [beats, elsewhere]: [Beat[], Beat[]] = [[], []]
      const malformed = (error: Error) => {
        throw error
      }
      const stop = await fixture.listen({ beat: beat => beats.push(beat), malformed })
      await fixture.listen({ beat: beat => elsewhere.push(beat), malformed }, true)
      const { heard } = await worker(fixture)
      await fixture.tasks.post(task({ lastHeartbeat: { page: 6n }, path: 'a.b ż', silenceMs: 3_000 }))
      await heard.count(1)
      const [message] = heard.messages as [TaskMessage]

      message.beat({ details: undefined, isBeginning: true })
      message.beat({ details: undefined, isBeginning: false })
      message.beat({ details: { page: 7n }, isBeginning: false })
      await until(() => beats.length === 3)
      stop()
      message.beat({ details: 8, isBeginning: false })
      await fixture.pass(50)

      expect(message.content).toMatchObject({ lastHeartbeat: { page: 6n }, silenceMs: 3_000 })
      const of = { instance, path: 'a.b ż', incarnation: 4, attempt: 1 }
      expect(beats).toEqual([
        { ...of, details: undefined, isBeginning: true },
        { ...of, details: undefined, isBeginning: false },
        { ...of, details: { page: 7n }, isBeginning: false },
      ])
      expect(elsewhere).toEqual([])
    })

    it('refuses details that cannot be sent', async () => {
      const fixture = await makeFixture()
      const { heard } = await worker(fixture)
      await fixture.tasks.post(task())
      await heard.count(1)
      const codeOf = (details: unknown) => {
        try {
          heard.messages[0]!.beat({ details, isBeginning: false })
          return 'none'
        } catch (error) {
          return (error as RuntimeError).code
        }
      }

      expect([codeOf(() => {}), codeOf('x'.repeat(2 ** 21))]).toEqual([
        'VALUE_UNSUPPORTED',
        'PAYLOAD_TOO_LARGE',
      ])
    })

    it('answers a worker how far the one before it had come', async () => {
      const fixture = await makeFixture()
      const { heard } = await worker(fixture)
      await fixture.tasks.post(task())
      await heard.count(1)
      const [message] = heard.messages as [TaskMessage]
      const none = await message.newestDetails()

      const activity = { path: 'pay', src: 'pay', input: 1, attempt: 1, startedAt: 0 }
      await fixture.store([
        { ...activity, path: 'other', incarnation: 3, lastHeartbeat: 'other' },
        { ...activity, incarnation: 4, lastHeartbeat: { page: 7n } },
      ])

      expect([none, await message.newestDetails()]).toEqual([undefined, { page: 7n }])
    })

    it('gives a task that is not renewed to another worker, one that is to nobody', async () => {
      const fixture = await makeFixture()
      const first = await worker(fixture)
      await fixture.tasks.post(task({ attempt: 1 }))
      await fixture.tasks.post(task({ attempt: 2 }))
      await first.heard.count(2)
      const { heard } = await worker(fixture)

      for (let n = 0; n < 6; n++) {
        first.heard.messages[1]!.working()
        await fixture.pass(ackWaitMs / 4)
      }
      await until(() => heard.messages.length + first.heard.messages.length > 2)

      const again = [...heard.messages, ...first.heard.messages.slice(2)]
      expect(again).toMatchObject([{ deliveries: 2, content: { attempt: 1 } }])
    })

    it('gives a task that is given back to another worker at once', async () => {
      const fixture = await makeFixture()
      const first = await worker(fixture, 1)
      await fixture.tasks.post(task())
      await first.heard.count(1)
      const { heard } = await worker(fixture)

      first.heard.messages[0]!.giveBack()
      await heard.count(1)

      expect(heard.messages).toMatchObject([{ deliveries: 2 }])
    })

    it('takes back that task only, from the queue and from the worker, who hears of it', async () => {
      const fixture = await makeFixture()
      await fixture.tasks.post(task({ attempt: 1 }))
      const { heard } = await worker(fixture, 1)
      await heard.count(1)
      await fixture.tasks.post(task({ attempt: 2 }))
      await fixture.tasks.post(task({ attempt: 12 }))

      const name = { activity: 'charge', incarnation: 4, instance }
      await fixture.tasks.recall({ ...name, attempt: 1 })
      await fixture.tasks.recall({ ...name, attempt: 2 })
      await fixture.tasks.recall({ ...name, attempt: 3 })
      await until(() => heard.stopped.some(({ attempt }) => attempt === 3))

      const stopped = [...new Set(heard.stopped.map(told => JSON.stringify(told)))]
      expect(stopped.map(told => JSON.parse(told) as TaskName)).toEqual(
        [1, 2, 3].map(attempt => ({ ...name, attempt })),
      )
      expect(await fixture.stored()).toBe(1)
    })

    it('keeps a task among the dead letters, and drops it when told so', async () => {
      const fixture = await makeFixture()
      const { heard } = await worker(fixture)
      await fixture.tasks.post(task())
      await heard.count(1)

      await heard.messages[0]!.deadLetter('DELIVERIES_EXCEEDED', 'too often')
      expect(await fixture.stored()).toBe(1)
      heard.messages[0]!.drop()

      await until(async () => (await fixture.stored()) === 0)
      expect(await fixture.deadLetters()).toEqual(['too often'])
    })

    it('tells a worker that has closed nothing more', async () => {
      const fixture = await makeFixture()
      const { consumer, heard } = await worker(fixture)
      await consumer.close()
      await fixture.tasks.post(task())

      const other = await worker(fixture)
      await other.heard.count(1)

      expect(heard.messages).toEqual([])
      expect(other.heard.messages[0]!.deliveries).toBe(1)
    })

    it.each([
      ['json', { big: 1n }],
      ['msgpack', { run: () => {} }],
    ] as const)('refuses an input that %s cannot say', async (format, input) => {
      const { tasks } = await makeFixture()

      const error = await tasks.post(task({ format, input })).catch((failure: unknown) => failure)

      expect(error).toBeInstanceOf(RuntimeError)
      expect(error).toMatchObject({ code: 'VALUE_UNSUPPORTED' })
    })
  })
}
