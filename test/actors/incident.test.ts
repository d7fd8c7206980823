import { describe, expect, it } from 'vitest'
import {
  assign,
  emit,
  enqueueActions,
  fromPromise,
  fromTransition,
  sendTo,
  setup,
  type AnyActorLogic,
  type AnyStateMachine,
} from 'xstate'

import type { Draft } from '../../actors/draft.ts'
import type { Effect } from '../../actors/effect.ts'
import type { Delivery, Envelope } from '../../actors/envelope.ts'
import { RuntimeError } from '../../actors/errors.ts'
import type { EventObject } from '../../actors/event.ts'
import { Instance } from '../../actors/instance.ts'
import type { InstanceHost, Verdict } from '../../actors/instance-host.ts'
import { prepareWorkflow, type OnError } from '../../actors/machine.ts'
import {
  atRest,
  everySoOften,
  never,
  perTurn,
  whenChosen,
  type Persistence,
} from '../../actors/persistence.ts'
import type { RecordSummary } from '../../actors/ports.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts'
import { activity } from '../../src/workflow/activity.ts'
import { remoteActivity } from '../../src/workflow/remote-activity.ts'

const address = { workflow: 'fragile', id: 'f-1' }

/** What is broken in the code until it is fixed. */
let isBroken = true

/** The same, where an activity has failed. */
let breaksAtEnd = false

function breakAtEnd(): boolean {
  if (breaksAtEnd) throw new TypeError('its end is broken')
  return true
}

function breakIf<T>(value: T): T {
  if (isBroken) throw new TypeError('it is broken')
  return value
}

/** A host that stores what it is asked to, as bytes, when the test says so. */
class Bench implements InstanceHost<Delivery> {
  readonly effects: Effect[] = []
  readonly verdicts = new Map<string, Verdict>()
  readonly told: string[] = []
  instance: Instance<Delivery>
  abandons = 0
  commits = 0
  time = 1_000
  #bytes: Uint8Array | undefined
  #written: InstanceRecord | undefined
  #revision = 0
  #seq = 0
  #isLoading = false
  #isCommitting = false
  #isEnded = false
  readonly #machine: AnyStateMachine
  readonly #onError: OnError
  readonly #persistence: Persistence

  constructor(machine: AnyStateMachine, onError: OnError = 'suspend', persistence = perTurn) {
    isBroken = true
    breaksAtEnd = false
    this.#machine = machine
    this.#onError = onError
    this.#persistence = persistence
    this.instance = this.#open()
  }

  /** One that has started, and is broken from then on. */
  static started(machine: AnyStateMachine, onError: OnError = 'suspend', persistence = perTurn): Bench {
    const bench = new Bench(machine, onError, persistence)
    isBroken = false
    bench.deliver({ type: 'start', input: undefined, inputDigest: 'x' })
    isBroken = true
    return bench
  }

  load(): void {
    this.#isLoading = true
  }
  commit(record: InstanceRecord, _summary: RecordSummary): void {
    this.#written = decodeRecord(encodeRecord(record))
    this.#isCommitting = true
  }
  perform(effects: readonly Effect[], _draft: Draft): void {
    this.effects.push(...effects)
  }
  settle({ envelope }: Delivery, verdict: Verdict): void {
    this.verdicts.set(envelope.id, verdict)
  }
  stopped(): void {
    this.told.push('stopped')
  }
  goesOn(): void {
    this.told.push('goes on')
  }
  wakeAt(): void {}
  flushAfter(): void {}
  keepActivities(): ReadonlySet<number> {
    this.abandonActivities()
    return new Set()
  }
  abandonActivities(): void {
    this.abandons++
  }
  readonly isCrowded = false

  awaitRoom(): void {}

  nextCommitId(): string {
    return 'c'
  }
  now(): number {
    return this.time
  }
  rested(): void {}
  ended(error?: Error): void {
    if (error !== undefined) throw error
    this.#isEnded = true
  }

  /** Another process takes over from what is stored. */
  takeOver(): void {
    this.instance.abandon()
    this.#isLoading = false
    this.#isCommitting = false
    this.effects.length = 0
    this.instance = this.#open()
    this.settleAll()
  }

  /** Hands them over at once, so that they make one turn, and answers what became of the last one. */
  deliver(...messages: object[]): Verdict | undefined {
    this.hand(...messages)
    this.settleAll()
    return this.verdict()
  }

  hand(...messages: object[]): void {
    for (const message of messages) this.#hand(message, ++this.#seq)
  }

  /** Hands one over once more, as the inbox does. */
  redeliver(message: object, seq: number): void {
    this.#hand(message, seq)
    this.settleAll()
  }

  #hand(message: object, seq: number): void {
    // One that rests leaves the memory.
    if (this.#isEnded) this.instance = this.#open()
    const envelope = { id: `e-${seq}`, target: address, time: 0, ...message } as Envelope
    this.instance.deliver({ envelope, seq, replyTo: 'someone' })
  }

  /** Of the last envelope, or of one so many before it. */
  verdict(before = 0): Verdict | undefined {
    return this.verdicts.get(`e-${this.#seq - before}`)
  }

  takeVerdict(id: string): string | undefined {
    const verdict = this.verdicts.get(id)
    this.verdicts.delete(id)
    return verdict?.type
  }

  send(...types: string[]): Verdict | undefined {
    return this.deliver(...types.map(type => ({ type: 'send', event: { type } })))
  }

