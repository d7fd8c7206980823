import { assign, emit, setup } from 'xstate'
import { describe, expect, it } from 'vitest'

import type { Draft } from '../../actors/draft.ts'
import type { Effect } from '../../actors/effect.ts'
import type { Delivery, Envelope } from '../../actors/envelope.ts'
import { Instance } from '../../actors/instance.ts'
import type { InstanceHost, Verdict } from '../../actors/instance-host.ts'
import { prepareWorkflow } from '../../actors/machine.ts'
import { perTurn } from '../../actors/persistence.ts'
import type { RecordSummary } from '../../actors/ports.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import type { CancelEvent } from '../../src/index.ts'
import { activity } from '../../src/workflow/activity.ts'
import { childWorkflow } from '../../src/workflow/child-workflow.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'

const address = { workflow: 'trip', id: 't-1' }
const hotel = defineWorkflow(setup({}).createMachine({ id: 'hotel' }))

/** Books, can be told to wait for a hotel of its own, and undoes what it has booked. */
const trip = setup({
  types: {
    context: {} as { readonly reason: string; readonly heard: number },
    events: {} as { type: 'BOOK' | 'LODGE' | 'LODGE_FREELY' | 'WAIT' | 'HEAR' | 'ANYTHING' } | CancelEvent,
    output: {} as string,
  },
  actors: {
    book: activity({ name: 'book', run: async () => 'unused' }),
    undo: activity({ name: 'undo', run: async () => 'unused' }),
    lodge: childWorkflow(hotel),
    lodgeFreely: childWorkflow(hotel, { detached: true }),
  },
  guards: {
    throws: () => {
      throw new Error('broken on purpose')
    },
  },
}).createMachine({
  id: 'trip',
  context: { reason: '', heard: 0 },
  output: ({ context }) => `undone: ${context.reason}`,
  initial: 'idle',
  on: { HEAR: { actions: assign({ heard: ({ context }) => context.heard + 1 }) } },
  states: {
    idle: {
      on: {
        BOOK: 'booking',
        LODGE: 'lodging',
        LODGE_FREELY: 'lodgingFreely',
        WAIT: 'waiting',
        ANYTHING: 'open',
      },
    },
    booking: {
      invoke: { id: 'book', src: 'book', onDone: 'idle' },
      on: {
        'workflow.cancel': { target: 'undoing', actions: assign({ reason: ({ event }) => event.reason }) },
        LODGE: 'lodging',
      },
    },
    undoing: {
      invoke: { id: 'undo', src: 'undo', onDone: 'undone', onError: { actions: emit({ type: 'x' }) } },
    },
    undone: { type: 'final' },
    lodging: {
      invoke: { id: 'lodge', src: 'lodge' },
      on: { 'workflow.cancel': { guard: 'throws', target: 'undone' } },
    },
    open: { on: { '*': { actions: assign({ heard: 99 }) } } },
    lodgingFreely: { invoke: { id: 'lodge', src: 'lodgeFreely' } },
    waiting: { after: { 5_000: 'undone' } },
  },
})

/** A host that keeps what it is asked for and answers when the test says so. */
class Bench implements InstanceHost<Delivery> {
  readonly commits: { record: InstanceRecord; summary: RecordSummary }[] = []
  readonly effects: Effect[] = []
  readonly verdicts: Verdict[] = []
  time = 1_000
  readonly instance: Instance<Delivery>
  #seq = 0
  #revision = 0

  constructor() {
    const workflow = prepareWorkflow({ name: 'trip', version: 1, machine: trip, persistence: perTurn })
    this.instance = new Instance<Delivery>(address, workflow, this)
    this.instance.begin()
  }

  /** One that has been sent these events. */
  static after(...types: readonly string[]): Bench {
    return Bench.started({}, ...types)
  }

  static started(over: object, ...types: readonly string[]): Bench {
    const bench = new Bench()
    bench.deliver({ type: 'start', input: undefined, inputDigest: 'x', ...over })
    bench.instance.loaded(undefined)
    bench.store()
    for (const type of types) bench.send(type)
    return bench
  }

