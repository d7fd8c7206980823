import { describe, expect, it } from 'vitest'
import { assign, setup } from 'xstate'

import { mostDepth } from '../../actors/child-workflow.ts'
import { Draft } from '../../actors/draft.ts'
import type { Effect } from '../../actors/effect.ts'
import type { Delivery, SendEnvelope, SettleEnvelope, StartEnvelope } from '../../actors/envelope.ts'
import { RuntimeError } from '../../actors/errors.ts'
import { Instance } from '../../actors/instance.ts'
import { prepareWorkflow, type PreparedWorkflow } from '../../actors/machine.ts'
import type { RecordSummary } from '../../actors/ports.ts'
import type { ActivityRecord, InstanceRecord } from '../../actors/record.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts'
import { bulk, type BulkOptions } from '../../src/workflow/bulk.ts'
import type { Workflow } from '../../src/workflow/define-workflow.ts'

const address = { workflow: 'gatherer', id: 'g-1' }
const square = { name: 'square' } as Workflow

function gatherer(options: Partial<BulkOptions<{ count: number }, unknown>> = {}): PreparedWorkflow {
  const items = ({ count }: { count: number }) => ({ length: count, at: (index: number) => ({ n: index }) })
  const machine = setup({
    types: { context: {} as { count: number; outcome?: unknown }, input: {} as { count: number } },
    actors: { squares: bulk(square, { concurrency: 3, items, ...options }) },
    actions: {
      keep: assign({
        outcome: ({ event }) =>
          (event as { output?: unknown }).output ?? (event as { error?: unknown }).error,
      }),
    },
  }).createMachine({
    id: 'gatherer',
    context: ({ input }) => input,
    initial: 'gathering',
    states: {
      gathering: {
        invoke: {
          id: 'squares',
          src: 'squares',
          input: ({ context }) => context,
          onDone: { target: 'gathered', actions: 'keep' },
          onError: { target: 'broken', actions: 'keep' },
        },
        on: { DROP: 'dropped', AGAIN: { target: 'gathering', reenter: true } },
      },
      gathered: {},
      broken: {},
      dropped: {},
    },
  })
  return prepareWorkflow({ name: 'gatherer', version: 1, machine })
}

function start(count: number, depth = 0): StartEnvelope {
  const parent = { address: { workflow: 'above', id: 'a' }, path: 'x', incarnation: 1, depth }
  const base = { type: 'start', id: 'start', target: address, time: 0, inputDigest: 'd' } as const
  return { ...base, input: { count }, ...(depth > 0 && { parent }) }
}

/** The number of the invocation that the machine starts with. */
const first = 3
let told = 0

function settle(index: number, outcome: LeafOutcome, incarnation = first): SettleEnvelope {
  const base = { type: 'settle', id: `child-${++told}`, target: address, time: 0 } as const
  return { ...base, path: 'squares', incarnation, index, outcome }
}

function send(type: string): SendEnvelope {
  return { type: 'send', id: `send-${++told}`, target: address, time: 0, event: { type } }
}

const ok = (output: unknown = 'fine'): LeafOutcome => ({ status: 'done', output })
const bad = (message = 'bad'): LeafOutcome => ({ status: 'error', error: new Error(message) })

/** A draft that is committed when the test says so, and then gives out what it asks for. */
class Gathering {
  readonly workflow: PreparedWorkflow
  draft: Draft
  #seq = 1

