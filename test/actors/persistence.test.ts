import { assign, emit, fromPromise, setup } from 'xstate'
import { describe, expect, it } from 'vitest'

import type { Draft } from '../../actors/draft.ts'
import type { Effect } from '../../actors/effect.ts'
import type { Delivery } from '../../actors/envelope.ts'
import { Instance } from '../../actors/instance.ts'
import type { InstanceHost } from '../../actors/instance-host.ts'
import { prepareWorkflow } from '../../actors/machine.ts'
import {
  atRest,
  everySoOften,
  never,
  perTransition,
  perTurn,
  whenChosen,
  type Persistence,
} from '../../actors/persistence.ts'
import { RuntimeError } from '../../actors/errors.ts'
import type { InstanceRecord } from '../../actors/record.ts'

const address = { workflow: 'worker', id: 'w' }

/** Counts, works in two activities one after the other, emits. */
const worker = setup({
  types: {
    context: {} as { readonly count: number },
    events: {} as { type: 'ADD' | 'WORK' | 'EMIT' | 'MARK' | 'FINISH' },
  },
  actors: { work: fromPromise(async () => 1) },
  actions: { add: assign({ count: ({ context }) => context.count + 1 }) },
}).createMachine({
  id: 'worker',
  context: { count: 0 },
  initial: 'resting',
  states: {
    resting: {
      on: {
        ADD: { actions: 'add' },
        EMIT: { actions: emit({ type: 'told' }) },
        WORK: 'first',
        MARK: 'marked',
        FINISH: 'finished',
      },
    },
    first: { invoke: { id: 'first', src: 'work', onDone: 'second' }, on: { ADD: { actions: 'add' } } },
    second: {
      invoke: { id: 'second', src: 'work', onDone: { target: 'resting', actions: emit({ type: 'told' }) } },
    },
    marked: { tags: 'commit', on: { ADD: { target: 'resting', actions: 'add' } } },
    finished: { type: 'final' },
  },
})

/** A host that keeps what it is asked for and answers when the test says so. */
class Bench implements InstanceHost<Delivery> {
  readonly instance: Instance<Delivery>
  readonly commits: InstanceRecord[] = []
  readonly effects: string[] = []
  readonly #incarnations = new Map<string, number>()
  readonly settled: string[] = []
  /** The record of the start. */
  readonly first: InstanceRecord | undefined
  flushMs: number | undefined
  #seq = 0
  #revision = 0

  constructor(persistence: Persistence) {
    const workflow = prepareWorkflow({ name: 'worker', version: 1, machine: worker, persistence })
    this.instance = new Instance<Delivery>(address, workflow, this)
    this.instance.begin()
    this.deliver({ type: 'start', input: undefined, inputDigest: 'x' })
    this.instance.loaded(undefined)
    if (this.commits.length > 0) this.store()
    this.first = this.commits.pop()
    this.settled.length = 0
  }

  load(): void {}
  commit(record: InstanceRecord): void {
    this.commits.push(structuredClone(record))
  }
  perform(effects: readonly Effect[], _draft: Draft): void {
    for (const effect of effects) {
      this.effects.push(effect.type === 'startActivity' ? `start ${effect.activity.path}` : effect.type)
      if (effect.type !== 'startActivity') continue
      this.#incarnations.set(effect.activity.path, effect.activity.incarnation)
    }
  }
  settle({ envelope }: Delivery): void {
    this.settled.push(envelope.type === 'send' ? envelope.event.type : envelope.type)
  }
  flushAfter(delayMs: number | undefined): void {
    this.flushMs = delayMs
  }
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
    return 1
  }
  stopped(): void {}
  goesOn(): void {}
  rested(): void {}
  ended(): void {}

  deliver(
    message:
      | { type: 'send'; event: { type: string } }
      | { type: 'start'; input: undefined; inputDigest: string },
  ) {
    const seq = ++this.#seq
    this.instance.deliver({ envelope: { id: `e${seq}`, target: address, time: 0, ...message }, seq })
  }
  send(...types: string[]): void {
    for (const type of types) this.deliver({ type: 'send', event: { type } })
  }
  /** Says that the last commit is stored. */
  store(): void {
    this.instance.committed(++this.#revision)
  }
  /** Says that the activity is done. */
  done(path: string): void {
    const incarnation = this.#incarnations.get(path)!
    this.instance.report({ type: 'settled', path, incarnation, outcome: { status: 'done', output: 1 } })
  }
  get counts(): unknown[] {
    return this.commits.map(({ snapshot }) => (snapshot.context as { count: number }).count)
  }
}

function countOf(snapshot: unknown): number {
  return (snapshot as { readonly context: { readonly count: number } }).context.count
}

