import type { AnyActorLogic } from 'xstate'
import { assign, setup } from 'xstate'
import { describe, expect, it } from 'vitest'

import { Draft } from '../../actors/draft.ts'
import type { Effect } from '../../actors/effect.ts'
import type { SettleEnvelope, StartEnvelope } from '../../actors/envelope.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import type { StepFailure } from '../../actors/incident.ts'
import { prepareWorkflow, type PreparedWorkflow } from '../../actors/machine.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts'
import { activity } from '../../src/workflow/activity.ts'
import { remoteActivity } from '../../src/workflow/remote-activity.ts'

const address = { workflow: 'shop', id: 's-1' }
const retry = { maxAttempts: 2, initialInterval: 1_000, jitter: 0 }
const remote = remoteActivity({ name: 'charge', retry, timeout: { attempt: 10_000 } })
const watched = remoteActivity({ name: 'charge', retry, timeout: { heartbeat: 3_000 } })
const local = activity({ name: 'charge', retry, run: async () => 1 })

/** @param check may throw when it keeps an outcome */
function shop(charge: AnyActorLogic = remote, check = () => {}): PreparedWorkflow {
  const machine = setup({
    types: { context: {} as { outcome?: unknown } },
    actors: { charge },
    actions: {
      keep: assign({
        outcome: ({ event }) => {
          check()
          return (event as { output?: unknown }).output ?? (event as { error?: unknown }).error
        },
      }),
    },
  }).createMachine({
    id: 'shop',
    context: {},
    initial: 'paying',
    states: {
      paying: {
        invoke: {
          id: 'charge',
          src: 'charge',
          input: { cents: 5 },
          onDone: { target: 'idle', actions: 'keep' },
          onError: { target: 'idle', actions: 'keep' },
        },
        on: { DROP: 'idle', AGAIN: { target: 'paying', reenter: true } },
      },
      idle: { on: { PAY: 'paying' } },
    },
  })
  return prepareWorkflow({ name: 'shop', version: 1, machine })
}

const start: StartEnvelope = {
  type: 'start',
  id: 'start',
  target: address,
  time: 0,
  inputDigest: 'd',
  input: undefined,
}
const ok: LeafOutcome = { status: 'done', output: 'fine' }
const bad: LeafOutcome = { status: 'error', error: new Error('bad') }

/** A draft that is committed when the test says so, and then gives out what it asks for. */
class Shop {
  draft: Draft
  #seq = 1

