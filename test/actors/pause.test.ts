import { assign, emit, sendTo, setup } from 'xstate'
import { describe, expect, it } from 'vitest'

import type { Draft } from '../../actors/draft.ts'
import type { Effect } from '../../actors/effect.ts'
import type { Delivery, Envelope } from '../../actors/envelope.ts'
import { Instance } from '../../actors/instance.ts'
import type { InstanceHost } from '../../actors/instance-host.ts'
import { prepareWorkflow } from '../../actors/machine.ts'
import { perTurn, everySoOften, never, type Persistence } from '../../actors/persistence.ts'
import type { RecordSummary } from '../../actors/ports.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { activity } from '../../src/workflow/activity.ts'

const address = { workflow: 'worker', id: 'w-1' }

const worker = setup({
  types: {
    context: {} as { readonly n: number; readonly answer: string; readonly heard: number },
    events: {} as { type: 'ADD' | 'WORK' | 'WAIT' | 'EMIT' | 'ACT' | 'HEARD' },
  },
  actors: { work: activity({ name: 'work', run: async () => 'unused' }) },
  actions: {
    act: ({ self }) => {
      self.send({ type: 'HEARD' })
    },
  },
}).createMachine({
  id: 'worker',
  context: { n: 0, answer: '', heard: 0 },
  initial: 'idle',
  on: {
    ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) },
    EMIT: { actions: emit({ type: 'noted' }) },
    ACT: { actions: 'act' },
    HEARD: { actions: assign({ heard: ({ context }) => context.heard + 1 }) },
  },
  states: {
    idle: { on: { WORK: 'working', WAIT: 'waiting' } },
    working: {
      invoke: {
        id: 'work',
        src: 'work',
        onDone: { target: 'idle', actions: assign({ answer: ({ event }) => event.output }) },
      },
    },
    waiting: { after: { 500: { target: 'idle', actions: sendTo(({ self }) => self, { type: 'ADD' }) } } },
  },
})

/** A host that keeps what it is asked for and answers when the test says so. */
class Bench implements InstanceHost<Delivery> {
  readonly commits: { record: InstanceRecord; summary: RecordSummary }[] = []
  readonly effects: Effect[] = []
  readonly settled: string[] = []
  readonly told: string[] = []
  endings = 0
  time = 1_000
  readonly instance: Instance<Delivery>
  #seq = 0
  #revision = 0

  constructor(persistence: Persistence = perTurn) {
    const workflow = prepareWorkflow({ name: 'worker', version: 1, machine: worker, persistence })
    this.instance = new Instance<Delivery>(address, workflow, this)
    this.instance.begin()
  }

  /** One that has started. */
  static started(persistence?: Persistence): Bench {
    const bench = new Bench(persistence)
    bench.deliver({ type: 'start', input: undefined, inputDigest: 'x' })
    bench.instance.loaded(undefined)
    if (bench.commits.length > 0) bench.store()
    return bench
  }

