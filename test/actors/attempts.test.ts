import { assign, setup } from 'xstate'
import { describe, expect, it } from 'vitest'

import type { Effect } from '../../actors/effect.ts'
import type { Delivery, Envelope } from '../../actors/envelope.ts'
import { RuntimeError } from '../../actors/errors.ts'
import { Instance } from '../../actors/instance.ts'
import type { InstanceHost } from '../../actors/instance-host.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import { prepareWorkflow, type PreparedWorkflow } from '../../actors/machine.ts'
import { atRest, perTurn, type Persistence } from '../../actors/persistence.ts'
import type { RecordSummary } from '../../actors/ports.ts'
import type { ActivityRecord, InstanceRecord } from '../../actors/record.ts'
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts'
import { activity } from '../../src/workflow/activity.ts'
import type { ActivityOptions } from '../../src/workflow/activity-options.ts'

const address = { workflow: 'worker', id: 'w-1' }

type Policies = Pick<ActivityOptions<unknown, unknown>, 'restart' | 'retry' | 'timeout'>

/** Works twice at a time, and keeps every error and the number of answers. */
function workerOf(policies: Policies, persistence: Persistence): PreparedWorkflow {
  const machine = setup({
    types: {
      context: {} as {
        readonly added: number
        readonly answers: number
        readonly errors: readonly unknown[]
      },
      events: {} as { type: 'ADD' },
    },
    actors: { work: activity({ name: 'work', run: async () => 'unused', ...policies }) },
    actions: {
      countAnswer: assign({ answers: ({ context }) => context.answers + 1 }),
      keepError: assign({
        errors: ({ context, event }) => [...context.errors, (event as { error?: unknown }).error],
      }),
    },
  }).createMachine({
    context: { added: 0, answers: 0, errors: [] },
    on: { ADD: { actions: assign({ added: ({ context }) => context.added + 1 }) } },
    type: 'parallel',
    states: {
      left: {
        initial: 'working',
        states: {
          working: {
            invoke: {
              id: 'left',
              src: 'work',
              onDone: { target: 'idle', actions: 'countAnswer' },
              onError: { target: 'idle', actions: 'keepError' },
            },
          },
          idle: {},
        },
      },
      right: {
        initial: 'working',
        states: {
          working: {
            invoke: {
              id: 'right',
              src: 'work',
              onDone: { target: 'idle', actions: 'countAnswer' },
              onError: { target: 'idle', actions: 'keepError' },
            },
          },
          idle: {},
        },
      },
    },
  })
  return prepareWorkflow({ name: 'worker', version: 1, machine, persistence })
}

/** A host that keeps what it is asked for and answers when the test says so. */
class Bench implements InstanceHost<Delivery> {
  readonly commits: { record: InstanceRecord; summary: RecordSummary }[] = []
  readonly effects: Effect[] = []
  endings = 0
  loads = 0
  time = 1_000
  wakesAt: number | undefined
  instance: Instance<Delivery>
  readonly #workflow: PreparedWorkflow
  #seq = 0
  #revision = 0