  /** Answers loads and commits until there are none. */
  settleAll(): void {
    while (this.#isLoading || this.#isCommitting) this.settleNext()
  }

  settleNext(): void {
    if (this.#isLoading) {
      this.#isLoading = false
      const revision = this.#revision
      const record = this.#bytes && decodeRecord(this.#bytes)
      this.instance.loaded(record && { record, revision, commit: 'c', event: '' })
    } else {
      this.#isCommitting = false
      this.#bytes = encodeRecord(this.#written!)
      this.commits++
      this.instance.committed(++this.#revision)
    }
  }

  /** Another node stores that in place of what is being stored. */
  overtake(record: InstanceRecord): void {
    this.#isCommitting = false
    this.#bytes = encodeRecord(record)
    this.#revision++
    this.instance.conflicted(new RuntimeError('REVISION_CONFLICT', 'another node'), true)
  }

  get revision(): number {
    return this.#revision
  }
  get record(): InstanceRecord {
    return decodeRecord(this.#bytes!)
  }
  takeEffects(): string[] {
    const taken = this.effects.splice(0)
    return taken.map(effect => (effect.type === 'emit' ? String(effect.event.type) : effect.type))
  }

  #open(): Instance<Delivery> {
    this.#isEnded = false
    const workflow = prepareWorkflow({
      name: 'fragile',
      version: 1,
      machine: this.#machine,
      onError: this.#onError,
      persistence: this.#persistence,
    })
    const instance = new Instance<Delivery>(address, workflow, this)
    instance.begin()
    return instance
  }
}

const types = {} as {
  context: { readonly log: readonly string[] }
  events: EventObject
}

const child = setup({ types: {} as { events: EventObject } }).createMachine({
  on: { BREAK: { guard: () => breakIf(true) } },
})

const fragile = setup({
  types,
  actors: {
    child,
    silent: fromTransition((state: number) => breakIf(state + 1), 0),
    work: fromPromise(async ({ input }: { input: number }) => input),
  },
  actions: {
    note: assign({ log: ({ context, event }) => [...context.log, event.type] }),
    tellItself: ({ self }) => self.send({ type: 'GUARD' }),
  },
}).createMachine({
  context: { log: [] },
  initial: 'idle',
  on: {
    NOTE: { actions: 'note' },
    EMIT: { actions: emit({ type: 'noted' }) },
    GUARD: { guard: () => breakIf(true), actions: 'note' },
    ASSIGN: { actions: ['note', assign(() => breakIf({}))] },
    QUEUE: {
      actions: enqueueActions(({ enqueue }) => {
        enqueue('note')
        breakIf(undefined)
      }),
    },
    CHILD: { actions: ['note', sendTo('child', { type: 'BREAK' })] },
    SILENT: { actions: ['note', sendTo('silent', { type: 'BREAK' })] },
    DELAY: '.delayed',
    INPUT: '.given',
    PARAMS: { actions: { type: 'note', params: () => breakIf(undefined) } as never },
    OUTPUT: '.over',
    TIME: '.timed',
    WORK: '.working',
    SELF: { actions: 'tellItself' },
  },
  invoke: [
    { id: 'child', src: 'child' },
    { id: 'silent', src: 'silent' },
  ],
  states: {
    idle: {},
    delayed: { entry: 'note', after: { 10: { target: 'idle', guard: () => true } } },
    given: {
      entry: 'note',
      invoke: { id: 'given', src: 'work', input: () => breakIf(1) },
    },
    timed: { entry: 'note', after: { 500: { target: 'idle', guard: () => breakIf(true), actions: 'note' } } },
    working: {
      entry: 'note',
      invoke: {
        id: 'work',
        src: 'work',
        input: 1,
        onDone: { target: 'idle', actions: ['note', assign(() => breakIf({}))] },
      },
    },
    over: { entry: 'note', type: 'final', output: () => breakIf('fine') },
  },
  output: () => breakIf('fine'),
})

const slow = setup({ types, delays: { soon: () => breakIf(10) } }).createMachine({
  context: { log: [] },
  initial: 'idle',
  states: { idle: { on: { DELAY: 'delayed' } }, delayed: { after: { soon: 'idle' } } },
})

const stillborn = setup({ types, actors: { work: fromPromise(async () => 1) } }).createMachine({
  context: () => breakIf({ log: ['born'] }),
  entry: emit({ type: 'born' }),
  on: { NOTE: { actions: assign({ log: ({ context }) => [...context.log, 'NOTE'] }) } },
  invoke: { src: 'work' },
})

/** The activity that was begun last ends, or what is due by then happens. */
function tell(bench: Bench): void {
  const started = bench.effects.findLast(effect => effect.type === 'startActivity')
  if (started === undefined) {
    bench.time += 1_000
    bench.instance.wake()
    return
  }
  const { path, incarnation } = started.activity
  bench.instance.report({ type: 'settled', path, incarnation, outcome: { status: 'done', output: 5 } })
}

describe('a step that throws', () => {
  it.each(['GUARD', 'ASSIGN', 'QUEUE', 'CHILD', 'SILENT', 'INPUT', 'OUTPUT', 'PARAMS'])(
    'in %s suspends the instance, with the event and the error',
    type => {
      const bench = Bench.started(fragile)

      const verdict = bench.send(type)

      const { incident, snapshot, status } = bench.record
      expect(verdict?.type).toBe('suspended')
      expect(status).toBe('suspended')
      expect(incident).toMatchObject({
        at: 1_000,
        code: 'STEP_FAILED',
        tries: 1,
        cause: { type: 'envelope', envelope: { type: 'send', event: { type } } },
      })
      expect((incident!.error as Error).message).toContain('it is broken')
      // Undone as a whole.
      expect(snapshot).toMatchObject({ status: 'active', value: 'idle', context: { log: [] } })
      expect(bench.told.at(-1)).toBe('stopped')
    },
  )

  it('names the actor in it', () => {
    const bench = Bench.started(fragile)

    bench.send('CHILD')

    expect(bench.record.incident?.actor).toBe('child')
  })

  it('in a delay suspends it', () => {
    const bench = Bench.started(slow)

    bench.send('DELAY')

    expect(bench.record).toMatchObject({ status: 'suspended', snapshot: { value: 'idle' } })
  })

  it('keeps what came before it in its turn, and gives back what comes after', () => {
    const bench = Bench.started(fragile)

    bench.send('NOTE', 'EMIT', 'GUARD', 'NOTE')

    expect(bench.record).toMatchObject({ status: 'suspended', snapshot: { context: { log: ['NOTE'] } } })
    expect([3, 2, 1, 0].map(before => bench.verdict(before)?.type)).toEqual([
      'accepted',
      'accepted',
      'suspended',
      undefined,
    ])
    expect(bench.takeEffects()).toEqual(['noted'])
  })

  it('is none that a machine above it handles', () => {
    const parent = setup({ types, actors: { child } }).createMachine({
      context: { log: [] },
      initial: 'on',
      states: {
        on: {
          invoke: { id: 'child', src: 'child', onError: 'off' },
          on: { BREAK: { actions: sendTo('child', { type: 'BREAK' }) } },
        },
        off: {},
      },
    })
    const bench = Bench.started(parent)

    const verdict = bench.send('BREAK')

    expect(verdict?.type).toBe('accepted')
    expect(bench.record).toMatchObject({ status: 'running', snapshot: { value: 'off' } })
  })

  it('is none when an activity fails and nobody handles that: then the instance fails', () => {
    const bench = Bench.started(fragile)
    bench.send('WORK')
    const { incarnation } = bench.record.activities[0]!

    bench.instance.report({
      type: 'settled',
      path: 'work',
      incarnation,
      outcome: { status: 'error', error: new Error('no') },
    })
    bench.settleAll()

    expect(bench.record).toMatchObject({ status: 'failed', snapshot: { error: new Error('no') } })
  })

  it('is retried when it is fixed, and the instance goes on', () => {
    const bench = Bench.started(fragile)
    bench.send('GUARD')
    isBroken = false

    const verdict = bench.deliver({ type: 'retry' })
    bench.send('NOTE')

    expect(verdict?.type).toBe('accepted')
    expect(bench.record).toMatchObject({
      status: 'running',
      snapshot: { context: { log: ['GUARD', 'NOTE'] } },
    })
    expect(bench.record.incident).toBeUndefined()
    expect(bench.told.at(-1)).toBe('goes on')
  })

  it('throws again when it is retried too soon, and counts that', () => {
    const bench = Bench.started(fragile)
    bench.send('GUARD')
    bench.time = 2_000

    const verdict = bench.deliver({ type: 'retry' })
    bench.deliver({ type: 'retry' })

    const { incident, status } = bench.record
    expect(verdict?.type).toBe('suspended')
    expect(status).toBe('suspended')
    expect(incident).toMatchObject({ at: 2_000, tries: 3, cause: { envelope: { event: { type: 'GUARD' } } } })
  })

  it('keeps its event when something else throws before that is stepped again', () => {
    const work = activity({ name: 'work', timeout: { total: '1s' }, run: async () => {} })
    const machine = setup({ types, actors: { work } }).createMachine({
      context: { log: [] },
      type: 'parallel',
      on: { GUARD: { actions: assign({ log: () => breakIf(['GUARD']) }) } },
      states: {
        working: { invoke: { src: 'work', onError: { guard: () => breakIf(true), actions: assign({}) } } },
      },
    })
    const bench = Bench.started(machine)
    bench.send('GUARD')
    bench.time = 3_000

    const verdict = bench.deliver({ type: 'retry' })
    const { incident } = bench.record
    isBroken = false
    bench.deliver({ type: 'retry' })

    expect(verdict?.type).toBe('suspended')
    expect(incident).toMatchObject({ tries: 2, cause: { envelope: { event: { type: 'GUARD' } } } })
    expect(bench.record).toMatchObject({ status: 'running', snapshot: { context: { log: ['GUARD'] } } })
  })

  it('is made again before the machine hears of what has run out of time meanwhile', () => {
    const work = activity({ name: 'work', timeout: { total: '1s' }, run: async () => {} })
    const machine = setup({ types, actors: { work } }).createMachine({
      context: { log: [] },
      initial: 'working',
      states: {
        working: {
          invoke: { src: 'work', onError: 'late' },
          on: { GUARD: { target: 'left', actions: assign({ log: () => breakIf(['GUARD']) }) } },
        },
        left: {},
        late: {},
      },
    })
    const bench = Bench.started(machine)
    bench.send('GUARD')
    bench.time = 3_000
    isBroken = false

    bench.deliver({ type: 'retry' })

    expect(bench.record.snapshot.value).toBe('left')
    expect(bench.record.activities).toEqual([])
  })

  it('is skipped, and the instance goes on', () => {
    const bench = Bench.started(fragile)
    bench.send('GUARD')

    bench.deliver({ type: 'skip' })
    bench.send('NOTE')

    expect(bench.record).toMatchObject({ status: 'running', snapshot: { context: { log: ['NOTE'] } } })
  })

  it('is given up, and the instance fails with its error, or with the reason', () => {
    const plain = Bench.started(fragile)
    plain.send('GUARD')
    plain.deliver({ type: 'fail' })
    const reasoned = Bench.started(fragile)
    reasoned.send('GUARD')
    reasoned.deliver({ type: 'fail', reason: 'not worth it' })

    expect(plain.record).toMatchObject({ status: 'failed', activities: [], timers: [] })
    expect((plain.record.snapshot.error as Error).message).toContain('it is broken')
    const error = reasoned.record.snapshot.error as Error
    expect(error).toMatchObject({ code: 'WORKFLOW_FAILED', message: 'not worth it' })
    expect((error.cause as Error).message).toContain('it is broken')
    expect(plain.record.incident).toBeUndefined()
  })

  it('survives its process, at every point of it', () => {
    const bench = Bench.started(fragile)
    const guard = { type: 'send', id: 'guard', event: { type: 'GUARD' } }
    const retry = { type: 'retry', id: 'retry' }
    bench.hand(guard)
    // Its turn is about to be done again: nothing is stored.
    bench.takeOver()
    bench.redeliver(guard, 2)
    const first = bench.takeVerdict('guard')
    // It is stored, and not acknowledged: it is parked, until the instance takes something again.
    bench.takeOver()
    bench.redeliver(guard, 2)
    const again = bench.takeVerdict('guard')
    const { incident } = bench.record
    isBroken = false
    bench.hand(retry)
    // The retry is not stored.
    bench.takeOver()
    bench.redeliver(retry, 3)
    const retried = bench.takeVerdict('retry')
    // It is stored, and not acknowledged.
    bench.takeOver()
    bench.redeliver(retry, 3)
    bench.redeliver(guard, 2)

    expect([first, again, retried]).toEqual(['suspended', undefined, 'accepted'])
    expect(incident).toMatchObject({ tries: 1 })
    expect([bench.takeVerdict('retry'), bench.takeVerdict('guard')]).toEqual(['duplicate', 'duplicate'])
    expect(bench.record).toMatchObject({ status: 'running', snapshot: { context: { log: ['GUARD'] } } })
  })

  it('ends the instance when that is cancelled', () => {
    const bench = Bench.started(fragile)
    bench.send('GUARD')

    bench.deliver({ type: 'cancel', reason: 'enough' })

    expect(bench.record.status).toBe('cancelled')
    expect(bench.record.incident).toBeUndefined()
  })

  it('stops the activities of the instance, which run again when it goes on', () => {
    const bench = Bench.started(fragile)
    bench.send('WORK')
    bench.takeEffects()

    bench.send('GUARD')
    const whileSuspended = bench.takeEffects()
    bench.deliver({ type: 'skip' })

    expect(whileSuspended).toEqual(['stopActivity'])
    expect(bench.takeEffects()).toEqual(['startActivity'])
    expect(bench.record.activities).toMatchObject([{ path: 'work', attempt: 2 }])
  })
})

describe('a suspended instance', () => {
  it('keeps how an activity ended, and does not run it again', () => {
    const bench = Bench.started(fragile)
    bench.send('WORK')
    const { incarnation } = bench.record.activities[0]!
    bench.instance.report({
      type: 'settled',
      path: 'work',
      incarnation,
      outcome: { status: 'done', output: 5 },
    })
    bench.settleAll()
    bench.takeEffects()
    const { incident } = bench.record
    isBroken = false

    bench.deliver({ type: 'retry' })

    expect(incident).toMatchObject({ cause: { type: 'report', report: { outcome: { output: 5 } } } })
    expect(bench.record).toMatchObject({ status: 'running', activities: [], snapshot: { value: 'idle' } })
    expect(bench.record.snapshot.context).toEqual({ log: ['WORK', 'xstate.done.actor.work'] })
    expect(bench.takeEffects()).toEqual([])
  })

  it('keeps how an activity ended that no record has listed yet', () => {
    const bench = Bench.started(fragile, 'suspend', atRest)
    bench.send('WORK')
    const { activity } = bench.effects.find(effect => effect.type === 'startActivity')!
    const { path, incarnation } = activity
    bench.instance.report({ type: 'settled', path, incarnation, outcome: { status: 'done', output: 5 } })
    bench.settleAll()
    isBroken = false

    bench.deliver({ type: 'retry' })

    expect(bench.record).toMatchObject({ status: 'running', activities: [], snapshot: { value: 'idle' } })
  })

  it('forgets an activity whose end is skipped', () => {
    const bench = Bench.started(fragile)
    bench.send('WORK')
    const { incarnation } = bench.record.activities[0]!
    bench.instance.report({
      type: 'settled',
      path: 'work',
      incarnation,
      outcome: { status: 'done', output: 5 },
    })
    bench.settleAll()
    bench.takeEffects()

    bench.deliver({ type: 'skip' })

    expect(bench.record).toMatchObject({ status: 'running', activities: [], snapshot: { value: 'working' } })
    expect(bench.takeEffects()).not.toContain('startActivity')
  })

  it('keeps a timer that made the step, after those that were due before', () => {
    const bench = Bench.started(fragile)
    bench.send('TIME')
    bench.time = 2_000

    bench.instance.wake()
    bench.settleAll()
    const { incident, timers } = bench.record
    isBroken = false
    bench.deliver({ type: 'retry' })

    expect(incident).toMatchObject({ cause: { type: 'timer', path: '', dueAt: 1_500 } })
    expect(timers).toEqual([])
    expect(bench.record).toMatchObject({ status: 'running', timers: [], snapshot: { value: 'idle' } })
  })

  it('keeps a timer that no record has listed yet, once', () => {
    const bench = Bench.started(fragile, 'suspend', everySoOften(60_000, 100))
    bench.send('TIME')
    bench.time = 1_700

    bench.instance.wake()
    bench.settleAll()

    expect(bench.record).toMatchObject({ status: 'suspended', incident: { cause: { dueAt: 1_500 } } })
    expect(bench.record.timers).toEqual([])
  })

  it.each([
    ['an activity', 'WORK', atRest],
    ['a timer', 'TIME', everySoOften(60_000, 100)],
  ])('is it not by %s that goes with what a held instance gives back', (_, type, persistence) => {
    const bench = Bench.started(fragile, 'suspend', persistence)
    const event = { type: 'send', event: { type } }
    bench.send(type)
    // It throws, and while the turn is done again, the instance is held.
    tell(bench)
    bench.instance.hold(true)
    bench.settleAll()
    const { snapshot, status } = bench.record
    isBroken = false

    bench.instance.hold(false)
    bench.redeliver(event, 2)
    tell(bench)
    bench.instance.flush()
    bench.settleAll()

    expect(status).toBe('running')
    expect(snapshot).toMatchObject({ value: 'idle', context: { log: [] } })
    expect(bench.record).toMatchObject({ status: 'running', activities: [], timers: [] })
    expect(bench.record.snapshot.value).toBe('idle')
  })

  it('is none when another node has made the step meanwhile', () => {
    const bench = Bench.started(fragile)
    bench.send('WORK')
    const { record } = bench
    tell(bench)
    // The turn is done again, and about to be stored.
    bench.settleNext()
    isBroken = false
    const done = { ...record, activities: [], snapshot: { ...record.snapshot, value: 'idle' } }
    bench.overtake(done)
    bench.settleAll()

    expect(bench.record).toMatchObject({ status: 'running', activities: [], snapshot: { value: 'idle' } })
  })

  it('fires what was due before the timer that threw, and what is due after it later', () => {
    const machine = setup({
      types,
      actions: { note: assign({ log: ({ context, event }) => [...context.log, event.type] }) },
    })
    const three = machine.createMachine({
      context: { log: [] },
      type: 'parallel',
      states: {
        first: { after: { 100: { actions: 'note' } } },
        second: { after: { 200: { guard: () => breakIf(true), actions: 'note' } } },
        third: { after: { 300: { actions: 'note' } } },
      },
    })
    const bench = Bench.started(three)
    bench.time = 2_000
    bench.instance.wake()
    bench.settleAll()
    const whileSuspended = bench.record
    isBroken = false
    bench.deliver({ type: 'retry' })
    bench.instance.wake()
    bench.settleAll()

    const fired = (record: InstanceRecord) =>
      (record.snapshot.context as { log: string[] }).log.map(type => /after\.(\d+)/.exec(type)?.[1])
    expect(whileSuspended.status).toBe('suspended')
    expect(fired(whileSuspended)).toEqual(['100'])
    expect(fired(bench.record)).toEqual(['100', '200', '300'])
  })

  it('keeps what one of its actions has sent to itself', () => {
    const bench = Bench.started(fragile)
    bench.send('SELF')
    const action = bench.effects.find(effect => effect.type === 'action')!
    action.run()
    bench.instance.delivered(action.effectId)
    bench.settleAll()
    const { incident } = bench.record
    isBroken = false

    bench.deliver({ type: 'retry' })

    expect(incident).toMatchObject({ cause: { type: 'self', path: '', event: { type: 'GUARD' } } })
    expect(bench.record).toMatchObject({ status: 'running', snapshot: { context: { log: ['GUARD'] } } })
  })

  it('exists when its machine does not even start, and starts when that is retried', () => {
    const bench = new Bench(stillborn)
    const verdict = bench.deliver({ type: 'start', input: undefined, inputDigest: 'x' })
    const { incident, snapshot, status } = bench.record
    bench.takeOver()
    const again = bench.deliver({ type: 'retry' })
    bench.takeOver()
    isBroken = false
    bench.deliver({ type: 'retry' })
    const effects = bench.takeEffects()
    bench.takeOver()
    bench.send('NOTE')

    expect(verdict?.type).toBe('suspended')
    expect(status).toBe('suspended')
    expect(incident).toMatchObject({ cause: { envelope: { type: 'start' } } })
    expect(snapshot.context).toBeUndefined()
    expect(again?.type).toBe('suspended')
    expect(effects.toSorted()).toEqual(['born', 'startActivity'])
    expect(bench.record).toMatchObject({
      status: 'running',
      snapshot: { context: { log: ['born', 'NOTE'] } },
    })
  })

  it('exists when what should make a pool throws, and the pool serves it when that is retried', () => {
    const machine = setup({ types }).createMachine({
      context: { log: [] },
      on: { acquire: { actions: assign(() => breakIf({ log: ['served'] })) } },
    })
    const holder = { address, path: 'site', incarnation: 1 }
    const bench = new Bench(machine)

    const verdict = bench.deliver({ type: 'acquire', holder, permits: 1, priority: 3, size: 1 })

    expect(verdict?.type).toBe('suspended')
    expect(bench.record).toMatchObject({
      status: 'suspended',
      incident: { cause: { envelope: { type: 'acquire' } } },
    })
    isBroken = false
    expect(bench.deliver({ type: 'retry' })?.type).toBe('accepted')
    expect(bench.record).toMatchObject({ status: 'running', snapshot: { context: { log: ['served'] } } })
  })

  it('is neither skipped nor edited when its machine has not started, but fails', () => {
    const bench = new Bench(stillborn)
    bench.deliver({ type: 'start', input: undefined, inputDigest: 'x' })

    const skip = bench.deliver({ type: 'skip' })
    const edit = bench.deliver({ type: 'edit', revision: bench.revision, value: {}, context: {} })
    const fail = bench.deliver({ type: 'fail' })

    expect(skip).toMatchObject({ type: 'rejected', code: 'INSTANCE_NOT_BEGUN' })
    expect(edit).toMatchObject({ type: 'rejected', code: 'INSTANCE_NOT_BEGUN' })
    expect(fail?.type).toBe('accepted')
    expect(bench.record.status).toBe('failed')
  })

  it('is cancelled like any other when its machine has not started', () => {
    const bench = new Bench(stillborn)
    bench.deliver({ type: 'start', input: undefined, inputDigest: 'x' })

    const verdict = bench.deliver({ type: 'cancel', reason: 'enough' })

    expect(verdict?.type).toBe('accepted')
    expect(bench.record).toMatchObject({ status: 'cancelled', activities: [], timers: [] })
    expect(bench.record.incident).toBeUndefined()
  })

  it.each(['fail', 'cancel'])('ends by %s when its machine has not started, whenever it is stored', type => {
    const bench = new Bench(stillborn, 'suspend', atRest)
    bench.deliver({ type: 'start', input: undefined, inputDigest: 'x' })

    const verdict = bench.deliver({ type, reason: 'enough' })

    expect(verdict?.type).toBe('accepted')
    expect(bench.record.incident).toBeUndefined()
    expect(bench.record.status).toBe(type === 'fail' ? 'failed' : 'cancelled')
  })

  it('loses nothing of its turn when its node leaves while that is done again', () => {
    const bench = Bench.started(fragile)
    bench.hand(
      { type: 'send', event: { type: 'EMIT' } },
      { type: 'send', id: 'a', event: { type: 'NOTE' } },
      { type: 'send', id: 'b', event: { type: 'GUARD' } },
    )
    // Stored is the first of them alone.
    bench.settleNext()
    bench.instance.finish()
    bench.settleAll()

    expect(bench.record).toMatchObject({ status: 'running', snapshot: { context: { log: [] } } })
    bench.redeliver({ type: 'send', id: 'a', event: { type: 'NOTE' } }, 3)
    bench.redeliver({ type: 'send', id: 'b', event: { type: 'GUARD' } }, 4)
    expect(bench.record).toMatchObject({ status: 'suspended', snapshot: { context: { log: ['NOTE'] } } })
  })

  it('delivers nothing once more when its node leaves while its turn is done again', () => {
    const bench = Bench.started(fragile)
    bench.send('EMIT', 'SELF')
    const action = bench.effects.find(effect => effect.type === 'action')!
    action.run()
    bench.takeEffects()

    bench.instance.finish()
    bench.settleAll()

    expect(bench.takeEffects()).toEqual([])
    const { outbox, status } = bench.record
    expect(status).toBe('suspended')
    expect(outbox.map(({ type }) => type)).toEqual(['emit', 'action'])
  })

  it('is neither paused nor resumed', () => {
    const bench = Bench.started(fragile)
    bench.send('GUARD')

    const verdicts = ['pause', 'resume'].map(type => bench.deliver({ type }))

    expect(verdicts).toMatchObject([{ code: 'INSTANCE_SUSPENDED' }, { code: 'INSTANCE_SUSPENDED' }])
    expect(bench.record.status).toBe('suspended')
  })

  it('is edited, and then retried with what it has become', () => {
    const bench = Bench.started(fragile)
    bench.send('ASSIGN')
    const { revision } = bench

    const edit = bench.deliver({ type: 'edit', revision, value: 'delayed', context: { log: ['edited'] } })
    const edited = bench.record
    isBroken = false
    bench.takeOver()
    bench.deliver({ type: 'retry' })

    expect(edit?.type).toBe('accepted')
    expect(edited).toMatchObject({
      status: 'suspended',
      snapshot: { value: 'delayed', context: { log: ['edited'] } },
    })
    expect(bench.record).toMatchObject({
      status: 'running',
      snapshot: { value: 'delayed', context: { log: ['edited', 'ASSIGN'] } },
    })
  })

  it('is not edited into a state that its machine does not have, nor once it has changed', () => {
    const bench = Bench.started(fragile)
    bench.send('ASSIGN')
    const { revision } = bench
    const before = bench.record

    const wrong = bench.deliver({ type: 'edit', revision, value: 'nowhere', context: { log: ['edited'] } })
    const late = bench.deliver({
      type: 'edit',
      revision: revision - 1,
      value: 'idle',
      context: { log: ['edited'] },
    })
    const after = bench.record
    bench.deliver({ type: 'skip' })

    expect(wrong).toMatchObject({ type: 'rejected', code: 'EDIT_INVALID' })
    expect((wrong as { message: string }).message).toContain('nowhere')
    expect(late).toMatchObject({ type: 'rejected', code: 'REVISION_CONFLICT' })
    expect(after).toEqual(before)
    expect(bench.record.snapshot.context).toEqual({ log: [] })
  })

  it('is what all of them ask for', () => {
    const bench = Bench.started(fragile)
    const edit = { type: 'edit', revision: bench.revision, value: 'idle', context: { log: [] } }
    const running = [{ type: 'retry' }, { type: 'skip' }, { type: 'fail' }, edit].map(message =>
      bench.deliver(message),
    )
    bench.deliver({ type: 'cancel', reason: 'x' })
    const cancelled = bench.deliver({ type: 'retry' })

    expect(running).toMatchObject(Array.from({ length: 4 }, () => ({ code: 'INSTANCE_NOT_SUSPENDED' })))
    expect((running[0] as { message: string }).message).toContain('running')
    expect(cancelled).toMatchObject({ code: 'INSTANCE_NOT_SUSPENDED' })
    expect((cancelled as { message: string }).message).toContain('cancelled')
  })

  it('takes a paused one, too, to be edited', () => {
    const bench = Bench.started(fragile)
    bench.deliver({ type: 'pause' })

    bench.deliver({ type: 'edit', revision: bench.revision, value: 'idle', context: { log: ['edited'] } })
    const { status } = bench.record
    bench.deliver({ type: 'resume' })

    expect(status).toBe('paused')
    expect(bench.record).toMatchObject({ status: 'running', snapshot: { context: { log: ['edited'] } } })
  })
})

describe('a workflow may want something else of a step that throws', () => {
  it('to fail', () => {
    const bench = Bench.started(fragile, 'fail')

    const verdict = bench.send('GUARD')

    expect(verdict?.type).toBe('accepted')
    expect(bench.record.status).toBe('failed')
    expect((bench.record.snapshot.error as Error).message).toContain('it is broken')
  })

  it('to fail when its machine does not start, whenever it is stored', () => {
    // Where it has not come to any state there is none to choose by.
    const isLong = (state: unknown) => (state as { context: { log: string[] } }).context.log.length > 1
    const bench = new Bench(stillborn, 'fail', whenChosen(isLong))

    const verdict = bench.deliver({ type: 'start', input: undefined, inputDigest: 'x' })

    expect(verdict?.type).toBe('accepted')
    expect(bench.record.status).toBe('failed')
  })

  it('to fail, always, when nothing of it is stored', () => {
    const bench = Bench.started(fragile, 'suspend', never)

    const verdict = bench.send('GUARD') as Extract<Verdict, { snapshot: unknown }>

    expect(verdict.type).toBe('accepted')
    expect(verdict.snapshot.status).toBe('error')
  })

  it('to have the event among the dead letters, and to go on as if it had not come', () => {
    const bench = Bench.started(fragile, 'deadLetter')

    bench.send('NOTE', 'GUARD', 'NOTE')

    expect([2, 1, 0].map(before => bench.verdict(before))).toMatchObject([
      { type: 'accepted' },
      { type: 'rejected', code: 'STEP_FAILED' },
      { type: 'accepted' },
    ])
    expect(bench.record).toMatchObject({
      status: 'running',
      snapshot: { context: { log: ['NOTE', 'NOTE'] } },
    })
    expect(bench.record.incident).toBeUndefined()
  })

  it('to have the start there, so that there is no instance', () => {
    const bench = new Bench(stillborn, 'deadLetter')

    const verdict = bench.deliver({ type: 'start', input: undefined, inputDigest: 'x' })

    expect(verdict).toMatchObject({ type: 'rejected', code: 'STEP_FAILED' })
    expect(bench.commits).toBe(0)
  })

  it('but is suspended by a timer, as that has no place there', () => {
    const bench = Bench.started(fragile, 'deadLetter')
    bench.send('TIME')
    bench.time = 2_000

    bench.instance.wake()
    bench.settleAll()

    expect(bench.record).toMatchObject({ status: 'suspended', incident: { cause: { type: 'timer' } } })
  })
})

const retried = activity({
  name: 'retried',
  retry: { initialInterval: '1s', jitter: 0 },
  run: () => Promise.resolve(1),
})

const chosen = setup({
  types,
  actors: { retried, work: fromPromise(async () => 1) },
  actions: { note: assign({ log: ({ context, event }) => [...context.log, event.type] }) },
}).createMachine({
  context: { log: [] },
  initial: 'idle',
  on: { NOTE: { actions: ['note', emit({ type: 'noted' })] } },
  states: {
    idle: { on: { TIME: 'timed', TRY: 'trying', WORK: 'working' } },
    timed: { after: { 500: { target: 'idle', actions: 'note' } } },
    trying: { invoke: { src: 'retried' } },
    working: { invoke: { src: 'work', onDone: { target: 'idle', actions: 'note' } } },
  },
})

const hurried = activity({
  name: 'hurried',
  retry: { initialInterval: '700ms', jitter: 0 },
  timeout: { total: '1s' },
  run: () => Promise.resolve(1),
})

const once = activity({
  name: 'once',
  restart: 'temporary',
  retry: { maxAttempts: 3 },
  run: () => Promise.resolve(1),
})

/** What comes of an activity that fails is broken. */
function failing(actor: AnyActorLogic): AnyStateMachine {
  return setup({
    types,
    actors: { actor },
    actions: { note: assign({ log: ({ context, event }) => [...context.log, event.type] }) },
  }).createMachine({
    context: { log: [] },
    initial: 'working',
    on: {
      GUARD: { guard: () => breakIf(true), actions: 'note' },
      'workflow.cancel': { actions: 'note' },
    },
    states: {
      working: {
        invoke: {
          id: 'work',
          src: 'actor',
          onError: { target: 'failed', guard: () => breakIf(true) && breakAtEnd(), actions: 'note' },
        },
      },
      failed: {},
    },
  })
}

/** Suspended, as the time of its activity was up while that waited for its second attempt. */
function tooLate(): Bench {
  const bench = Bench.started(failing(hurried))
  const { path, incarnation } = bench.record.activities[0]!
  const outcome = { status: 'error', error: new Error('down') } as const
  bench.instance.report({ type: 'settled', path, incarnation, outcome })
  bench.settleAll()
  bench.time = 3_000
  wake(bench)
  return bench
}

/** Suspended, as its activity was lost with its process and is not to run again. */
function lost(): Bench {
  const bench = Bench.started(failing(once))
  bench.takeOver()
  return bench
}

/** What is due happens. */
function wake(bench: Bench): void {
  bench.instance.wake()
  bench.settleAll()
}

describe('an activity that was given up by its supervisor', () => {
  it.each([
    ['out of time between two attempts', tooLate, 'ACTIVITY_TIMEOUT'],
    ['lost with its process', lost, 'ACTIVITY_LOST'],
  ])('as it was %s, is what the step to be retried is about', (_, suspended, code) => {
    const bench = suspended()
    const { incident } = bench.record

    const again = bench.deliver({ type: 'retry' })
    const { tries } = bench.record.incident!
    bench.takeOver()
    isBroken = false
    const mended = bench.deliver({ type: 'retry' })

    expect(incident).toMatchObject({ tries: 1, cause: { report: { outcome: { error: { code } } } } })
    expect([again?.type, tries, mended?.type]).toEqual(['suspended', 2, 'accepted'])
    expect(bench.record).toMatchObject({
      status: 'running',
      activities: [],
      snapshot: { value: 'failed', context: { log: ['xstate.error.actor.work'] } },
    })
  })

  it.each([
    ['out of time between two attempts', tooLate],
    ['lost with its process', lost],
  ])('as it was %s, is over when that is skipped', (_, suspended) => {
    const bench = suspended()

    const verdict = bench.deliver({ type: 'skip' })
    const { status } = bench.record
    wake(bench)

    expect([verdict?.type, status]).toEqual(['accepted', 'running'])
    expect(bench.record).toMatchObject({ status: 'running', activities: [], snapshot: { value: 'working' } })
  })

  it.each(['resume', 'retry', 'skip'] as const)(
    'as its time was up while the instance was stopped, is an incident of its own once that goes on by %s',
    control => {
      const bench = Bench.started(failing(hurried))
      bench.deliver(control === 'resume' ? { type: 'pause' } : { type: 'send', event: { type: 'GUARD' } })
      bench.time = 3_000
      isBroken = control === 'skip'
      breaksAtEnd = true

      const verdict = bench.deliver({ type: control })
      const { activities, incident } = bench.record
      const skipped = bench.deliver({ type: 'skip' })

      expect(verdict?.type).toBe('accepted')
      expect(activities).toHaveLength(1)
      expect(incident).toMatchObject({
        tries: 1,
        cause: { report: { outcome: { error: { code: 'ACTIVITY_TIMEOUT' } } } },
      })
      expect(skipped?.type).toBe('accepted')
      expect(bench.record).toMatchObject({
        status: 'running',
        activities: [],
        snapshot: { context: { log: control === 'retry' ? ['GUARD'] : [] } },
      })
    },
  )

  it('is taken back from the worker that is at it', () => {
    const bench = Bench.started(failing(remoteActivity({ name: 'far', timeout: { total: '1s' } })))
    bench.time = 3_000
    wake(bench)
    const { status } = bench.record
    const task = bench.effects.findLast(effect => effect.type === 'task')!
    bench.instance.delivered(task.effectId)
    isBroken = false

    bench.deliver({ type: 'retry' })

    expect(status).toBe('suspended')
    expect(bench.record).toMatchObject({ status: 'running', outbox: [{ type: 'recall' }] })
    expect(bench.record.snapshot.value).toBe('failed')
  })

  it('is over when the instance is cancelled, and goes on until it ends by itself', () => {
    const bench = tooLate()

    bench.deliver({ type: 'cancel', reason: 'enough' })
    wake(bench)

    expect(bench.record).toMatchObject({ status: 'cancelling', activities: [] })
    expect(bench.record.snapshot.context).toEqual({ log: ['workflow.cancel'] })
  })
})

describe('a persist function that throws', () => {
  const broken = () => whenChosen(() => breakIf(true))
  const begun = (onError: OnError = 'suspend') => Bench.started(chosen, onError, broken())
  const logOf = (bench: Bench) => (bench.record.snapshot.context as { log: string[] }).log

  it('suspends the instance like a guard that throws', () => {
    const bench = begun()

    const verdict = bench.send('NOTE')

    const { incident, snapshot, status } = bench.record
    expect([verdict?.type, status]).toEqual(['suspended', 'suspended'])
    expect(incident).toMatchObject({
      actor: '',
      code: 'STEP_FAILED',
      tries: 1,
      cause: { type: 'envelope', envelope: { type: 'send', event: { type: 'NOTE' } } },
    })
    expect((incident!.error as Error).message).toContain('it is broken')
    expect(snapshot).toMatchObject({ value: 'idle', context: { log: [] } })
    expect(bench.takeEffects()).toEqual([])
  })

  it('keeps what came before the event, and does not take what comes after it', () => {
    const seen: unknown[] = []
    const once = whenChosen((_, event) => {
      seen.push(event?.type)
      return event?.type === 'TRY' && breakIf(false)
    })
    const bench = Bench.started(chosen, 'suspend', once)

    bench.send('NOTE', 'TRY', 'NOTE')

    expect(bench.record).toMatchObject({ status: 'suspended', snapshot: { value: 'idle' } })
    expect(logOf(bench)).toEqual(['NOTE'])
    expect([bench.verdict(2)?.type, bench.verdict(1)?.type, bench.verdict()]).toEqual([
      'accepted',
      'suspended',
      undefined,
    ])
    expect(seen).toContain('TRY')
  })

  it('throws again until it is mended; then the event is applied once', () => {
    const bench = begun()
    bench.send('NOTE')

    const again = bench.deliver({ type: 'retry' })
    const { incident } = bench.record
    isBroken = false
    const mended = bench.deliver({ type: 'retry' })

    expect([again?.type, mended?.type]).toEqual(['suspended', 'accepted'])
    expect(incident).toMatchObject({ tries: 2, cause: { envelope: { event: { type: 'NOTE' } } } })
    expect(bench.record.status).toBe('running')
    expect(logOf(bench)).toEqual(['NOTE'])
    expect(bench.takeEffects()).toEqual(['noted'])
  })

  it.each(['WORK', 'TIME'])('keeps what has happened by itself after %s', type => {
    const bench = begun()
    isBroken = false
    bench.send(type)
    isBroken = true

    tell(bench)
    bench.settleAll()
    const { incident, status } = bench.record
    isBroken = false
    bench.deliver({ type: 'retry' })

    expect(status).toBe('suspended')
    expect(incident?.cause?.type).toBe(type === 'WORK' ? 'report' : 'timer')
    expect(bench.record).toMatchObject({ status: 'running', snapshot: { value: 'idle' } })
    expect(logOf(bench)).toHaveLength(1)
  })

  it('does not have an event made again that came long before', () => {
    const bench = begun()
    isBroken = false
    bench.send('TRY')
    const { path, incarnation } = bench.record.activities[0]!
    const outcome = { status: 'error', error: new Error('not now') } as const
    bench.instance.report({ type: 'settled', path, incarnation, outcome })
    bench.send('NOTE')
    isBroken = true

    bench.time += 1_000
    bench.instance.wake()
    bench.settleAll()
    const { incident, status } = bench.record
    isBroken = false
    bench.deliver({ type: 'retry' })

    expect([status, incident?.cause]).toEqual(['suspended', undefined])
    expect(bench.record.status).toBe('running')
    expect(logOf(bench)).toEqual(['NOTE'])
  })

  it('does not keep anybody from skipping the event, nor from pausing and resuming the instance', () => {
    const bench = begun()
    bench.send('NOTE')

    for (const [type, status] of [
      ['skip', 'running'],
      ['pause', 'paused'],
      ['resume', 'running'],
    ] as const) {
      const verdict = bench.deliver({ type })
      expect([verdict?.type, bench.record.status]).toEqual(['accepted', status])
    }
  })

  it('fails the instance where the workflow says so', () => {
    const bench = begun('fail')

    const verdict = bench.send('NOTE')

    expect(verdict?.type).toBe('accepted')
    expect(bench.record).toMatchObject({
      status: 'failed',
      snapshot: { status: 'error', error: { message: 'it is broken' } },
    })
  })

  it('has the event among the dead letters where the workflow says so', () => {
    const bench = begun('deadLetter')

    const verdict = bench.send('NOTE')

    expect(verdict).toMatchObject({ type: 'rejected', code: 'STEP_FAILED' })
    expect(bench.record).toMatchObject({ status: 'running', snapshot: { context: { log: [] } } })
  })
})