  constructor(workflow: PreparedWorkflow, count: number, depth = 0) {
    this.workflow = workflow
    this.draft = Draft.start(workflow, start(count, depth), this.#seq, 0)
  }

  deliver(...envelopes: Parameters<Draft['deliver']>[0][]): string[] {
    return envelopes.map(envelope => this.draft.deliver(envelope, ++this.#seq, 0))
  }

  /** Stores the record; answers what may happen then. */
  commit(): readonly Effect[] {
    this.record()
    return this.draft.takeEffects()
  }

  /** Another process goes on from the record; answers what it asks for. */
  crash(record = this.record(), workflow = this.workflow): readonly Effect[] {
    this.draft = Draft.from(workflow, record)
    this.draft.resume()
    this.draft.restart(0, true)
    return this.draft.takeEffects()
  }

  record(): InstanceRecord {
    return decodeRecord(encodeRecord(this.draft.record(0)))
  }

  get activity(): ActivityRecord | undefined {
    return this.record().activities[0]
  }

  get outcome(): unknown {
    return (this.record().snapshot.context as { outcome?: unknown }).outcome
  }

  get state(): unknown {
    return this.record().snapshot.value
  }
}

/** What an effect asks for, in short. */
function inShort(effects: readonly Effect[]): string[] {
  return effects.map(effect => {
    switch (effect.type) {
      case 'startItem':
        return `start ${effect.target.id} with ${JSON.stringify(effect.input())}`
      case 'post':
        return `${effect.message.type} ${effect.target.workflow}/${effect.target.id}`
      case 'chunk':
        return `keep ${effect.name}: ${effect.results.map(({ index }) => index).join(' ')}`
      case 'startActivity':
        return `begin ${effect.activity.path}`
      case 'action':
      case 'complaint':
      case 'deliver':
      case 'emit':
      case 'hear':
      case 'log':
      case 'recall':
      case 'stopActivity':
      case 'task':
        return effect.type
    }
  })
}

describe('an instance with a bulk', () => {
  it('starts as many children as may run, each with what its index is to have, under ids that never change', () => {
    const gathering = new Gathering(gatherer(), 5)

    const effects = gathering.commit()

    expect(inShort(effects)).toEqual([
      'start gatherer.g-1.3-0 with {"n":0}',
      'start gatherer.g-1.3-1 with {"n":1}',
      'start gatherer.g-1.3-2 with {"n":2}',
    ])
    expect(effects[1]).toMatchObject({
      target: { workflow: 'square' },
      parent: { address, path: 'squares', incarnation: first, depth: 1, index: 1 },
    })
  })

  it('starts the next child in the turn that takes one that is over, and not before it is stored', () => {
    const gathering = new Gathering(gatherer(), 5)
    gathering.commit()

    gathering.deliver(settle(1, ok()), settle(0, ok()))

    expect(gathering.activity?.bulk).toMatchObject({ started: 5, completed: 2, running: [2, 3, 4] })
    expect(gathering.draft.owes).toBe(5)
    expect(inShort(gathering.commit())).toEqual([
      'start gatherer.g-1.3-3 with {"n":3}',
      'start gatherer.g-1.3-4 with {"n":4}',
    ])
  })

  it('asks again for the starts that are not known to be delivered, under the same ids, and for no others', () => {
    const gathering = new Gathering(gatherer(), 5)
    const [first, second, third] = gathering.commit() as Extract<Effect, { type: 'startItem' }>[]
    gathering.draft.markDelivered(second!.effectId)

    const again = gathering.crash()

    expect(again).toMatchObject([{ effectId: first!.effectId }, { effectId: third!.effectId }])
    expect(inShort(again)).toEqual(inShort([first!, third!]))
  })

  it('takes a child once, however often it is told of, and whatever crashes in between', () => {
    const gathering = new Gathering(gatherer({ concurrency: 1 }), 2)

    expect(gathering.deliver(settle(0, ok(1)), settle(0, ok(2)))).toEqual(['accepted', 'ignored'])
    gathering.crash()
    expect(gathering.deliver(settle(0, ok(3)), settle(7, ok(4)))).toEqual(['ignored', 'ignored'])
    gathering.deliver(settle(1, bad()))

    expect(gathering.outcome).toMatchObject({ total: 2, succeeded: 1, failed: 1 })
    expect(gathering.draft.takeEffects().find(({ type }) => type === 'chunk')).toMatchObject({
      results: [
        { index: 0, status: 'done', output: 1 },
        { index: 1, status: 'failed', error: { message: 'bad' } },
      ],
    })
  })

  it('takes nothing from children of an earlier invocation', () => {
    const gathering = new Gathering(gatherer(), 2)
    gathering.commit()
    gathering.deliver(send('AGAIN'))

    expect(gathering.deliver(settle(0, ok(), first))).toEqual(['ignored'])
    expect(gathering.activity?.bulk).toMatchObject({ completed: 0 })
  })

  it('answers once all are over, the last results on their way', () => {
    const gathering = new Gathering(gatherer(), 2)
    gathering.commit()

    gathering.deliver(settle(1, ok()), settle(0, bad()))

    expect(gathering.state).toBe('gathered')
    const results = { key: 'gatherer/g-1/3', chunks: 1 }
    expect(gathering.outcome).toEqual({ total: 2, succeeded: 1, failed: 1, results })
    expect(gathering.record().activities).toEqual([])
    expect(inShort(gathering.commit())).toEqual(['keep bulk-3-0: 1 0'])
  })

  it('keeps results in its record until they are known to be elsewhere', () => {
    const gathering = new Gathering(gatherer({ concurrency: 100 }), 3)
    gathering.commit()
    gathering.deliver(settle(0, ok('x'.repeat(20_000))), settle(1, ok('y'.repeat(20_000))))

    const [chunk] = gathering.commit()
    expect(inShort([chunk!])).toEqual(['keep bulk-3-0: 0 1'])
    expect(gathering.activity?.bulk?.results).toEqual([])
    const again = gathering.crash().find(({ type }) => type === 'chunk')
    expect(again).toEqual(chunk)
    gathering.draft.markDelivered((chunk as { effectId: string }).effectId)
    expect(gathering.record().outbox.filter(({ type }) => type === 'chunk')).toEqual([])
  })

  it('cancels the children that run when it is no longer wanted, and has never started those of the same turn', () => {
    const gathering = new Gathering(gatherer(), 9)
    gathering.commit()
    gathering.deliver(settle(1, ok()))

    gathering.deliver(send('DROP'))

    expect(inShort(gathering.commit())).toEqual([
      'cancel square/gatherer.g-1.3-0',
      'cancel square/gatherer.g-1.3-2',
    ])
    expect(gathering.record().activities).toEqual([])
  })

  it('has starts that may be on their way arrive before what cancels them, whoever owns it then', () => {
    const gathering = new Gathering(gatherer(), 9)
    const [start] = gathering.commit()
    gathering.draft.markDelivered((start as { effectId: string }).effectId)
    gathering.deliver(settle(1, ok()))

    gathering.deliver(send('DROP'))
    gathering.commit()

    const outbox = gathering.record().outbox
    expect(inShort(gathering.crash())).toEqual([
      'start square/gatherer.g-1.3-2',
      'cancel square/gatherer.g-1.3-0',
      'cancel square/gatherer.g-1.3-2',
    ])
    expect(outbox[0]).toMatchObject({ message: { input: { n: 2 }, parent: { address, index: 2 } } })
  })

  it('keeps no more starts that it does not want than a record has room for', () => {
    const items = () => ({ length: 9, at: () => 'x'.repeat(50_000) })
    const gathering = new Gathering(gatherer({ concurrency: 9, items }), 9)
    gathering.commit()

    gathering.deliver(send('DROP'))

    const kinds = inShort(gathering.crash()).map(effect => effect.split(' ')[0])
    expect(kinds).toEqual([...Array(2).fill('start'), ...Array(9).fill('cancel')])
  })

  it('ends at the first failure if that is wanted, and cancels the others', () => {
    const gathering = new Gathering(gatherer({ failFast: true }), 9)
    gathering.commit()

    gathering.deliver(settle(1, ok()), settle(2, bad('two')), settle(0, bad('zero')))

    expect(gathering.state).toBe('broken')
    expect(gathering.outcome).toMatchObject({
      code: 'WORKFLOW_FAILED',
      message: 'child 2 of the bulk, square/gatherer.g-1.3-2, failed: two',
      cause: { message: 'two' },
      fields: { index: 2 },
    })
    expect(inShort(gathering.commit())).toEqual(['cancel square/gatherer.g-1.3-0'])
  })

  it('goes on with another window when the definition has another', () => {
    const gathering = new Gathering(gatherer(), 9)
    gathering.commit()
    gathering.crash(gathering.record(), gatherer({ concurrency: 5 }))

    gathering.deliver(settle(0, ok()))

    expect(gathering.activity?.bulk?.running).toEqual([1, 2, 3, 4, 5])
  })

  it('ends a bulk that is to have no children through a turn of its own', () => {
    const gathering = new Gathering(gatherer(), 0)

    expect(inShort(gathering.commit())).toEqual(['begin squares'])
    expect(gathering.draft.owes).toBe(1)
    expect(inShort(gathering.crash())).toEqual(['begin squares'])
  })

  it.each<[string, () => never | { length: number; at: () => unknown }]>([
    [
      'throw',
      () => {
        throw new Error('no items')
      },
    ],
    ['have no length', () => ({ length: NaN, at: () => 0 })],
  ])('fails when its items %s', (_, items) => {
    const gathering = new Gathering(gatherer({ items }), 5)

    expect(inShort(gathering.commit())).toEqual(['begin squares'])
    expect(gathering.activity).toMatchObject({
      lastError: { message: expect.stringMatching(/no items|NaN/) },
    })
    expect(gathering.activity?.bulk).toBeUndefined()
  })

  it('starts no children when too many parents stand above it', () => {
    const gathering = new Gathering(gatherer(), 5, mostDepth)

    expect(inShort(gathering.commit())).toEqual(['begin squares'])
    expect(gathering.activity?.bulk).toBeUndefined()
  })

  it('ends, and cancels its children, when the actor is a bulk no more', () => {
    const gathering = new Gathering(gatherer(), 5)
    gathering.commit()
    const other = setup({}).createMachine({
      id: 'gatherer',
      initial: 'gathering',
      states: { gathering: {}, broken: {} },
    })

    const effects = gathering.crash(
      gathering.record(),
      prepareWorkflow({ name: 'gatherer', version: 2, machine: other }),
    )
    expect(inShort(effects)).toEqual(['begin squares'])
    gathering.draft.report({ type: 'settled', path: 'squares', incarnation: first, outcome: bad() }, 0)

    expect(inShort(gathering.commit())).toEqual(
      [0, 1, 2].map(index => `cancel square/gatherer.g-1.3-${index}`),
    )
    expect(gathering.record().activities).toEqual([])
  })
})

/** The rest of the world: takes records that are not too large, and delivers when the test says so. */
function host(workflow: PreparedWorkflow, mostBytes: number) {
  const commits: InstanceRecord[] = []
  const effects: Effect[] = []
  const settled: [string, string][] = []
  let revision = 0
  const instance: Instance<Delivery> = new Instance<Delivery>(address, workflow, {
    load: () => {
      const record = commits.at(-1)
      const stored = record && { record: structuredClone(record), revision, commit: '', event: '' }
      queueMicrotask(() => instance.loaded(stored))
    },
    commit: (record: InstanceRecord, _: RecordSummary) => {
      const bytes = encodeRecord(record)
      queueMicrotask(() => {
        if (bytes.length > mostBytes) instance.refused(new RuntimeError('PAYLOAD_TOO_LARGE', 'too large'))
        else {
          commits.push(decodeRecord(bytes))
          instance.committed(++revision)
        }
      })
    },
    perform: given => effects.push(...given),
    settle: ({ envelope }, { type }) => settled.push([envelope.id, type]),
    wakeAt() {},
    flushAfter() {},
    keepActivities(): ReadonlySet<number> {
      this.abandonActivities()
      return new Set()
    },
    abandonActivities() {},
    isCrowded: false,
    awaitRoom() {},
    nextCommitId: () => 'c',
    now: () => 0,
    stopped() {},
    goesOn() {},
    rested() {},
    ended() {},
  })
  instance.begin()
  const quiet = () => new Promise(resolve => setImmediate(resolve))
  return { commits, effects, settled, instance, quiet }
}

describe('the instance of a bulk whose children have much to tell', () => {
  const big = 'x'.repeat(40_000)
  const chunksIn = (record: InstanceRecord) => record.outbox.filter(({ type }) => type === 'chunk').length

  it('takes no more than its record has room for, and the rest once results have left', async () => {
    const { commits, effects, settled, instance, quiet } = host(gatherer({ concurrency: 100 }), 150_000)
    instance.deliver({ envelope: start(20), seq: 1 })
    await quiet()
    for (let index = 0; index < 20; index++)
      instance.deliver({ envelope: settle(index, ok(big)), seq: index + 2 })

    const delivered = new Set<string>()
    for (let round = 0; round < 20; round++) {
      await quiet()
      for (const effect of effects) {
        if (effect.type !== 'chunk' || delivered.has(effect.effectId)) continue
        delivered.add(effect.effectId)
        instance.delivered(effect.effectId)
      }
    }

    expect(Math.max(...commits.map(chunksIn))).toBe(2)
    expect(commits.at(-1)!.snapshot.context).toMatchObject({ outcome: { succeeded: 20, failed: 0 } })
    expect(settled.filter(([, type]) => type === 'accepted')).toHaveLength(21)
    expect(delivered.size).toBe(20)
  })

  it('takes a child that tells too much for any record for a failed one', async () => {
    const { commits, settled, instance, quiet } = host(gatherer(), 50_000)
    instance.deliver({ envelope: start(2), seq: 1 })
    await quiet()
    instance.deliver({ envelope: settle(0, ok('y'.repeat(60_000))), seq: 2 })
    instance.deliver({ envelope: settle(1, ok('fine')), seq: 3 })
    await quiet()

    const record = commits.at(-1)!
    expect(record.snapshot.context).toMatchObject({ outcome: { succeeded: 1, failed: 1 } })
    expect(record.outbox[0]).toMatchObject({
      results: [
        { index: 0, status: 'failed', error: { code: 'PAYLOAD_TOO_LARGE' } },
        { index: 1, status: 'done' },
      ],
    })
    expect(settled.map(([, type]) => type)).toEqual(['accepted', 'accepted', 'accepted'])
  })
})