  /** Another node's, of what that one has stored. */
  static successorOf(other: Bench): Bench {
    const bench = new Bench()
    bench.#seq = other.#seq
    bench.#revision = other.#revision
    const record = structuredClone(other.last.record)
    bench.instance.loaded({ record, revision: other.#revision, commit: 'c', event: '' })
    return bench
  }

  load(): void {}
  commit(record: InstanceRecord, summary: RecordSummary): void {
    this.commits.push({ record: structuredClone(record), summary })
  }
  perform(effects: readonly Effect[], _draft: Draft): void {
    this.effects.push(...effects)
  }
  settle({ envelope }: Delivery, { type }: { readonly type: string }): void {
    this.settled.push(`${envelope.type === 'send' ? envelope.event.type : envelope.type} ${type}`)
  }
  stopped(): void {
    this.told.push('stopped')
  }
  goesOn(): void {
    this.told.push('goes on')
  }
  flushAfter(): void {}
  wakeAt(): void {}
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

  deliver(message: object, seq = this.#seq + 1): void {
    this.#seq = Math.max(seq, this.#seq)
    const envelope = { id: `e-${seq}`, target: address, time: 0, ...message } as Envelope
    this.instance.deliver({ envelope, seq })
  }
  send(type: string, seq?: number): void {
    this.deliver({ type: 'send', event: { type } }, seq)
  }
  pause(): void {
    this.deliver({ type: 'pause', reason: 'because' })
  }
  resume(): void {
    this.deliver({ type: 'resume' })
  }
  store(): void {
    this.instance.committed(++this.#revision)
  }
  /** Settles the activity that began last. */
  finish(output: string): void {
    const begun = this.effects.findLast(effect => effect.type === 'startActivity')!
    const { path, incarnation } = begun.activity
    this.instance.report({ type: 'settled', path, incarnation, outcome: { status: 'done', output } })
  }
  /** Runs the actions asked for since the last call. */
  act(): void {
    for (const effect of this.effects.splice(0)) {
      if (effect.type !== 'action') continue
      effect.run()
      this.instance.delivered(effect.effectId)
    }
  }
  get last(): { record: InstanceRecord; summary: RecordSummary } {
    return this.commits.at(-1)!
  }
  get context(): { n: number; answer: string; heard: number } {
    return this.last.record.snapshot.context as { n: number; answer: string; heard: number }
  }
  get activities(): string[] {
    return this.effects.flatMap(effect =>
      effect.type === 'startActivity' || effect.type === 'stopActivity' ? [effect.type] : [],
    )
  }
}

describe('a paused instance', () => {
  it('takes what came before the pause, and gives back what came after', () => {
    const bench = Bench.started()

    for (const type of ['ADD', 'ADD']) bench.send(type)
    bench.pause()
    bench.send('ADD')
    while (bench.last.record.status === 'running') bench.store()
    bench.store()

    expect(bench.last.record).toMatchObject({ status: 'paused', stopReason: 'because' })
    expect(bench.context.n).toBe(2)
    expect(bench.settled).toEqual(['start accepted', 'ADD accepted', 'ADD accepted', 'pause accepted'])
    expect(bench.told.at(-1)).toBe('stopped')
    expect(bench.endings).toBe(1)
  })

  it('gives back what waits when it is loaded, save control envelopes', () => {
    const bench = Bench.started()
    bench.pause()
    bench.store()

    const next = Bench.successorOf(bench)
    const other = new Bench()
    other.send('ADD', 10)
    other.deliver({ type: 'resume' }, 11)
    other.send('ADD', 12)
    other.instance.loaded({ record: bench.last.record, revision: 2, commit: 'c', event: '' })

    expect([next.told, next.endings, next.effects]).toEqual([['stopped'], 1, []])
    expect(other.told).toEqual(['stopped'])
    expect(other.last.record).toMatchObject({ status: 'running', snapshot: { context: { n: 0 } } })
    other.store()
    expect([other.told, other.settled]).toEqual([['stopped', 'goes on'], ['resume accepted']])
  })

  it('applies what was sent before a control envelope that went ahead of it', () => {
    const bench = Bench.started()
    bench.pause()
    bench.store()

    const next = new Bench()
    next.deliver({ type: 'resume' }, 20)
    next.instance.loaded({ record: bench.last.record, revision: 2, commit: 'c', event: '' })
    next.store()
    next.send('ADD', 10)
    next.store()
    next.send('ADD', 10)
    next.deliver({ type: 'pause' }, 20)

    expect(next.context.n).toBe(1)
    expect(next.last.record).toMatchObject({ cursor: 10, control: { cursor: 20 } })
    expect(next.settled).toEqual(['resume accepted', 'ADD accepted', 'ADD duplicate', 'pause duplicate'])
  })

  it('has nothing due and owes only what it owes others', () => {
    const bench = Bench.started()
    bench.send('WAIT')
    bench.store()
    const due = bench.last.summary.dueAt
    bench.send('EMIT')
    bench.store()
    bench.pause()
    const { summary, record } = bench.last
    bench.store()

    expect(due).toBe(1_500)
    expect(summary).toMatchObject({ status: 'paused', dueAt: undefined, owes: 1, event: 'pause' })
    expect(record.timers).toHaveLength(1)
    const next = Bench.successorOf(bench)
    expect(next.effects.map(({ type }) => type)).toEqual(['emit'])
    next.instance.delivered(record.outbox[0]!.effectId)
    next.store()
    expect([next.last.summary.owes, next.endings]).toEqual([0, 1])
  })

  it('fires no timer, and once it goes on each that is overdue once', () => {
    const bench = Bench.started()
    bench.send('EMIT')
    bench.store()
    bench.send('WAIT')
    bench.store()
    bench.pause()
    bench.store()
    bench.time = 9_000

    const commits = bench.commits.length
    bench.instance.wake()
    const whilePaused = bench.commits.length
    bench.resume()
    bench.store()
    const { dueAt } = bench.last.summary
    bench.instance.wake()
    bench.store()
    bench.instance.wake()

    expect([whilePaused, dueAt, bench.commits.length]).toEqual([commits, 1_500, commits + 2])
    expect(bench.context.n).toBe(1)
    expect(bench.last.record.timers).toEqual([])
  })

  it('has its activity stopped, and begun again as the next attempt of the same invocation', () => {
    const bench = Bench.started()
    bench.send('WORK')
    bench.store()
    bench.send('EMIT')
    bench.store()
    bench.pause()
    bench.store()
    bench.finish('too late')
    bench.resume()
    bench.store()
    bench.finish('in time')

    expect(bench.activities).toEqual(['startActivity', 'stopActivity', 'startActivity'])
    const begun = bench.effects.flatMap(effect => (effect.type === 'startActivity' ? [effect.activity] : []))
    expect(begun.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(begun[1]!.incarnation).toBe(begun[0]!.incarnation)
    expect(bench.context.answer).toBe('in time')
  })

  it('never begins an activity asked for in the turn that pauses it', () => {
    const bench = Bench.started(everySoOften(1_000, 100))
    bench.send('WORK')
    bench.pause()
    while (bench.last.record.status !== 'paused') bench.store()
    bench.store()

    expect(bench.last.record.activities).toHaveLength(1)
    expect(bench.effects.filter(({ type }) => type === 'startActivity')).toHaveLength(
      bench.effects.filter(({ type }) => type === 'stopActivity').length,
    )
  })

  it('takes what its activity told before the pause was taken', () => {
    const bench = Bench.started()
    bench.send('WORK')
    bench.store()
    bench.send('ADD')
    bench.pause()
    bench.finish('in time')
    bench.store()
    bench.store()

    expect(bench.last.record.status).toBe('paused')
    expect(bench.context.answer).toBe('in time')
  })

  it('runs an action again once it goes on, as it could not take what the action has sent', () => {
    const bench = Bench.started()
    bench.send('EMIT')
    bench.store()
    bench.send('ACT')
    bench.store()
    bench.pause()
    bench.store()
    bench.act()
    const owed = bench.last.summary.owes
    bench.resume()
    bench.store()
    const heard = bench.context.heard
    bench.act()
    bench.store()
    bench.send('ADD')

    expect([owed, heard, bench.context.heard]).toEqual([1, 0, 1])
    expect(bench.last.record.outbox.map(({ type }) => type)).toEqual(['emit'])
  })

  it('is cancelled where it stands, and may then be sent no more', () => {
    const bench = Bench.started()
    bench.send('WORK')
    bench.store()
    bench.send('EMIT')
    bench.store()
    bench.pause()
    bench.store()

    bench.deliver({ type: 'cancel', reason: 'unwanted' })
    bench.store()
    bench.send('ADD')

    expect(bench.last.record).toMatchObject({ status: 'cancelled', activities: [], stopReason: undefined })
    expect(bench.told.at(-1)).toBe('goes on')
    expect(bench.settled.slice(-2)).toEqual(['cancel accepted', 'ADD rejected'])
  })

  it('stays in memory when no record is kept of it', () => {
    const bench = Bench.started(never)
    bench.pause()
    const left = bench.instance.passivate()
    bench.resume()
    bench.send('ADD')

    expect([left, bench.endings]).toEqual([false, 0])
    expect(bench.told).toEqual(['goes on', 'stopped', 'goes on'])
    expect(bench.settled.at(-1)).toBe('ADD accepted')
  })
})

describe('a control envelope', () => {
  it('ends its turn, whatever the persistence', () => {
    const bench = Bench.started(everySoOften(60_000, 1_000))
    bench.send('ADD')
    bench.pause()
    bench.resume()
    bench.send('ADD')

    expect(bench.last.record).toMatchObject({ status: 'paused', snapshot: { context: { n: 1 } } })
    bench.store()
    expect(bench.last.record).toMatchObject({ status: 'running' })
  })

  it('that changes nothing is answered without a commit', () => {
    const bench = Bench.started()
    const commits = bench.commits.length
    bench.resume()

    expect(bench.settled.at(-1)).toBe('resume ignored')
    expect(bench.commits).toHaveLength(commits)
  })
})

describe('an instance asked to give back what waits', () => {
  it('keeps everything in the middle of a turn', () => {
    const bench = Bench.started(everySoOften(60_000, 1_000))
    bench.send('ADD')

    expect(bench.instance.yield()).toBe(false)
    bench.instance.flush()
    expect(bench.instance.yield()).toBe(false)
    bench.store()
    expect(bench.instance.yield()).toBe(true)
  })
})

describe('a held instance', () => {
  it('is stopped without a commit, and says nothing of it in its record', () => {
    const bench = Bench.started()
    bench.send('WORK')
    bench.store()
    const { length } = bench.commits

    bench.instance.hold(true)

    expect(bench.commits.length).toBe(length)
    expect(bench.told.at(-1)).toBe('stopped')
    expect(bench.activities).toEqual(['startActivity', 'stopActivity'])
    expect(bench.last.summary).toMatchObject({ status: 'running', owes: 1 })
  })

  it('runs its activity again as another attempt when it is let go', () => {
    const bench = Bench.started()
    bench.send('WORK')
    bench.store()

    bench.instance.hold(true)
    bench.instance.hold(false)
    const unstored = bench.effects.length
    bench.store()
    const [, , again] = bench.effects
    bench.finish('done')

    expect(unstored).toBe(2)
    expect(again).toMatchObject({ type: 'startActivity', activity: { attempt: 2 } })
    expect(bench.told.slice(-2)).toEqual(['stopped', 'goes on'])
    expect(bench.context.answer).toBe('done')
  })

  it('takes what its parts have told before', () => {
    const bench = Bench.started()
    bench.send('WORK')
    bench.store()
    bench.send('ADD')

    bench.finish('in time')
    bench.instance.hold(true)
    bench.store()
    bench.store()
    bench.instance.hold(false)

    expect(bench.context).toMatchObject({ n: 1, answer: 'in time' })
    expect(bench.activities).toEqual(['startActivity'])
  })

  it('starts nothing that is asked for by what is being stored as it is held', () => {
    const bench = Bench.started()
    bench.send('WORK')
    bench.instance.hold(true)
    bench.send('ADD')

    bench.store()

    expect(bench.activities).toEqual(['startActivity', 'stopActivity'])
    expect(bench.settled).toEqual(['start accepted', 'WORK accepted'])
  })

  it('is held from the first when it is loaded so, and has no time of its own until it is let go', () => {
    const first = Bench.started()
    first.send('WAIT')
    first.store()
    const woken: (number | undefined)[] = []
    const bench = new (class extends Bench {
      override wakeAt(dueAt?: number): void {
        woken.push(dueAt)
      }
    })()
    bench.instance.hold(true)
    bench.instance.loaded({ record: first.last.record, revision: 2, commit: 'c', event: '' })
    bench.time = 5_000
    bench.instance.wake()
    const whileHeld = [...woken]

    bench.instance.hold(false)
    bench.instance.wake()

    expect(whileHeld).toEqual([])
    expect(woken).toEqual([1_500])
    expect(bench.context.n).toBe(1)
  })

  it('takes control envelopes, and what they store keeps what is due and owed', () => {
    const bench = Bench.started()
    bench.send('WORK')
    bench.store()

    bench.instance.hold(true)
    bench.pause()
    bench.resume()
    const paused = bench.last.summary
    bench.store()
    bench.store()

    expect(paused).toMatchObject({ status: 'paused', owes: 0 })
    expect(bench.last.summary).toMatchObject({ status: 'running', owes: 1 })
    expect(bench.activities.filter(type => type === 'startActivity').length).toBe(1)
    bench.instance.hold(false)
    bench.store()
    expect(bench.activities.at(-1)).toBe('startActivity')
  })

  it('stays paused by itself when it is let go', () => {
    const bench = Bench.started()
    bench.pause()
    bench.store()
    const next = Bench.successorOf(bench)
    next.instance.hold(true)

    const other = new Bench()
    other.instance.hold(true)
    other.deliver({ type: 'pause' }, 20)
    other.instance.loaded({ record: bench.last.record, revision: 2, commit: 'c', event: '' })
    other.instance.hold(false)

    expect(other.told).not.toContain('goes on')
    expect(other.activities).toEqual([])
  })

  it('leaves memory though its record lists an activity', () => {
    const bench = Bench.started()
    bench.send('WORK')
    bench.store()
    const before = bench.instance.passivate()

    bench.instance.hold(true)

    expect([before, bench.instance.passivate(), bench.endings]).toEqual([false, true, 1])
  })

  it('that is not there gives back what would end it, as its start may wait', () => {
    const bench = new Bench()
    bench.instance.hold(true)
    bench.deliver({ type: 'cancel', reason: 'unwanted' })
    bench.pause()

    bench.instance.loaded(undefined)

    expect(bench.settled).toEqual(['pause rejected'])
    expect(bench.commits).toEqual([])
  })

  it('applies a cancellation that has waited, though another control envelope came first', () => {
    const bench = Bench.started()
    bench.deliver({ type: 'pause' }, 29)
    bench.deliver({ type: 'resume' }, 30)
    bench.store()
    bench.store()

    const envelope = { id: 'x', target: address, time: 0, type: 'cancel', reason: 'unwanted' } as const
    bench.instance.deliver({ envelope, seq: 20, isInOrder: true })
    bench.store()

    expect(bench.last.record).toMatchObject({ status: 'cancelled', cursor: 20, control: { cursor: 30 } })
  })
})