  /** Another node's, of what that one has stored; it is loaded for that message, if any. */
  static successorOf(other: Bench, time = other.time, message?: object): Bench {
    const bench = new Bench()
    bench.time = time
    bench.commits.push(...other.commits)
    bench.#seq = other.#seq
    bench.#revision = other.#revision
    const record = structuredClone(other.record)
    if (message !== undefined) bench.deliver(message)
    bench.instance.loaded({ record, revision: other.#revision, commit: 'c', event: '' })
    if (bench.commits.length > other.commits.length) bench.store()
    return bench
  }

  load(): void {}
  commit(record: InstanceRecord, summary: RecordSummary): void {
    this.commits.push({ record: structuredClone(record), summary })
  }
  perform(effects: readonly Effect[], _draft: Draft): void {
    this.effects.push(...effects)
  }
  settle(_delivery: Delivery, verdict: Verdict): void {
    this.verdicts.push(verdict)
  }
  stopped(): void {}
  goesOn(): void {}
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
  ended(): void {}

  /** Delivers it and stores what comes of it. */
  take(message: object): void {
    const commits = this.commits.length
    this.deliver(message)
    if (this.commits.length > commits) this.store()
  }
  deliver(message: object): void {
    const seq = ++this.#seq
    const envelope = { id: `e-${seq}`, target: address, time: 0, ...message } as Envelope
    this.instance.deliver({ envelope, seq, replyTo: 'somebody' })
  }
  send(type: string): void {
    this.take({ type: 'send', event: { type } })
  }
  cancel(over: object = {}): void {
    this.take({ type: 'cancel', reason: 'rain', ...over })
  }
  store(): void {
    this.instance.committed(++this.#revision)
  }
  /** Lets its moment come. */
  reach(time: number): void {
    this.time = time
    const commits = this.commits.length
    this.instance.wake()
    if (this.commits.length > commits) this.store()
  }
  /** Settles the activity that began last. */
  finish(status: 'done' | 'error' = 'done'): void {
    const begun = this.effects.findLast(effect => effect.type === 'startActivity')!
    const { path, incarnation } = begun.activity
    const outcome = status === 'done' ? { status, output: 'x' } : { status, error: new Error('x') }
    const commits = this.commits.length
    this.instance.report({ type: 'settled', path, incarnation, outcome } as never)
    if (this.commits.length > commits) this.store()
  }
  get record(): InstanceRecord {
    return this.commits.at(-1)!.record
  }
  get summary(): RecordSummary {
    return this.commits.at(-1)!.summary
  }
  /** What was begun and stopped, and what was sent to whom. */
  get doings(): unknown[] {
    return this.effects.flatMap<unknown>(effect => {
      if (effect.type === 'startActivity') return [`start ${effect.activity.path} ${effect.activity.attempt}`]
      if (effect.type === 'stopActivity') return [`stop ${effect.path}`]
      return effect.type === 'post' ? [effect.message] : []
    })
  }
}

describe('an instance that is cancelled', () => {
  it('stops at once where its machine does not take it', () => {
    const bench = Bench.after('WAIT')
    bench.cancel()

    expect(bench.record).toMatchObject({ status: 'cancelled', timers: [], activities: [] })
    expect(bench.summary).toMatchObject({ status: 'cancelled', dueAt: undefined, owes: 0, event: 'cancel' })
    expect(bench.verdicts.at(-1)).toMatchObject({ type: 'accepted', snapshot: { status: 'stopped' } })
  })

  it.each(['ANYTHING', 'LODGE'])(
    'stops at once after %s: there only any event is taken, or a guard throws',
    type => {
      const bench = Bench.after(type)
      bench.cancel()

      expect(bench.record).toMatchObject({ status: 'cancelled', snapshot: { context: { heard: 0 } } })
    },
  )

  it('stops at once when it is forced, though its machine would take it', () => {
    const bench = Bench.after('BOOK')
    bench.cancel({ force: true })

    expect(bench.record).toMatchObject({ status: 'cancelled', snapshot: { context: { reason: '' } } })
    expect(bench.doings).toEqual(['start book 1', 'stop book'])
  })

  it('is told so and goes its own way to the end, if its machine takes it', () => {
    const bench = Bench.after('BOOK')
    bench.cancel({ graceMs: 2_000 })
    const { record, summary } = bench.commits.at(-1)!
    bench.send('HEAR')
    bench.finish()

    expect(record).toMatchObject({
      status: 'cancelling',
      cancellation: { reason: 'rain', deadline: 3_000 },
      snapshot: { value: 'undoing', context: { reason: 'rain' } },
    })
    expect(summary).toMatchObject({ status: 'cancelling', dueAt: 3_000, event: 'workflow.cancel', owes: 1 })
    expect(bench.doings).toEqual(['start book 1', 'stop book', 'start undo 1'])
    expect(bench.record).toMatchObject({
      status: 'cancelled',
      snapshot: { status: 'done', output: 'undone: rain', context: { heard: 1 } },
    })
    expect(bench.summary).toMatchObject({ dueAt: undefined, owes: 0 })
  })

  it('stops at its deadline, whoever owns it then, and 30 s after the cancel by default', () => {
    const bench = Bench.after('BOOK')
    bench.cancel()
    const next = Bench.successorOf(bench)
    next.reach(30_999)
    const early = next.record.status
    next.reach(31_000)

    expect([bench.summary.dueAt, early]).toEqual([31_000, 'cancelling'])
    expect(next.record).toMatchObject({
      status: 'cancelled',
      snapshot: { status: 'stopped' },
      activities: [],
    })
    expect(next.doings).toEqual(['start undo 2', 'stop undo'])
  })

  it('begins nothing again that is overdue to stop', () => {
    const bench = Bench.after('BOOK')
    bench.cancel({ graceMs: 500 })
    const next = Bench.successorOf(bench, 1_500)
    next.reach(1_500)

    expect(next.record.status).toBe('cancelled')
    expect(next.doings).toEqual(['stop undo'])
  })

  it('is cancelled, not done, when a successor ends what its machine began', () => {
    const bench = Bench.after('BOOK')
    bench.cancel()
    const next = Bench.successorOf(bench)
    next.finish()

    expect(next.record).toMatchObject({ status: 'cancelled', snapshot: { output: 'undone: rain' } })
  })

  it('a second time changes nothing, save that a shorter grace shortens and force forces it', () => {
    const bench = Bench.after('BOOK')
    bench.cancel({ graceMs: 5_000 })
    const commits = bench.commits.length
    bench.cancel({ reason: 'snow', graceMs: 5_000 })
    bench.cancel({ graceMs: 9_000 })
    const unchanged = bench.commits.length
    const again = bench.verdicts.slice(-3)
    bench.cancel({ graceMs: 1_000 })
    const shortened = bench.record
    bench.cancel({ force: true })

    expect(unchanged).toBe(commits)
    expect(again.map(verdict => verdict.type)).toEqual(['accepted', 'ignored', 'ignored'])
    expect(again[2]).toMatchObject({ snapshot: { status: 'active' } })
    expect(shortened).toMatchObject({
      status: 'cancelling',
      cancellation: { reason: 'rain', deadline: 2_000 },
    })
    expect(bench.record).toMatchObject({
      status: 'cancelled',
      cancellation: { reason: 'rain', deadline: 1_000 },
    })
  })

  it('has finished for whoever cancels it then, who is told how', () => {
    const bench = Bench.after('WAIT')
    bench.reach(10_000)
    const done = Bench.successorOf(bench, 10_000, { type: 'cancel', reason: '' })
    const other = Bench.after('WAIT')
    other.cancel()
    const cancelled = Bench.successorOf(other, 10_000, { type: 'cancel', reason: '' })

    expect(done.verdicts.at(-1)).toMatchObject({ code: 'INSTANCE_FINISHED', fields: { status: 'done' } })
    expect(cancelled.verdicts.at(-1)).toMatchObject({
      code: 'INSTANCE_FINISHED',
      fields: { status: 'cancelled' },
    })
  })

  it('while it is paused goes on for what its machine makes of it', () => {
    const bench = Bench.after('BOOK')
    bench.take({ type: 'pause' })
    const next = Bench.successorOf(bench, 1_000, { type: 'cancel', reason: '' })

    expect(next.record).toMatchObject({ status: 'cancelling', snapshot: { value: 'undoing' } })
    expect(next.doings).toEqual(['start undo 1'])
  })

  it('and paused meanwhile has nothing due until it goes on, and then stops if that was too late', () => {
    const bench = Bench.after('BOOK')
    bench.cancel({ graceMs: 500 })
    bench.take({ type: 'pause' })
    const paused = bench.commits.at(-1)!
    const next = Bench.successorOf(bench, 9_000, { type: 'resume' })
    next.reach(9_000)

    expect(paused.record).toMatchObject({ status: 'paused', cancellation: { deadline: 1_500 } })
    expect(paused.summary.dueAt).toBeUndefined()
    expect(next.record.status).toBe('cancelled')
  })
})

describe('the family of an instance that is cancelled', () => {
  const parent = { address: { workflow: 'tour', id: 'p-1' }, path: 'trip', incarnation: 3, depth: 1 }

  it.each([
    [{ force: true }, { force: true }],
    [{ graceMs: 700 }, { graceMs: 700 }],
    [{}, {}],
  ])('is cancelled in the manner of %o', (how, expected) => {
    const bench = Bench.after('LODGE')
    bench.effects.length = 0
    bench.cancel(how)

    const reason = 'its parent trip/t-1 no longer wants it'
    expect(bench.doings).toEqual([{ type: 'cancel', reason, ...expected }])
  })

  it('is not, where it is detached', () => {
    const bench = Bench.after('LODGE_FREELY')
    bench.effects.length = 0
    bench.cancel({ force: true })

    expect(bench.doings).toEqual([])
  })

  it('hears that somebody else has cancelled it', () => {
    for (const types of [['WAIT'], ['BOOK']]) {
      const bench = Bench.started({ parent }, ...types)
      bench.cancel()
      if (bench.record.status === 'cancelling') bench.finish()

      expect(bench.doings.at(-1)).toMatchObject({
        type: 'settle',
        path: 'trip',
        incarnation: 3,
        outcome: {
          status: 'error',
          error: { code: 'CHILD_CANCELLED', fields: { child: 'trip/t-1', reason: 'rain' } },
        },
      })
    }
  })

  it('hears nothing of what it has cancelled itself, also when a successor ends it', () => {
    const source = { name: 'tour/p-1', position: 4 }
    const bench = Bench.started({ parent }, 'BOOK')
    bench.cancel({ source })
    const next = Bench.successorOf(bench)
    next.finish()
    const other = Bench.started({ parent }, 'WAIT')
    other.cancel({ source })

    expect([next.record, other.record]).toMatchObject([
      { status: 'cancelled', outbox: [] },
      { status: 'cancelled', outbox: [] },
    ])
  })
})

describe('a hint', () => {
  it('stops what runs only where the cancel would', () => {
    const booking = Bench.after('BOOK')
    const idle = Bench.after()
    const paused = Bench.after()
    paused.take({ type: 'pause' })

    expect(booking.instance.isStoppedBy({})).toBe(false)
    expect(booking.instance.isStoppedBy({ force: true })).toBe(true)
    expect(idle.instance.isStoppedBy({})).toBe(true)
    expect(paused.instance.isStoppedBy({ force: true })).toBe(false)
    expect(new Bench().instance.isStoppedBy({ force: true })).toBe(false)
  })

  it('of another cancel without force leaves alone what its machine does for the first', () => {
    const bench = Bench.after('BOOK')
    bench.cancel()

    expect(bench.instance.isStoppedBy({})).toBe(false)
    expect(bench.instance.isStoppedBy({ force: true })).toBe(true)
  })

  it('that no cancel follows lets what it has interrupted run again, as the next attempt', () => {
    const bench = Bench.after('BOOK')
    const { incarnation, attempt } = bench.record.activities[0]!
    bench.instance.interrupted(new Map([[incarnation, attempt]]))
    bench.instance.uncancelled()
    bench.store()
    bench.instance.uncancelled()

    expect(bench.doings).toEqual(['start book 1', 'start book 2'])
    expect(bench.record.activities).toMatchObject([{ incarnation, attempt: 2 }])
  })

  it('whose cancel leaves running what it has interrupted lets that run again', () => {
    const bench = Bench.after('BOOK')
    bench.cancel()
    const { incarnation, attempt } = bench.record.activities[0]!
    bench.instance.interrupted(new Map([[incarnation, attempt]]))
    bench.cancel()
    bench.store()

    expect(bench.doings).toEqual(['start book 1', 'stop book', 'start undo 1', 'start undo 2'])
  })

  it('whose cancel stops everything lets nothing run again', () => {
    const bench = Bench.after('BOOK')
    const { incarnation, attempt } = bench.record.activities[0]!
    bench.instance.interrupted(new Map([[incarnation, attempt]]))
    bench.cancel({ force: true })
    bench.instance.uncancelled()

    expect(bench.doings).toEqual(['start book 1', 'stop book'])
    expect(bench.record.status).toBe('cancelled')
  })

  it('that no cancel follows, and whose interrupted activity has ended meanwhile, is not stored again', () => {
    const bench = Bench.after('BOOK')
    const { incarnation, attempt } = bench.record.activities[0]!
    bench.instance.interrupted(new Map([[incarnation, attempt]]))
    bench.finish()
    const { length } = bench.commits
    bench.instance.uncancelled()

    expect(bench.commits).toHaveLength(length)
    expect(bench.doings).toEqual(['start book 1'])
  })

  it('lets nothing run twice that has begun again by itself meanwhile', () => {
    const bench = Bench.after('BOOK')
    const { incarnation, attempt } = bench.record.activities[0]!
    bench.instance.interrupted(new Map([[incarnation, attempt]]))
    bench.deliver({ type: 'pause' })
    bench.deliver({ type: 'resume' })
    bench.store()
    bench.store()
    const { length } = bench.commits
    bench.instance.uncancelled()

    expect(bench.commits).toHaveLength(length)
    expect(bench.doings).toEqual(['start book 1', 'stop book', 'start book 2'])
  })
})