describe('an instance stored', () => {
  it('per turn has one revision for all events that wait', () => {
    const bench = new Bench(perTurn)

    bench.send('ADD')
    bench.send('ADD', 'ADD')
    bench.store()
    bench.store()

    expect(bench.counts).toEqual([1, 3])
  })

  it('per transition has a revision for each event', () => {
    const bench = new Bench(perTransition)

    bench.send('ADD')
    bench.send('ADD', 'ADD')
    for (let n = 0; n < 3; n++) bench.store()

    expect(bench.counts).toEqual([1, 2, 3])
    expect(bench.settled).toEqual(['ADD', 'ADD', 'ADD'])
  })

  it('at rest begins activities at once, and tells nobody anything before it rests', () => {
    const bench = new Bench(atRest)

    bench.send('WORK')
    bench.done('first')
    expect(bench.effects).toEqual(['start first', 'start second'])
    expect([bench.commits, bench.settled]).toEqual([[], []])
    bench.done('second')

    expect(bench.commits).toMatchObject([
      { snapshot: { value: 'resting' }, activities: [], outbox: [{ type: 'emit' }] },
    ])
    expect(bench.settled).toEqual([])
    bench.store()
    expect(bench.settled).toEqual(['WORK'])
    expect(bench.effects).toEqual(['start first', 'start second', 'emit'])
  })

  it('at rest is stored with its running activities when it does not come to rest in time', () => {
    const bench = new Bench(atRest)

    bench.send('WORK')
    expect(bench.flushMs).toBe(1000)
    bench.instance.flush()

    expect(bench.commits).toMatchObject([{ snapshot: { value: 'first' }, activities: [{ path: 'first' }] }])
    bench.store()
    expect(bench.effects).toEqual(['start first'])
  })

  it('every so often holds its events until the time is over', () => {
    const bench = new Bench(everySoOften(250, 100))

    bench.send('ADD')
    bench.send('ADD')
    expect([bench.commits, bench.settled, bench.flushMs]).toEqual([[], [], 250])
    bench.instance.flush()
    bench.store()

    expect(bench.counts).toEqual([2])
    expect(bench.settled).toEqual(['ADD', 'ADD'])
  })

  it('every so often gives what is held after a commit all its time', () => {
    const bench = new Bench(everySoOften(250, 100))

    bench.send('ADD')
    bench.send('EMIT')
    expect(bench.flushMs).toBeUndefined()
    bench.store()
    bench.send('ADD')

    expect(bench.flushMs).toBe(250)
  })

  it('every so often is stored at once when it is to finish, and settled', () => {
    const bench = new Bench(everySoOften(250, 100))
    bench.send('ADD')

    bench.instance.finish()
    bench.store()

    expect([bench.counts, bench.settled]).toEqual([[1], ['ADD']])
  })

  it('at rest does not wait for rest when it is to finish', () => {
    const bench = new Bench(atRest)
    bench.send('WORK')
    bench.instance.flush()
    bench.done('first')

    bench.instance.finish()
    bench.store()
    bench.store()

    expect(bench.commits.map(({ snapshot }) => snapshot.value)).toEqual(['first', 'second'])
  })

  it('every so many events is stored when there are as many', () => {
    const bench = new Bench(everySoOften(250, 3))

    bench.send('ADD')
    bench.send('ADD')
    bench.send('ADD')

    expect(bench.counts).toEqual([3])
  })

  it.each(['EMIT', 'WORK', 'FINISH', 'MARK'])('every so often is stored at once on %s', type => {
    const bench = new Bench(everySoOften(250, 100))

    bench.send('ADD')
    bench.send(type)

    expect(bench.counts).toEqual([1])
  })

  it('where a function says so is stored there, and in states tagged commit', () => {
    const bench = new Bench(whenChosen(state => countOf(state) === 2))
    bench.send('ADD')
    expect(bench.commits).toEqual([])
    bench.send('ADD')
    bench.store()
    bench.send('ADD')
    bench.send('MARK')

    expect(bench.counts).toEqual([2, 3])
  })

  it.each([
    ['a function chooses', whenChosen(state => countOf(state) === 2), ['ADD', 'ADD', 'ADD'], [0, 2]],
    ['is tagged commit', everySoOften(250, 100), ['ADD', 'MARK', 'ADD'], [0, 1]],
    ['is tagged commit, at rest', atRest, ['ADD', 'MARK', 'ADD'], [0, 1]],
  ])('has a revision of each state that %s, whatever waits behind it', (_, persistence, types, counts) => {
    const bench = new Bench(persistence)

    bench.send('EMIT')
    bench.send(...types)
    bench.store()

    expect(bench.counts).toEqual(counts)
  })

  it('applies everything again that it held when another write came first', () => {
    const bench = new Bench(everySoOften(250, 3))
    const { first } = bench
    bench.send('ADD')
    bench.send('ADD')
    bench.send('ADD')

    bench.instance.conflicted(new RuntimeError('REVISION_CONFLICT', 'other'), true)
    bench.instance.loaded({ record: first!, revision: 7, commit: 'other', event: 'ADD' })

    expect(bench.settled).toEqual([])
    expect(bench.counts).toEqual([3, 3])
  })

  it('never is never stored, answers, acts, and stays in memory while it runs', () => {
    const bench = new Bench(never)

    bench.send('ADD', 'EMIT')

    expect(bench.commits).toEqual([])
    expect(bench.settled).toEqual(['ADD', 'EMIT'])
    expect(bench.effects).toEqual(['emit'])
    expect(bench.instance.passivate()).toBe(false)
  })
})