  constructor(policies: Policies = {}, persistence: Persistence = perTurn) {
    this.#workflow = workerOf(policies, persistence)
    this.instance = new Instance<Delivery>(address, this.#workflow, this)
    this.instance.begin()
    this.deliver({ type: 'start', input: undefined, inputDigest: 'x' })
    this.instance.loaded(undefined)
    if (persistence === perTurn) this.store()
  }

  load(): void {
    this.loads++
  }
  commit(record: InstanceRecord, summary: RecordSummary): void {
    this.commits.push({ record: decodeRecord(encodeRecord(record)), summary })
  }
  perform(effects: readonly Effect[]): void {
    this.effects.push(...effects)
  }
  settle(): void {}
  stopped(): void {}
  goesOn(): void {}
  flushAfter(): void {}
  wakeAt(dueAt: number | undefined): void {
    this.wakesAt = dueAt
  }
  keepActivities(): ReadonlySet<number> {
    this.abandonActivities()
    return new Set()
  }
  abandonActivities(): void {}
  readonly isCrowded = false

  awaitRoom(): void {}

  nextCommitId(): string {
    return 'c'
  }
  now(): number {
    return this.time
  }
  rested(): void {}
  ended(): void {
    this.endings++
  }

  deliver(message: object): void {
    const seq = ++this.#seq
    this.instance.deliver({
      envelope: { id: `e-${seq}`, target: address, time: 0, ...message } as Envelope,
      seq,
    })
  }
  add(): void {
    this.deliver({ type: 'send', event: { type: 'ADD' } })
  }
  store(): void {
    this.instance.committed(++this.#revision)
  }
  /** Its process dies; another one has its record, and is sent that. */
  crash(...messages: readonly object[]): void {
    this.instance = new Instance<Delivery>(address, this.#workflow, this)
    this.instance.begin()
    this.effects.length = 0
    for (const message of messages) this.deliver(message)
    this.reload()
  }
  reload(changed = (record: InstanceRecord) => record): void {
    const record = changed(structuredClone(this.record))
    this.instance.loaded({ record, revision: this.#revision, commit: 'c', event: '' })
  }
  settled(path: string, outcome: LeafOutcome, details?: unknown): void {
    const { attempt, incarnation } = this.activity(path)!
    this.instance.report({ type: 'settled', path, incarnation, attempt, outcome, details })
  }
  beat(path: string, details: unknown): void {
    const { attempt, incarnation } = this.activity(path)!
    this.instance.report({ type: 'heartbeat', path, incarnation, attempt, details })
  }
  wake(atMs: number): void {
    this.time = atMs
    this.wakesAt = undefined
    this.instance.wake()
  }
  get record(): InstanceRecord {
    return this.commits.at(-1)!.record
  }
  activity(path: string): ActivityRecord | undefined {
    return this.record.activities.find(each => each.path === path)
  }
  /** What has begun and what was stopped since the last crash. */
  get doings(): string[] {
    return this.effects.map(effect => {
      if (effect.type === 'startActivity') return `${effect.activity.path} ${effect.activity.attempt}`
      return effect.type === 'stopActivity' ? `stop ${effect.path}` : effect.type
    })
  }
  get context(): { added: number; answers: number; errors: { code?: string; message: string }[] } {
    return this.record.snapshot.context as never
  }
}

const down: LeafOutcome = { status: 'error', error: new Error('down') }
const done: LeafOutcome = { status: 'done', output: 'ok' }

describe('a restart after a crash', () => {
  it('begins its attempts once their numbers are stored, in one write with what waits', () => {
    const bench = new Bench()
    bench.crash()
    const before = bench.doings
    bench.add()
    bench.store()
    const attempts = bench.record.activities.map(({ attempt, restarts }) => ({ attempt, restarts }))

    expect(before).toEqual([])
    expect(attempts).toEqual([
      { attempt: 2, restarts: [1_000] },
      { attempt: 2, restarts: [1_000] },
    ])
    expect(bench.doings).toEqual(['left 2', 'right 2'])
    expect(bench.commits).toHaveLength(3)
  })

  it('has the next numbers when the process is killed by what it begins', () => {
    const bench = new Bench()
    const seen = [1, 2, 3].map(() => {
      bench.crash()
      bench.store()
      return bench.doings[0]
    })

    expect(seen).toEqual(['left 2', 'left 3', 'left 4'])
  })

  it('begins them at once where activities begin before a record lists them', () => {
    const bench = new Bench({}, atRest)
    bench.instance.flush()
    bench.store()
    const { length } = bench.commits
    bench.crash()

    expect(bench.doings).toEqual(['left 2', 'right 2'])
    expect(bench.commits).toHaveLength(length)
  })

  it('runs none again that has settled in the turn that was refused', () => {
    const bench = new Bench()
    bench.add()
    bench.settled('left', done)
    bench.settled('right', down)
    bench.store()
    bench.effects.length = 0
    bench.instance.conflicted(new RuntimeError('REVISION_CONFLICT', 'again'), true)
    bench.commits.pop()
    bench.reload()
    bench.store()

    expect(bench.loads).toBe(2)
    expect(bench.doings).toEqual([])
    expect(bench.record.activities).toEqual([])
    expect(bench.context).toMatchObject({ added: 1, answers: 1, errors: [{ message: 'down' }] })
  })

  it('does not count those of its own node', () => {
    const bench = new Bench()
    bench.add()
    bench.instance.conflicted(new RuntimeError('REVISION_CONFLICT', 'again'), true)
    bench.commits.pop()
    bench.reload()

    expect(bench.record.activities).toMatchObject([{ attempt: 2 }, { attempt: 2 }])
    expect(bench.activity('left')).not.toHaveProperty('restarts')
  })

  it('goes on without the count when the record has no room for it', () => {
    const bench = new Bench()
    bench.crash()
    bench.instance.refused(new RuntimeError('PAYLOAD_TOO_LARGE', 'no room'))
    bench.commits.pop()
    bench.reload()
    bench.store()

    expect(bench.activity('left')).not.toHaveProperty('restarts')
    expect(bench.doings).toEqual(['left 2', 'right 2'])
    expect(bench.endings).toBe(0)
  })

  it('suspends the instance when there were too many, and what it runs goes on with a retry', () => {
    const bench = new Bench({ restart: { intensity: 2, period: '1m' } })
    for (let crash = 0; crash < 3; crash++) {
      bench.crash()
      bench.store()
    }
    const { incident, status } = bench.record
    const begunWhileSuspended = bench.doings.filter(doing => !doing.startsWith('stop'))
    // It has left memory meanwhile.
    bench.crash({ type: 'retry' })
    bench.store()

    expect(status).toBe('suspended')
    expect(incident).toMatchObject({ actor: 'left', code: 'RESTARTS_EXCEEDED', tries: 1 })
    expect(begunWhileSuspended).toEqual([])
    expect(bench.record.status).toBe('running')
    expect(bench.doings).toEqual(['left 4', 'right 4'])
  })

  it('is none for what is temporary', () => {
    const bench = new Bench({ restart: 'temporary', retry: { maxAttempts: 9 } })
    bench.crash()
    bench.store()

    expect(bench.context.errors).toMatchObject([{ code: 'ACTIVITY_LOST' }, { code: 'ACTIVITY_LOST' }])
    expect(bench.doings).toEqual([])
  })

  it('waits with a paused instance, and is not counted then', () => {
    const bench = new Bench()
    bench.deliver({ type: 'pause' })
    bench.store()
    bench.crash()
    const whilePaused = bench.doings
    bench.crash({ type: 'resume' })
    const before = bench.doings
    bench.store()

    expect([whilePaused, before]).toEqual([[], []])
    expect(bench.commits).toHaveLength(3)
    expect(bench.doings).toEqual(['left 2', 'right 2'])
    expect(bench.activity('left')).toMatchObject({ attempt: 2 })
    expect(bench.activity('left')).not.toHaveProperty('restarts')
  })

  it('does not happen on a node that leaves', () => {
    const bench = new Bench()
    bench.crash()
    bench.instance.finish()
    bench.store()

    expect(bench.endings).toBe(1)
  })
})

describe('the time for all attempts', () => {
  const policies: Policies = {
    retry: { initialInterval: 400, jitter: 0, maxAttempts: 9 },
    timeout: { total: '1s' },
  }

  it('ends those that run and those that wait, once', () => {
    const bench = new Bench(policies)
    const deadline = bench.wakesAt
    bench.settled('right', down)
    bench.store()
    const waking = bench.wakesAt
    bench.wake(1_400)
    bench.store()
    bench.settled('right', down)
    bench.store()
    bench.effects.length = 0

    bench.wake(2_000)
    const before = bench.doings
    bench.store()

    expect([deadline, waking]).toEqual([2_000, 1_400])
    expect(before).toEqual([])
    expect(bench.doings).toEqual(['stop left'])
    // The second wait of the right one would have ended too late.
    expect(bench.context.errors).toMatchObject([
      { message: 'down' },
      { code: 'ACTIVITY_TIMEOUT', fields: { timeout: 'total', limitMs: 1_000, attempt: 1 } },
    ])
    expect(bench.record.activities).toEqual([])
    expect(bench.wakesAt).toBeUndefined()
  })

  it('holds across a crash and while a retry is waited for', () => {
    const bench = new Bench(policies)
    bench.settled('right', down)
    bench.store()
    bench.time = 1_300
    bench.crash()
    bench.store()
    const begun = bench.doings
    const { summary } = bench.commits.at(-1)!
    bench.time = 2_500
    bench.crash()
    bench.instance.wake()
    bench.store()
    bench.store()

    expect(begun).toEqual(['left 2'])
    expect(summary.dueAt).toBe(1_400)
    expect(bench.effects.filter(({ type }) => type === 'startActivity')).toEqual([])
    expect(bench.context.errors).toMatchObject([
      { code: 'ACTIVITY_TIMEOUT', fields: { timeout: 'total', attempt: 2 } },
      { code: 'ACTIVITY_TIMEOUT', fields: { timeout: 'total', attempt: 1 }, cause: { message: 'down' } },
    ])
  })

  it('does not pass for a paused instance before it goes on', () => {
    const bench = new Bench(policies)
    bench.deliver({ type: 'pause' })
    bench.store()
    const whilePaused = bench.wakesAt
    bench.time = 5_000
    bench.crash({ type: 'resume' })
    bench.store()

    expect(whilePaused).toBeUndefined()
    expect(bench.context.errors).toHaveLength(2)
    expect(bench.doings.filter(doing => doing.endsWith(' 2'))).toEqual([])
  })
})

describe('the details of a heartbeat', () => {
  const policies: Policies = { retry: { initialInterval: 100, jitter: 0 } }

  it('are stored without a transition, and given to the next attempt', () => {
    const bench = new Bench(policies)
    bench.beat('left', { page: 3 })
    const { summary } = bench.commits.at(-1)!
    bench.store()
    bench.crash()
    bench.store()

    expect(bench.activity('left')).toMatchObject({ attempt: 2, lastHeartbeat: { page: 3 } })
    expect(bench.effects[0]).toMatchObject({ activity: { path: 'left', lastHeartbeat: { page: 3 } } })
    expect(summary.event).toBe('xstate.init')
    expect(bench.activity('right')).not.toHaveProperty('lastHeartbeat')
  })

  it('go along with a failure, in its write', () => {
    const bench = new Bench(policies)
    const { length } = bench.commits
    bench.settled('left', down, { page: 4 })
    bench.store()
    bench.wake(1_100)
    bench.store()

    expect(bench.commits).toHaveLength(length + 2)
    expect(bench.activity('left')).toMatchObject({ attempt: 2, lastHeartbeat: { page: 4 } })
    expect(bench.doings.at(-1)).toBe('left 2')
  })

  it('are those of the last attempt that gave some', () => {
    const bench = new Bench(policies)
    bench.beat('left', { page: 3 })
    bench.store()
    bench.settled('left', down)
    bench.store()

    expect(bench.activity('left')).toMatchObject({ retryAt: 1_100, lastHeartbeat: { page: 3 } })
  })

  it('are dropped when another node has stored a later attempt, and how far that is', () => {
    for (const isEnding of [false, true]) {
      const bench = new Bench(policies)
      // It is still at the first attempt, and another node has begun the second.
      const first = bench.activity('left')!
      bench.add()
      const { attempt, incarnation, path } = first
      const details = { page: 3 }
      if (isEnding)
        bench.instance.report({ type: 'settled', path, incarnation, attempt, outcome: down, details })
      else bench.instance.report({ type: 'heartbeat', path, incarnation, attempt, details })
      bench.instance.conflicted(new RuntimeError('REVISION_CONFLICT', 'another node'), true)
      bench.commits.pop()
      bench.reload(record => ({
        ...record,
        activities: [{ ...first, attempt: 2, lastHeartbeat: { page: 7 } }],
      }))

      expect(bench.activity('left')).toMatchObject({ lastHeartbeat: { page: 7 } })
    }
  })

  it('are dropped when nobody waits for the activity any more', () => {
    const bench = new Bench(policies)
    const { incarnation } = bench.activity('left')!
    bench.settled('left', done)
    bench.store()
    const { length } = bench.commits
    bench.instance.report({ type: 'heartbeat', path: 'left', incarnation, attempt: 1, details: 1 })

    expect(bench.commits).toHaveLength(length)
  })
})

describe('a policy that throws', () => {
  it('has the attempt made again, and the log told', () => {
    const nonRetryable = () => {
      throw new TypeError('not my day')
    }
    const bench = new Bench({ retry: { initialInterval: 100, jitter: 0, nonRetryable } })
    bench.settled('left', down)
    bench.store()

    expect(bench.activity('left')).toMatchObject({ retryAt: 1_100 })
    expect(bench.effects.at(-1)).toMatchObject({
      type: 'complaint',
      path: 'left',
      error: expect.any(TypeError),
    })
  })
})
