import { describe, expect, it } from 'vitest'
import { assign, emit, fromPromise, setup } from 'xstate'

import type { Draft } from '../../actors/draft.ts'
import type { Effect } from '../../actors/effect.ts'
import type { Delivery, Envelope } from '../../actors/envelope.ts'
import { RuntimeError } from '../../actors/errors.ts'
import { Instance } from '../../actors/instance.ts'
import type { InstanceHost, Verdict } from '../../actors/instance-host.ts'
import { prepareWorkflow } from '../../actors/machine.ts'
import { perTransition } from '../../actors/persistence.ts'
import type { RecordSummary } from '../../actors/ports.ts'
import type { EventObject } from '../../actors/event.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { encodeRecord } from '../../src/codec/record.ts'

const counter = setup({
  types: { context: {} as { count: number; noted: number; failure?: object }, events: {} as EventObject },
  actors: { work: fromPromise(async () => 'unused: the test reports for it') },
  actions: { shout: () => {} },
}).createMachine({
  id: 'counter',
  context: { count: 0, noted: 0 },
  initial: 'counting',
  states: {
    counting: {
      on: {
        ADD: { actions: assign({ count: ({ context }) => context.count + 1 }) },
        EMIT: { actions: emit({ type: 'counted' }) },
        SHOUT: { actions: 'shout' },
        WORK: 'working',
        WAIT: 'waiting',
        TELL: { actions: [({ self }) => self.send({ type: 'NOTE' })] },
        NOTE: { actions: assign({ noted: ({ context }) => context.noted + 1 }) },
        FINISH: 'finished',
      },
    },
    working: {
      invoke: {
        id: 'work',
        src: 'work',
        onDone: 'finished',
        onError: {
          target: 'counting',
          actions: assign({
            failure: ({ event }) => ({
              ...(event.error as object),
              message: String((event.error as Error).message),
            }),
          }),
        },
      },
      on: { ADD: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
    },
    waiting: { after: { 1000: 'finished' }, on: { BACK: 'counting' } },
    finished: { type: 'final' },
  },
})

const workflow = prepareWorkflow({ name: 'counter', version: 1, machine: counter })
const address = { workflow: 'counter', id: 'c-1' }

/** A host that keeps everything asked of it, and answers only when the test says so. */
class Bench implements InstanceHost<Delivery> {
  readonly instance: Instance<Delivery>
  readonly commits: { record: InstanceRecord; summary: RecordSummary; expected: number }[] = []
  readonly effects: Effect[] = []
  readonly verdicts: [string, Verdict][] = []
  readonly wakeUps: (number | undefined)[] = []
  /** What it was told about taking events. */
  readonly told: string[] = []
  loads = 0
  abandons = 0
  endings: (Error | undefined)[] = []
  time = 1_000
  onPerform: (effect: Effect) => void = () => {}
  #revision = 0
  #seq = 0
  #commit = 0

  constructor(prepared = workflow) {
    this.instance = new Instance(address, prepared, this)
  }

  load(): void {
    this.loads++
  }
  commit(record: InstanceRecord, summary: RecordSummary, expected: number): void {
    this.commits.push({ record: isStorable(record) ? structuredClone(record) : record, summary, expected })
  }
  perform(effects: readonly Effect[], _draft: Draft): void {
    this.effects.push(...effects)
    for (const effect of effects) this.onPerform(effect)
  }
  settle(delivery: Delivery, verdict: Verdict): void {
    this.verdicts.push([delivery.envelope.id, verdict])
  }
  wakeAt(dueAt: number | undefined): void {
    this.wakeUps.push(dueAt)
  }
  flushAfter(): void {}

  keepActivities(): ReadonlySet<number> {
    this.abandonActivities()

    return new Set()
  }

  abandonActivities(): void {
    this.abandons++
  }
  isCrowded = false
  awaits = 0

  awaitRoom(): void {
    this.awaits++
  }

  nextCommitId(): string {
    return `commit-${++this.#commit}`
  }
  now(): number {
    return this.time
  }
  stopped(): void {
    this.told.push('stopped')
  }
  goesOn(): void {
    this.told.push('goes on')
  }
  rested(): void {}
  ended(error?: Error): void {
    this.endings.push(error)
  }

  begin(isPresumedNew = false): this {
    this.instance.begin(isPresumedNew)
    return this
  }
  deliver(envelope: Envelope, replyTo?: string): number {
    const seq = ++this.#seq
    this.instance.deliver({ envelope, seq, replyTo })
    return seq
  }
  /** Says that the last commit is stored. */
  store(): InstanceRecord {
    const { record } = this.last
    this.instance.committed(++this.#revision)
    return record
  }
  get last(): { record: InstanceRecord; summary: RecordSummary; expected: number } {
    return this.commits.at(-1)!
  }
  verdictOf(id: string): Verdict | undefined {
    return this.verdicts.find(([envelope]) => envelope === id)?.[1]
  }
}

function isStorable(record: InstanceRecord): boolean {
  try {
    encodeRecord(record)
    return true
  } catch {
    return false
  }
}

function start(id = 'start', inputDigest = 'same'): Envelope {
  return { type: 'start', id, target: address, time: 0, input: undefined, inputDigest }
}

function send(type: string, id = type): Envelope {
  return { type: 'send', id, target: address, time: 0, event: { type } }
}

/** An instance that has been started and rests. */
function running(prepared = workflow): Bench {
  const bench = new Bench(prepared).begin()
  bench.deliver(start())
  bench.instance.loaded(undefined)
  bench.store()
  return bench
}

/** Another life of the instance: loaded from that record. */
function revive(record: InstanceRecord, revision = 1): Bench {
  const bench = new Bench().begin()
  bench.instance.loaded({ record: structuredClone(record), revision, commit: 'old', event: 'OLD' })
  return bench
}

function countOf(record: InstanceRecord): unknown {
  return (record.snapshot.context as { count: number }).count
}

describe('an instance that is presumed to be new', () => {
  it('is stored without a read before, if there is none', () => {
    const bench = new Bench().begin(true)

    bench.deliver(start())
    bench.deliver(send('ADD'))
    const { expected } = bench.last
    bench.store()
    bench.store()

    expect(bench.loads).toBe(0)
    expect([expected, bench.last.expected]).toEqual([0, 1])
    expect(countOf(bench.last.record)).toBe(1)
    expect(bench.verdicts.map(([id, { type }]) => [id, type])).toEqual([
      ['start', 'accepted'],
      ['ADD', 'accepted'],
    ])
  })

  it('is read when there is one, and left as it is', () => {
    const stored = structuredClone(running().last.record)
    const bench = new Bench().begin(true)

    bench.deliver(start('again'))
    bench.deliver(send('ADD'))
    bench.instance.conflicted(new RuntimeError('REVISION_CONFLICT', 'test'), true)
    bench.instance.loaded({ record: { ...stored, cursor: 0 }, revision: 5, commit: 'old', event: 'OLD' })
    bench.store()

    expect(bench.loads).toBe(1)
    expect(bench.effects).toEqual([])
    expect(bench.verdictOf('again')).toMatchObject({ type: 'duplicate' })
    expect(bench.last.expected).toBe(5)
    expect(countOf(bench.last.record)).toBe(1)
  })

  it('is read before its start is refused, because that throws or cannot be stored', () => {
    let isBroken = false
    const context = () => {
      if (isBroken) throw new Error('it is broken')
      return { count: 0 }
    }
    const machine = setup({}).createMachine({ id: 'touchy', context })
    const touchy = prepareWorkflow({ name: 'counter', version: 1, machine, onError: 'deadLetter' })
    const stored = structuredClone(running(touchy).last.record)
    const found = { record: { ...stored, cursor: 0 }, revision: 5, commit: 'old', event: 'OLD' }
    const throwing = new Bench(touchy).begin(true)
    const large = new Bench(touchy).begin(true)

    large.deliver(start('again'))
    large.instance.refused(new RuntimeError('PAYLOAD_TOO_LARGE', 'test'))
    large.instance.loaded(structuredClone(found))
    isBroken = true
    throwing.deliver(start('again'))
    throwing.instance.loaded(structuredClone(found))

    for (const bench of [large, throwing]) {
      expect(bench.loads).toBe(1)
      expect(bench.verdicts).toMatchObject([['again', { type: 'duplicate', revision: 5 }]])
    }
  })

  it('leaves memory when its node does before it has taken anything', () => {
    const bench = new Bench()
    bench.isCrowded = true
    bench.begin(true)
    bench.deliver(start())

    bench.instance.finish()

    expect(bench.verdicts).toEqual([])
    expect(bench.endings).toEqual([undefined])
  })
})

describe('an instance', () => {
  it('settles an envelope only after the commit that contains its outcome', () => {
    const bench = running()

    bench.deliver(send('ADD'), 'reply')
    const before = bench.verdictOf('ADD')
    bench.store()

    expect(before).toBeUndefined()
    expect(bench.verdictOf('ADD')).toMatchObject({ type: 'accepted', revision: 2 })
  })

  it('performs no effect before the commit that asked for it', () => {
    const bench = running()

    bench.deliver(send('WORK'))
    const before = bench.effects.length
    bench.store()

    expect(before).toBe(0)
    expect(bench.effects).toMatchObject([{ type: 'startActivity', activity: { path: 'work', attempt: 1 } }])
  })

  it('writes what arrives during a commit in one turn after it, at the new revision', () => {
    const bench = running()

    bench.deliver(send('ADD', 'a'))
    bench.deliver(send('ADD', 'b'))
    bench.deliver(send('ADD', 'c'))
    bench.store()
    bench.store()

    expect(bench.commits.map(({ expected, record }) => [expected, countOf(record)])).toEqual([
      [0, 0],
      [1, 1],
      [2, 3],
    ])
    expect(bench.verdicts.map(([id]) => id)).toEqual(['start', 'a', 'b', 'c'])
  })

  it('settles an event without a transition at once and writes nothing', () => {
    const bench = running()

    bench.deliver(send('NOBODY_LISTENS'))

    expect(bench.commits).toHaveLength(1)
    expect(bench.verdictOf('NOBODY_LISTENS')).toMatchObject({ type: 'ignored', revision: 1 })
  })

  it('does not apply an envelope again that its record already contains', () => {
    const bench = running()
    bench.deliver(send('ADD'))
    const record = bench.store()

    const next = revive(record, 2)
    next.instance.deliver({ envelope: send('ADD'), seq: record.cursor, replyTo: undefined })
    next.instance.deliver({ envelope: send('ADD'), seq: record.cursor + 5, replyTo: undefined })

    expect(next.commits).toHaveLength(0)
    expect(next.verdicts.map(([, verdict]) => verdict.type)).toEqual(['duplicate', 'duplicate'])
  })

  it('takes a replay of an ordered source for a repetition, however many events ago it was', () => {
    const bench = running()
    const fed = (position: number): Envelope =>
      ({ ...send('ADD', `fed-${position}`), source: { name: 'feed', position } }) as Envelope
    for (let position = 1; position <= 20; position++) {
      bench.deliver(fed(position))
      bench.store()
    }

    const next = revive(bench.last.record, 21)
    for (const position of [1, 7, 20, 21]) {
      next.instance.deliver({ envelope: fed(position), seq: 1000 + position, replyTo: undefined })
    }

    expect(countOf(next.last.record)).toBe(21)
    expect(next.commits).toHaveLength(1)
  })

  it('answers a repeated start as the first, and another start with the same id by refusing it', () => {
    const bench = running()

    bench.deliver(start('again', 'same'))
    bench.deliver(start('other', 'another'))

    expect(bench.verdictOf('again')).toMatchObject({ type: 'duplicate', revision: 1 })
    expect(bench.verdictOf('other')).toMatchObject({ type: 'rejected', code: 'INSTANCE_EXISTS' })
  })

  it('refuses an event for an instance that was never started, and leaves memory', () => {
    const bench = new Bench().begin()

    bench.deliver(send('ADD'))
    bench.instance.loaded(undefined)

    expect(bench.verdictOf('ADD')).toMatchObject({ type: 'rejected', code: 'INSTANCE_NOT_FOUND' })
    expect(bench.endings).toEqual([undefined])
  })

  it('refuses what comes after the end, in the same turn and in a later life', () => {
    const bench = running()
    bench.deliver(send('ADD', 'first'))
    bench.deliver(send('FINISH'))
    bench.deliver(send('ADD', 'late'))
    bench.store()
    const record = bench.store()
    const next = new Bench().begin()
    next.deliver(send('ADD', 'unused'))
    next.instance.loaded({
      record: { ...record, cursor: 0, recent: [] },
      revision: 3,
      commit: 'old',
      event: 'OLD',
    })

    expect(record.status).toBe('done')
    expect(bench.verdictOf('late')).toMatchObject({ type: 'rejected', code: 'INSTANCE_FINISHED' })
    expect(bench.endings).toEqual([undefined])
    expect(next.verdictOf('unused')).toMatchObject({ type: 'rejected', code: 'INSTANCE_FINISHED' })
  })

  it('does the turn again from the stored record when another write of its own node came first', () => {
    const bench = running()
    const stored = bench.last.record
    bench.deliver(send('ADD'))

    bench.instance.conflicted(new RuntimeError('REVISION_CONFLICT', 'test'), true)
    bench.instance.loaded({
      record: structuredClone({ ...stored, counter: 40 }),
      revision: 7,
      commit: 'theirs',
      event: 'THEIRS',
    })

    expect(bench.abandons).toBe(1)
    expect(bench.last.expected).toBe(7)
    expect(bench.last.record.counter).toBeGreaterThanOrEqual(40)
    expect(countOf(bench.last.record)).toBe(1)
  })

  it('leaves everything unsettled when the conflict means that it has lost its partition', () => {
    const bench = running()
    bench.deliver(send('ADD'))

    bench.instance.conflicted(new RuntimeError('REVISION_CONFLICT', 'test'), false)

    expect(bench.verdictOf('ADD')).toBeUndefined()
    expect(bench.endings).toMatchObject([{ code: 'REVISION_CONFLICT' }])
  })

  it('gives up a turn that conflicts again and again', () => {
    const bench = running()
    const stored = bench.last.record
    bench.deliver(send('ADD'))

    for (let round = 0; round < 6; round++) {
      bench.instance.conflicted(new RuntimeError('REVISION_CONFLICT', 'test'), true)
      bench.instance.loaded({
        record: structuredClone(stored),
        revision: 7,
        commit: 'theirs',
        event: 'THEIRS',
      })
    }

    expect(bench.endings).toHaveLength(1)
  })

  it('refuses only the event whose record is too large, and applies its neighbours', () => {
    const bench = running()
    const stored = bench.last.record
    const tooLarge = new RuntimeError('PAYLOAD_TOO_LARGE', 'test')
    bench.deliver(send('ADD', 'hold'))
    bench.deliver(send('ADD', 'good'))
    bench.deliver(send('ADD', 'bad'))
    const afterHold = bench.store()

    bench.instance.refused(tooLarge)
    bench.instance.loaded({ record: structuredClone(afterHold), revision: 2, commit: 'c', event: 'C' })
    const afterGood = bench.store()
    bench.instance.refused(tooLarge)
    bench.instance.loaded({ record: structuredClone(afterGood), revision: 3, commit: 'c', event: 'C' })

    expect(countOf(stored)).toBe(0)
    expect(bench.verdictOf('good')).toMatchObject({ type: 'accepted' })
    expect(bench.verdictOf('bad')).toMatchObject({ type: 'rejected', code: 'PAYLOAD_TOO_LARGE' })
    expect(bench.instance.passivate()).toBe(true)
  })

  it('takes what it was sent while too much was stored in one turn, once there is room', () => {
    const bench = running()
    const before = bench.commits.length

    bench.isCrowded = true
    bench.deliver(send('ADD', 'first'))
    bench.deliver(send('ADD', 'second'))
    const crowded = [bench.commits.length - before, bench.instance.passivate()]
    bench.isCrowded = false
    bench.instance.enter()

    expect(crowded).toEqual([0, false])
    expect(bench.awaits).toBeGreaterThan(0)
    expect(bench.commits.length - before).toBe(1)
    expect(countOf(bench.store())).toBe(2)
  })

  it.each([
    { what: 'a timer', happen: (bench: Bench) => bench.instance.wake() },
    {
      what: 'a control envelope',
      happen: (bench: Bench) => bench.deliver({ type: 'pause', id: 'pause', target: address, time: 0 }),
    },
  ])('waits for no room when $what comes, and takes what it was sent with it', ({ happen }) => {
    const bench = running()
    bench.deliver(send('WAIT'))
    bench.store()
    bench.time += 1_000
    const before = bench.commits.length

    bench.isCrowded = true
    bench.deliver(send('BACK'))
    happen(bench)
    const commits = bench.commits.length
    bench.store()

    expect(commits - before).toBe(1)
    expect(bench.verdictOf('BACK')).toMatchObject({ type: 'accepted' })
  })

  it('turns an activity result that cannot be stored into the failure of the activity', () => {
    const bench = running()
    bench.deliver(send('WORK'))
    const working = bench.store()
    const { incarnation } = working.activities[0]!
    const report = {
      type: 'settled',
      path: 'work',
      incarnation,
      outcome: { status: 'done', output: 1 },
    } as const

    bench.instance.report(report)
    bench.instance.refused(new RuntimeError('PAYLOAD_TOO_LARGE', 'test'))
    bench.instance.loaded({ record: structuredClone(working), revision: 2, commit: 'c', event: 'C' })

    expect(bench.last.record).toMatchObject({ status: 'running', snapshot: { value: 'counting' } })
  })

  it('keeps an error that cannot be stored by its name, message and code', () => {
    const bench = running()
    bench.deliver(send('WORK'))
    const working = bench.store()
    const { incarnation } = working.activities[0]!
    const error = Object.assign(new Error('no answer'), { code: 'ECONNRESET', retry: () => {} })

    bench.instance.report({ type: 'settled', path: 'work', incarnation, outcome: { status: 'error', error } })
    const wasStorable = isStorable(bench.last.record)
    bench.instance.refused(new RuntimeError('VALUE_UNSUPPORTED', 'test'))
    bench.instance.loaded({ record: structuredClone(working), revision: 2, commit: 'c', event: 'C' })

    expect([wasStorable, isStorable(bench.last.record)]).toEqual([false, true])
    expect(bench.last.record).toMatchObject({ status: 'running', snapshot: { value: 'counting' } })
    expect(bench.last.record.snapshot.context).toMatchObject({
      failure: { message: 'no answer', code: 'ECONNRESET' },
    })
    expect(bench.endings).toEqual([])
  })

  it('runs its activities again after a crash, as the next attempt of the same invocation', () => {
    const bench = running()
    bench.deliver(send('WORK'))
    const record = bench.store()
    const { incarnation } = record.activities[0]!

    const next = revive(record, 2)
    const early = [...next.effects]
    const stored = next.store()
    next.instance.report({
      type: 'settled',
      path: 'work',
      incarnation,
      outcome: { status: 'done', output: 1 },
    })

    expect(early).toEqual([])
    expect(stored.activities).toMatchObject([{ attempt: 2, incarnation }])
    expect(next.effects).toMatchObject([{ type: 'startActivity', activity: { attempt: 2, incarnation } }])
    expect(next.last.record).toMatchObject({ status: 'done', activities: [] })
  })

  it('settles its turn before it takes what an effect tells at once', () => {
    const bench = running()
    bench.onPerform = effect => {
      if (effect.type !== 'startActivity') return
      const { path, incarnation } = effect.activity
      bench.instance.report({ type: 'settled', path, incarnation, outcome: { status: 'done', output: 1 } })
    }

    bench.deliver(send('WORK'), 'reply')
    bench.store()

    expect(bench.verdictOf('WORK')).toMatchObject({ type: 'accepted', revision: 2 })
    expect(bench.last.record.status).toBe('done')
  })

  it('drops the result of an invocation that is no longer current', () => {
    const bench = running()
    bench.deliver(send('WORK'))
    const { incarnation } = bench.store().activities[0]!

    bench.instance.report({
      type: 'settled',
      path: 'work',
      incarnation: incarnation - 1,
      outcome: { status: 'done', output: 1 },
    })

    expect(bench.commits).toHaveLength(2)
    expect(bench.last.record.status).toBe('running')
  })

  it('asks to be woken for its earliest timer, in this life and the next, and fires it once', () => {
    const bench = running()
    bench.deliver(send('WAIT'))
    const record = bench.store()
    const next = revive(record, 2)
    next.time = 99_000
    next.instance.wake()

    expect(bench.wakeUps).toEqual([2_000])
    expect(next.wakeUps[0]).toBe(2_000)
    expect(next.last.record.status).toBe('done')
    expect(next.commits).toHaveLength(1)
  })

  it('does not fire early when woken early, and asks again', () => {
    const bench = running()
    bench.deliver(send('WAIT'))
    bench.store()

    bench.time = 1_999
    bench.instance.wake()

    expect(bench.commits).toHaveLength(2)
    expect(bench.wakeUps).toEqual([2_000, 2_000])
  })

  it('clears the wake-up when the state that wanted it is left', () => {
    const bench = running()
    bench.deliver(send('WAIT'))
    bench.store()

    bench.deliver(send('BACK'))
    bench.store()

    expect(bench.wakeUps).toEqual([2_000, undefined])
  })

  it('lists an emitted event in its record until it is delivered, and then clears it before leaving memory', () => {
    const bench = running()
    bench.deliver(send('EMIT'))
    const owing = bench.store()
    const [emitted] = bench.effects

    const leftWhileOwing = bench.instance.passivate()
    bench.instance.delivered((emitted as { effectId: string }).effectId)
    bench.instance.passivate()
    const cleared = bench.store()

    expect(owing.outbox).toMatchObject([{ type: 'emit', event: { type: 'counted' } }])
    expect(leftWhileOwing).toBe(false)
    expect(cleared.outbox).toEqual([])
    expect(bench.endings).toEqual([undefined])
  })

  it('tells the last event that changed it with every commit, in this life and the next', () => {
    const bench = running()
    bench.deliver(send('EMIT'))
    // In one turn with one that is ignored.
    bench.deliver(send('ADD'))
    bench.deliver(send('NOBODY_LISTENS'))
    bench.store()
    const owing = bench.last
    const next = new Bench().begin()
    next.instance.loaded({ ...owing, revision: 3, commit: 'old', event: owing.summary.event })

    next.instance.delivered((next.effects[0] as { effectId: string }).effectId)
    next.instance.passivate()

    expect(owing.summary.event).toBe('ADD')
    expect(next.last).toMatchObject({ record: { outbox: [] }, summary: { event: 'ADD' } })
  })

  it('delivers again what its record still lists after a crash, under the same id', () => {
    const bench = running()
    bench.deliver(send('EMIT'))
    bench.deliver(send('SHOUT'))
    bench.store()
    const record = bench.store()

    const next = revive(record, 3)

    const ids = (effects: readonly Effect[]) => effects.map(effect => 'effectId' in effect && effect.effectId)
    expect(ids(next.effects)).toEqual(ids(bench.effects))
    expect(next.effects.map(effect => effect.type)).toEqual(['emit', 'action'])
  })

  it('takes an event that an action sends to its own actor as an event of a later turn', () => {
    const bench = running()
    bench.deliver(send('TELL'))
    bench.store()
    const [action] = bench.effects

    ;(action as Extract<Effect, { type: 'action' }>).run()
    bench.store()

    expect(bench.last.record.snapshot.context).toEqual({ count: 0, noted: 1 })
  })

  it('lists an action until what it has sent to its own actor is stored, however much else was sent before', () => {
    const bench = running(
      prepareWorkflow({ name: 'counter', version: 1, machine: counter, persistence: perTransition }),
    )
    bench.deliver(send('TELL'))
    bench.store()
    const action = bench.effects[0] as Extract<Effect, { type: 'action' }>
    bench.deliver(send('ADD'))
    bench.deliver(send('ADD', 'another'))

    action.run()
    bench.instance.delivered(action.effectId)
    const stored = [bench.store(), bench.store(), bench.store()]
    bench.deliver(send('ADD', 'last'))
    const after = bench.store()

    const told = stored.findIndex(({ snapshot }) => (snapshot.context as { noted: number }).noted === 1)
    const listing = stored.map(({ outbox }) => outbox.length)
    expect(told).toBe(2)
    expect(listing).toEqual([1, 1, 1])
    expect(after.outbox).toEqual([])
  })

  it('stays in memory while an activity runs and leaves when nothing goes on', () => {
    const bench = running()
    const idle = bench.instance.passivate()
    const working = running()
    working.deliver(send('WORK'))
    working.store()

    expect(idle).toBe(true)
    expect(bench.endings).toEqual([undefined])
    expect(working.instance.passivate()).toBe(false)
    expect(working.endings).toEqual([])
  })

  it('leaves at once when it is to finish and nothing goes on, whatever its activities do', () => {
    const [idle, working] = [running(), running()]
    working.deliver(send('WORK'))
    working.store()

    idle.instance.finish()
    working.instance.finish()

    expect([idle.endings, working.endings]).toEqual([[undefined], [undefined]])
  })

  it('stores that its action has run when it is to finish, so that the next owner does not run it again', () => {
    const bench = running()
    bench.deliver(send('SHOUT'))
    bench.store()
    bench.instance.delivered((bench.effects[0] as { effectId: string }).effectId)

    bench.instance.finish()
    const record = bench.store()

    expect(record.outbox).toEqual([])
    expect(bench.endings).toEqual([undefined])
  })

  it('stores nothing when it is to finish for a message that has arrived: whoever gets it again knows', () => {
    const bench = running()
    bench.deliver(send('EMIT'))
    bench.store()
    bench.instance.delivered((bench.effects[0] as { effectId: string }).effectId)

    bench.instance.finish()

    expect(bench.endings).toEqual([undefined])
  })

  it('stores the turn under way when it is to finish, and leaves the envelopes that wait to the next owner', () => {
    const bench = running()
    bench.deliver(send('ADD', 'under way'))
    bench.deliver(send('ADD', 'waiting'))

    bench.instance.finish()
    bench.deliver(send('ADD', 'too late'))
    bench.store()

    expect(bench.commits.map(({ record }) => countOf(record))).toEqual([0, 1])
    expect(bench.verdicts.map(([id]) => id)).toEqual(['start', 'under way'])
    expect(bench.endings).toEqual([undefined])
  })

  it('stores what its activities have told before it was to finish, and nothing after', () => {
    const bench = running()
    bench.deliver(send('WORK'))
    const { incarnation } = bench.store().activities[0]!
    bench.deliver(send('ADD'))
    const done = { status: 'done', output: 1 } as const
    bench.instance.report({ type: 'settled', path: 'work', incarnation, outcome: done })

    bench.instance.finish()
    bench.store()
    const finished = bench.store()

    expect(finished.status).toBe('done')
    expect(bench.endings).toEqual([undefined])
  })

  it('leaves without its record when it is to finish while that is read', () => {
    const bench = new Bench().begin()
    bench.deliver(send('ADD'))

    bench.instance.finish()
    bench.instance.finish()
    bench.instance.loaded(undefined)

    expect([bench.endings, bench.verdicts, bench.commits]).toEqual([[undefined], [], []])
  })

  it('refuses what waits when its record cannot be read, and writes nothing', () => {
    const bench = new Bench().begin()
    bench.deliver(send('ADD'))

    bench.instance.loadFailed(new RuntimeError('RECORD_FORMAT_UNSUPPORTED', 'format 9'))

    expect(bench.verdictOf('ADD')).toMatchObject({ type: 'rejected', code: 'RECORD_FORMAT_UNSUPPORTED' })
    expect(bench.commits).toEqual([])
  })
})

const unnamed = fromPromise(async () => 1)
/** The types refuse what this test does. */
type Spawn = (logic: unknown, options: { id: string }) => unknown

describe('a machine inside an instance', () => {
  it('keeps its context apart from that of every other instance', () => {
    const shared = setup({
      types: { context: {} as { list: number[] }, events: {} as EventObject },
    }).createMachine({
      id: 'shared',
      context: { list: [] },
      on: { PUSH: { actions: assign({ list: ({ context }) => (context.list.push(1), context.list) }) } },
    })
    const prepared = prepareWorkflow({ name: 'shared', version: 1, machine: shared })
    const contexts = ['a', 'b'].map(id => {
      const bench = new Bench()
      const instance = new Instance<Delivery>({ workflow: 'shared', id }, prepared, bench)
      instance.deliver({ envelope: start(), seq: 1, replyTo: undefined })
      instance.loaded(undefined)
      instance.committed(1)
      instance.deliver({ envelope: send('PUSH'), seq: 2, replyTo: undefined })
      return bench.last.record.snapshot.context
    })

    expect(contexts).toEqual([{ list: [1] }, { list: [1] }])
  })

  it('is suspended instead of looping for ever', () => {
    const loop = setup({}).createMachine({
      id: 'loop',
      initial: 'a',
      states: { a: { always: 'b' }, b: { always: 'a' } },
    })
    const bench = new Bench()
    const prepared = prepareWorkflow({ name: 'loop', version: 1, machine: loop })
    const instance = new Instance<Delivery>({ workflow: 'loop', id: 'l' }, prepared, bench)

    instance.deliver({ envelope: start(), seq: 1, replyTo: undefined })
    instance.loaded(undefined)
    instance.loaded(undefined)

    expect(bench.last.record).toMatchObject({ status: 'suspended', incident: { code: 'STEP_ENDLESS' } })
  })

  it('is suspended with a clear error when it spawns logic that has no name', () => {
    const spawner = setup({
      types: { context: {} as { child: unknown }, events: {} as EventObject },
    }).createMachine({
      id: 'spawner',
      context: { child: undefined },
      on: { SPAWN: { actions: assign({ child: ({ spawn }) => (spawn as Spawn)(unnamed, { id: 'x' }) }) } },
    })
    const bench = new Bench()
    const prepared = prepareWorkflow({ name: 'spawner', version: 1, machine: spawner })
    const instance = new Instance<Delivery>({ workflow: 'spawner', id: 's' }, prepared, bench)
    instance.deliver({ envelope: start(), seq: 1, replyTo: undefined })
    instance.loaded(undefined)
    instance.committed(1)

    instance.deliver({ envelope: send('SPAWN'), seq: 2, replyTo: undefined })
    instance.loaded({ record: bench.last.record, revision: 1, commit: 'c', event: '' })

    const { status, incident } = bench.last.record
    expect(status).toBe('suspended')
    expect((incident!.error as Error).message).toContain('unnamed logic')
  })
})