  constructor(workflow = shop()) {
    this.draft = Draft.start(workflow, start, this.#seq, 0)
  }

  deliver(envelope: Parameters<Draft['deliver']>[0], now = 0): string {
    return this.draft.deliver(envelope, ++this.#seq, now)
  }

  send(type: string): string {
    const base = { id: `send-${this.#seq}`, target: address, time: 0 } as const
    return this.deliver({ type: 'send', ...base, event: { type } })
  }

  /** A worker says that it is alive, or, with details, how far it is. */
  beat(attempt: number, details?: unknown): string {
    return this.draft.report({ type: 'heartbeat', ...this.#invocation, attempt, details }, 0)
  }

  /** Nothing was heard of a worker for too long. */
  cut(attempt: number): string {
    const error = new Error('silent')
    return this.draft.report({ type: 'cut', ...this.#invocation, attempt, error }, 0)
  }

  settle(attempt: number | undefined, outcome: LeafOutcome, now = 0): string {
    const { incarnation = 0 } = this.record().activities[0] ?? {}
    const base = { id: `settle-${this.#seq}`, target: address, time: 0, path: 'charge' } as const
    const envelope: SettleEnvelope = { type: 'settle', ...base, incarnation, attempt, outcome }
    return this.deliver(envelope, now)
  }

  /** Stores the record; answers what may happen then. */
  commit(): string[] {
    this.record()
    return inShort(this.draft.takeEffects())
  }

  /** Another process goes on from the record; answers what it asks for. */
  crash(record = this.record(), workflow = shop()): string[] {
    this.draft = Draft.from(workflow, record)
    this.draft.resume()
    return inShort(this.draft.takeEffects())
  }

  record(): InstanceRecord {
    return decodeRecord(encodeRecord(this.draft.record(0)))
  }

  get outcome(): unknown {
    return (this.record().snapshot.context as { outcome?: unknown }).outcome
  }

  get #invocation(): { readonly path: string; readonly incarnation: number } {
    const { incarnation = 0 } = this.record().activities[0] ?? {}
    return { path: 'charge', incarnation }
  }

  deliverAll(): void {
    for (const { effectId } of this.record().outbox) this.draft.markDelivered(effectId)
  }
}

function inShort(effects: readonly Effect[]): string[] {
  return effects.map(effect => {
    if (effect.type === 'hear') return `hear ${effect.activity} ${effect.attempt} ${effect.silenceMs}`
    if (effect.type === 'task') return `task ${effect.task.activity} ${effect.task.attempt}`
    return effect.type === 'recall' ? `recall ${effect.activity} ${effect.attempt}` : effect.type
  })
}

describe('an instance with a remote activity', () => {
  it('asks a worker after the commit, and owes nothing once it has', () => {
    const instance = new Shop()

    expect(instance.commit()).toEqual(['task charge 1'])
    expect(instance.draft.owes).toBe(1)
    instance.deliverAll()

    expect([instance.draft.owes, instance.draft.isBusy, instance.draft.dueAt]).toEqual([0, false, 10_000])
    expect(instance.record()).toMatchObject({
      outbox: [],
      activities: [{ attempt: 1, remote: { name: 'charge' } }],
    })
  })

  it('asks again after a crash, until it is known to have asked', () => {
    const instance = new Shop()
    const [{ effectId }] = instance.record().outbox as unknown as [{ effectId: string }]

    expect(instance.crash()).toEqual(['task charge 1'])
    expect(instance.record().outbox).toMatchObject([{ type: 'task', effectId }])
    instance.deliverAll()

    expect(instance.crash()).toEqual([])
  })

  it('keeps how it failed when that makes a step throw, and tells it when the step is made again', () => {
    let isFixed = false
    const workflow = shop(remoteActivity({ name: 'charge' }), () => {
      if (!isFixed) throw new Error('a bug')
    })
    const instance = new Shop(workflow)
    const stored = instance.record()
    let failure: unknown
    try {
      instance.settle(1, bad)
    } catch (error) {
      failure = error
    }
    instance.crash(stored, workflow)
    instance.draft.suspend((failure as StepFailure).incident)
    instance.crash(instance.record(), workflow)

    isFixed = true
    instance.deliver({ type: 'retry', id: 'retry', target: address, time: 0 })

    expect(instance.outcome).toMatchObject({ message: 'bad' })
    expect(instance.record()).toMatchObject({ status: 'running', activities: [] })
  })

  it('gives up an activity of its own whose time is up when it is let go, in a step of its own', () => {
    const hasty = activity({ name: 'charge', timeout: { total: 1_000 }, run: async () => 1 })
    const instance = new Shop(shop(hasty))
    instance.commit()
    instance.draft.hold()
    instance.commit()

    instance.draft.letGo(2_000)
    expect(instance.outcome).toBeUndefined()
    expect(instance.draft.hasLost).toBe(true)
    expect(instance.draft.restart(2_000, false)).toBe('accepted')
    expect(instance.outcome).toMatchObject({ code: 'ACTIVITY_TIMEOUT' })
  })

  it('takes the result of the attempt under way, and no other', () => {
    const instance = new Shop()
    instance.commit()

    expect(instance.settle(2, ok)).toBe('ignored')
    expect(instance.settle(undefined, ok)).toBe('ignored')
    expect(instance.settle(1, ok)).toBe('accepted')
    expect(instance.settle(1, bad)).toBe('ignored')

    expect([instance.outcome, instance.record().activities]).toEqual(['fine', []])
  })

  it('asks for the next attempt when it is due, and then wants to hear nothing of the one before', () => {
    const instance = new Shop()
    instance.commit()

    expect(instance.settle(1, bad)).toBe('accepted')
    expect([instance.commit(), instance.draft.dueAt]).toEqual([[], 1_000])
    expect(instance.settle(1, ok)).toBe('ignored')
    expect(instance.draft.fireDue(1_000)).toBe('accepted')
    expect([instance.commit(), instance.draft.dueAt]).toEqual([['task charge 2'], 11_000])
    expect(instance.settle(1, ok)).toBe('ignored')
    expect(instance.settle(2, ok)).toBe('accepted')

    expect(instance.outcome).toBe('fine')
  })

  it('takes an attempt back that is not answered in time, also after a crash', () => {
    const instance = new Shop()
    instance.commit()
    instance.deliverAll()

    expect(instance.draft.fireDue(9_999)).toBe('ignored')
    expect(instance.draft.fireDue(10_000)).toBe('accepted')
    expect(instance.crash()).toEqual(['recall charge 1'])
    expect(instance.draft.dueAt).toBe(11_000)
    instance.draft.fireDue(11_000)
    expect(instance.commit()).toEqual(['task charge 2'])
    instance.draft.fireDue(21_000)

    expect(instance.commit()).toEqual(['recall charge 2'])
    expect(instance.outcome).toMatchObject({
      code: 'ACTIVITY_TIMEOUT',
      fields: { activity: 'charge', attempt: 2, timeout: 'attempt' },
    })
  })

  it('takes back what it no longer wants', () => {
    const instance = new Shop()
    instance.commit()

    instance.send('DROP')

    expect(instance.commit()).toEqual(['recall charge 1'])
    // A crash in between asks no worker any more.
    expect(instance.record().outbox).toMatchObject([{ type: 'recall', activity: 'charge', attempt: 1 }])
  })

  it('takes back nothing that nobody has heard of, nor what waits for its next attempt', () => {
    const [unheard, waiting] = [new Shop(), new Shop()]
    unheard.send('DROP')
    waiting.commit()
    waiting.deliverAll()
    waiting.settle(1, bad)
    waiting.send('DROP')

    expect([unheard.commit(), unheard.record().outbox]).toEqual([[], []])
    expect([waiting.commit(), waiting.record().outbox]).toEqual([[], []])
  })

  it('asks anew when its state is entered again', () => {
    const instance = new Shop()
    instance.commit()
    const [before] = instance.record().activities

    instance.send('AGAIN')

    expect(instance.commit()).toEqual(['recall charge 1', 'task charge 1'])
    expect(instance.record().activities[0]!.incarnation).toBeGreaterThan(before!.incarnation)
  })

  it('leaves the worker at work while it is paused', () => {
    const instance = new Shop()
    const base = { id: 'pause', target: address, time: 0 } as const
    instance.commit()
    instance.deliverAll()

    instance.deliver({ type: 'pause', ...base })
    expect([instance.commit(), instance.draft.dueAt, instance.draft.owes]).toEqual([[], undefined, 0])
    instance.deliver({ type: 'resume', ...base, id: 'resume' })

    expect([instance.commit(), instance.draft.dueAt]).toEqual([[], 10_000])
  })

  it('has its next attempt done by workers when they have come to do it, in a turn of its own', () => {
    const instance = new Shop(shop(local))
    expect(instance.commit()).toEqual(['startActivity'])

    expect(instance.crash(instance.record(), shop(remote))).toEqual([])
    expect(instance.draft.restart(7, true)).toBe('accepted')

    expect(instance.commit()).toEqual(['task charge 2'])
  })

  it('does its next attempt here when workers do not do it any more', () => {
    const instance = new Shop()
    instance.commit()
    instance.deliverAll()
    instance.settle(1, bad)

    instance.crash(instance.record(), shop(local))
    instance.draft.fireDue(1_000)

    expect(instance.commit()).toEqual(['startActivity'])
    expect(instance.record().activities).toMatchObject([{ attempt: 2 }])
    expect(instance.record().activities[0]!.remote).toBeUndefined()
  })
})

describe('an instance whose worker gives heartbeats', () => {
  /** A worker has been asked, and nothing is owed. */
  function asked(workflow = shop(watched)): Shop {
    const instance = new Shop(workflow)
    instance.commit()
    instance.deliverAll()
    return instance
  }

  it('hears the worker once that has begun, for which it stays in memory, and notes that once', () => {
    const instance = asked()
    expect([instance.draft.owes, instance.draft.dueAt]).toEqual([0, undefined])

    expect(instance.beat(1)).toBe('accepted')

    expect([instance.commit(), instance.draft.owes]).toEqual([['hear charge 1 3000'], 1])
    expect(instance.draft.isBusy).toBe(false)
    expect(instance.beat(1)).toBe('ignored')
  })

  it('stores details, and does not stay in memory for a worker that may be silent', () => {
    const instance = asked(shop(remote))

    expect([instance.beat(1, 'a'), instance.beat(1, 'b')]).toEqual(['accepted', 'accepted'])

    expect([instance.commit(), instance.draft.owes]).toEqual([['hear charge 1 undefined'], 0])
    expect(instance.record().activities).toMatchObject([{ lastHeartbeat: 'b' }])
  })

  it('hears it again after a crash, however long that took', () => {
    const instance = asked()
    instance.beat(1)

    expect(instance.crash(instance.record(), shop(watched))).toEqual(['hear charge 1 3000'])
    expect(instance.draft.fireDue(1e9)).toBe('ignored')
  })

  it('takes an attempt back that has fallen silent, and tells the next one how far it was', () => {
    const instance = asked()
    instance.beat(1, 'a')
    instance.commit()

    expect(instance.cut(1)).toBe('accepted')
    expect([instance.commit(), instance.draft.owes]).toEqual([['recall charge 1', 'stopActivity'], 1])
    instance.deliverAll()
    expect(instance.draft.owes).toBe(0)
    instance.draft.fireDue(1_000)

    const [effect] = instance.draft.takeEffects()
    expect(effect).toMatchObject({ task: { attempt: 2, lastHeartbeat: 'a', silenceMs: 3_000 } })
    expect(instance.record().activities[0]!.remote).toEqual({
      name: 'charge',
      format: 'msgpack',
      silenceMs: 3_000,
    })
  })

  it('tells the machine when the last attempt has fallen silent', () => {
    const instance = asked()
    instance.beat(1)
    instance.cut(1)
    instance.draft.fireDue(1_000)

    expect(instance.cut(2)).toBe('accepted')

    expect(instance.outcome).toMatchObject({ message: 'silent' })
  })

  it('keeps the newest details of a worker that fails', () => {
    const instance = asked()
    instance.beat(1, 'a')
    const { incarnation } = instance.record().activities[0]!
    const base = { id: 's', target: address, time: 0, path: 'charge', incarnation, attempt: 1 } as const

    instance.deliver({ type: 'settle', ...base, outcome: bad, details: 'b' })

    expect(instance.record().activities).toMatchObject([{ lastHeartbeat: 'b', attempt: 1 }])
  })

  it('wants to hear nothing of an attempt that is over', () => {
    const instance = asked()
    instance.settle(1, bad)

    expect([instance.beat(1, 'a'), instance.cut(1)]).toEqual(['ignored', 'ignored'])
    instance.draft.fireDue(1_000)
    expect([instance.beat(1, 'a'), instance.cut(1)]).toEqual(['ignored', 'ignored'])

    expect(instance.record().activities[0]!.lastHeartbeat).toBeUndefined()
  })

  it.each([
    ['is done', (instance: Shop) => instance.settle(1, ok)],
    ['fails', (instance: Shop) => instance.settle(1, bad)],
    ['is no longer wanted', (instance: Shop) => instance.send('DROP')],
    [
      'belongs to an instance that is paused',
      (instance: Shop) => instance.deliver({ type: 'pause', id: 'pause', target: address, time: 0 }),
    ],
  ])('hears it no more when it %s', (_, happen) => {
    const instance = asked()
    instance.beat(1)
    instance.commit()

    happen(instance)

    expect(instance.commit()).toContain('stopActivity')
    instance.deliverAll()
    expect(instance.draft.owes).toBe(0)
  })

  it('waits for its heartbeats anew after a pause, also after a crash in it', () => {
    const instance = asked()
    instance.beat(1)
    const base = { target: address, time: 0 } as const
    instance.deliver({ type: 'pause', id: 'pause', ...base })

    expect(instance.crash(instance.record(), shop(watched))).toEqual([])
    instance.deliver({ type: 'resume', id: 'resume', ...base })

    expect(instance.commit()).toEqual(['hear charge 1 3000'])
  })
})
