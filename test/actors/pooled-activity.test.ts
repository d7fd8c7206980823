import { assign, setup, type AnyActorLogic } from 'xstate'
import { describe, expect, it } from 'vitest'

import { Draft } from '../../actors/draft.ts'
import type { Effect } from '../../actors/effect.ts'
import type { Envelope, StartEnvelope } from '../../actors/envelope.ts'
import { StepFailure } from '../../actors/incident.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import { prepareWorkflow, type PreparedWorkflow } from '../../actors/machine.ts'
import type { ActivityRecord } from '../../actors/record.ts'
import { supervisedActivity } from '../../actors/supervision.ts'
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts'
import { activity, pool, remoteActivity, RuntimeError } from '../../src/index.ts'

const address = { workflow: 'ward', id: 'w-1' }
const beds = pool({ name: 'beds', permits: 2 })
const retry = { maxAttempts: 3, initialInterval: 1_000, jitter: 0 }
const options = { name: 'treat', pool: beds, retry, run: async () => 'well' }
const treat = activity(options)
const remote = remoteActivity({ name: 'treat', pool: beds, retry, timeout: { attempt: 10_000 } })
const well: LeafOutcome = { status: 'done', output: 'well' }
const ill: LeafOutcome = { status: 'error', error: new Error('ill') }

function ward(treatment: AnyActorLogic, check: () => void = () => {}): PreparedWorkflow {
  const machine = setup({
    types: { context: {} as { outcome?: unknown } },
    actors: { treat: treatment },
    actions: {
      keep: assign(({ event }) => {
        check()
        const { error, output } = event as { error?: unknown; output?: unknown }
        return { outcome: output ?? error }
      }),
    },
  }).createMachine({
    id: 'ward',
    context: {},
    initial: 'treating',
    states: {
      treating: {
        invoke: {
          id: 'treat',
          src: 'treat',
          onDone: { target: 'home', actions: 'keep' },
          onError: { target: 'home', actions: 'keep' },
        },
        on: { LEAVE: 'home' },
      },
      home: {},
    },
  })
  return prepareWorkflow({ name: 'ward', version: 1, machine })
}

/** An instance, and what it may do since its last commit. */
class Patient {
  draft: Draft
  readonly #workflow: PreparedWorkflow
  #seq = 1

  constructor(treatment: AnyActorLogic = treat, check?: () => void) {
    this.#workflow = ward(treatment, check)
    const base = { type: 'start', id: 'start', target: address, time: 0, inputDigest: 'd' } as const
    this.draft = Draft.start(this.#workflow, { ...base, input: undefined } as StartEnvelope, 1, 0)
  }

  /** Its only activity. */
  get activity(): ActivityRecord {
    return this.draft.record(0).activities[0]!
  }

  get claim(): number {
    return this.activity.permit!.claim!
  }

  get outcome(): unknown {
    return (this.draft.snapshot().context as { outcome?: unknown }).outcome
  }

  /** Stores the record; answers what may happen then. */
  commit(): string[] {
    this.draft.record(0)
    return this.draft.takeEffects().map(inShort)
  }

  deliver(message: Record<string, unknown> & { type: string }, now = 0): string {
    const envelope = { id: `m-${this.#seq}`, target: address, time: 0, ...message } as Envelope
    return this.draft.deliver(envelope as Parameters<Draft['deliver']>[0], ++this.#seq, now)
  }

  grant(claim = this.claim, now = 0): string {
    return this.deliver({ type: 'grant', pool: 'beds', path: 'treat', incarnation: claim }, now)
  }

  /** A pool has refused a claim. */
  refuse(claim: number, now = 0): string {
    const outcome = { status: 'error', error: new RuntimeError('POOL_FULL', 'no bed') }
    return this.deliver({ type: 'settle', path: 'treat', incarnation: claim, outcome }, now)
  }

  /** An attempt here tells how it ended. */
  report(outcome: LeafOutcome, now = 0): string {
    const { attempt, incarnation } = this.activity
    return this.draft.report({ type: 'settled', path: 'treat', incarnation, attempt, outcome }, now)
  }

  /** A worker does. */
  settle(attempt: number, outcome: LeafOutcome, now = 0): string {
    const { incarnation } = this.activity
    return this.deliver({ type: 'settle', path: 'treat', incarnation, attempt, outcome }, now)
  }

  /** Another process finds what was stored; what was not delivered is asked for again. */
  reload(workflow = this.#workflow): void {
    this.draft = Draft.from(workflow, decodeRecord(encodeRecord(this.draft.record(0))))
    this.draft.resume()
  }

  /** All that was asked for has been delivered. */
  delivered(): void {
    for (const { effectId } of this.draft.record(0).outbox) this.draft.markDelivered(effectId)
  }
}

function inShort(effect: Effect): string {
  if (effect.type === 'startActivity') return `begin ${effect.activity.attempt}`
  if (effect.type === 'stopActivity') return 'abort'
  if (effect.type === 'task') return `task ${effect.task.attempt}, until ${effect.task.dueAt}`
  if (effect.type === 'recall') return `recall ${effect.attempt}`
  if (effect.type !== 'post') return effect.type
  const { message } = effect
  if (message.type === 'acquire') return `acquire ${message.holder.incarnation}`
  return message.type === 'release' ? `release ${message.holder.incarnation}` : message.type
}

describe('an activity with a pool', () => {
  it('begins when it has a permit, and gives it back with its result', () => {
    const patient = new Patient()
    const { claim } = patient

    expect(patient.commit()).toEqual([`acquire ${claim}`])
    expect(patient.draft).toMatchObject({ isBusy: false, hasActivities: true })
    expect(patient.grant()).toBe('accepted')
    expect(patient.commit()).toEqual(['begin 1'])
    expect(patient.draft.isBusy).toBe(true)
    expect(patient.grant()).toBe('accepted')
    expect(patient.commit()).toEqual([])
    expect(patient.report(well)).toBe('accepted')
    expect(patient.commit()).toEqual([`release ${claim}`])
    expect(patient.outcome).toBe('well')
  })

  it('asks for one permit of all that the pool has, by its priority', () => {
    const urgent = new Patient(activity({ ...options, priority: () => 1 }))

    expect(urgent.draft.takeEffects()).toMatchObject([
      { target: { workflow: 'holdfast-pool', id: 'beds' }, message: { permits: 1, priority: 1, size: 2 } },
    ])
    expect(new Patient().draft.takeEffects()).toMatchObject([{ message: { priority: 3 } }])
  })

  it('asks again, in the same words, when nobody knows whether it was heard, and has lost nothing', () => {
    const patient = new Patient()
    const asked = patient.commit()

    patient.reload()
    patient.draft.restart(50, true)

    expect(patient.commit()).toEqual(asked)
    patient.grant()
    expect(patient.commit()).toEqual(['begin 1'])
    expect(patient.activity.restarts).toBeUndefined()
  })

  it('that is lost begins again under the permit it has', () => {
    const patient = new Patient()
    const { claim } = patient
    patient.grant()
    patient.commit()
    patient.delivered()

    patient.reload()
    patient.draft.restart(50, true)

    expect(patient.commit()).toEqual(['begin 2'])
    expect(patient.activity).toMatchObject({ restarts: [50], permit: { isHeld: true } })
    patient.report(well)
    expect(patient.commit()).toEqual([`release ${claim}`])
  })

  it('gives its permit back while it waits for another attempt, which asks under a number of its own', () => {
    const patient = new Patient()
    const first = patient.claim
    patient.grant()
    patient.commit()

    patient.report(ill)
    expect(patient.commit()).toEqual([`release ${first}`])
    expect(patient.activity.permit).toBeUndefined()
    patient.reload()
    patient.delivered()
    patient.commit()
    expect(patient.draft.dueAt).toBe(1_000)
    patient.draft.fireDue(1_000)

    const second = patient.claim
    expect(patient.commit()).toEqual([`acquire ${second}`])
    expect([first, patient.activity.incarnation]).not.toContain(second)
    expect(patient.draft.dueAt).toBeUndefined()
    // Late from the first attempt, all of them.
    patient.grant(first)
    expect(patient.commit()).toEqual([`release ${first}`])
    expect(patient.refuse(first)).toBe('ignored')
    expect(patient.report(well)).toBe('ignored')
    expect(patient.commit()).toEqual([])
    patient.grant()
    expect(patient.commit()).toEqual(['begin 2'])
    expect(patient.refuse(second)).toBe('ignored')
    patient.report(ill)
    expect(patient.commit()).toEqual([`release ${second}`])
  })

  it('is refused by a full pool like an attempt that has failed', () => {
    const patient = new Patient()
    const first = patient.claim

    expect(patient.refuse(first)).toBe('accepted')

    expect(patient.activity).toMatchObject({ failures: 1, lastError: { code: 'POOL_FULL' }, retryAt: 1_000 })
    patient.draft.fireDue(1_000)
    expect(patient.activity).toMatchObject({ attempt: 2, permit: { isHeld: false } })
    expect(patient.claim).not.toBe(first)
    const once = new Patient(activity({ name: 'treat', pool: beds, run: async () => 'well' }))
    once.refuse(once.claim)
    expect(once.outcome).toMatchObject({ code: 'POOL_FULL' })
  })

  it('gives the permit back when its state is left, after it was told to stop', () => {
    const waiting = new Patient()
    const { claim } = waiting
    waiting.commit()
    waiting.deliver({ type: 'send', event: { type: 'LEAVE' } })
    expect(waiting.commit()).toEqual([`release ${claim}`])

    const running = new Patient()
    running.grant()
    running.commit()
    running.deliver({ type: 'send', event: { type: 'LEAVE' } })
    expect(running.commit()).toEqual(['abort', `release ${claim}`])

    const done = new Patient()
    done.commit()
    done.grant()
    done.deliver({ type: 'send', event: { type: 'LEAVE' } })
    // It had not begun.
    expect(done.commit()).toEqual([`release ${claim}`])
    done.grant(claim)
    expect(done.commit()).toEqual([`release ${claim}`])
  })

  it('keeps the permit while its instance is paused, and gives it back when that is cancelled', () => {
    const patient = new Patient()
    const { claim } = patient
    patient.grant()
    patient.commit()

    patient.deliver({ type: 'pause' })
    expect(patient.commit()).toEqual(['abort'])
    patient.deliver({ type: 'resume' })
    expect(patient.commit()).toEqual(['begin 2'])
    patient.deliver({ type: 'cancel', reason: 'no more' })
    expect(patient.commit()).toEqual(['abort', `release ${claim}`])
  })

  it('waits for it while its instance is paused', () => {
    const patient = new Patient(activity({ ...options, timeout: { pool: 5_000 } }))
    patient.commit()

    patient.deliver({ type: 'pause' })
    patient.reload()
    patient.delivered()
    expect(patient.draft).toMatchObject({ dueAt: undefined, hasLost: false, owes: 0 })
    patient.deliver({ type: 'resume' }, 6_000)
    patient.commit()
    patient.grant(patient.claim, 6_000)

    expect(patient.commit()).toEqual(['begin 1'])
    expect(patient.draft.fireDue(6_000)).toBe('ignored')
  })

  it('fails with POOL_TIMEOUT when it has waited too long, whatever its retry policy says', () => {
    const patient = new Patient(activity({ ...options, timeout: { pool: 5_000, total: 60_000 } }))
    const { claim } = patient
    patient.reload()
    patient.commit()
    expect(patient.draft.dueAt).toBe(5_000)
    expect(patient.draft.fireDue(4_999)).toBe('ignored')

    expect(patient.draft.fireDue(5_000)).toBe('accepted')

    expect(patient.commit()).toEqual([`release ${claim}`])
    expect(patient.outcome).toMatchObject({
      code: 'POOL_TIMEOUT',
      fields: { pool: 'beds', waitedMs: 5_000 },
      retryable: false,
    })
  })

  it('waits anew for another attempt, and no longer than all of them may take', () => {
    const patient = new Patient(activity({ ...options, timeout: { pool: 5_000, total: 9_000 } }))
    patient.grant(patient.claim, 4_000)
    expect(patient.draft.dueAt).toBe(9_000)
    patient.report(ill, 6_000)
    patient.draft.fireDue(7_000)
    expect(patient.activity.permit).toMatchObject({ askedAt: 7_000, dueAt: 12_000 })
    expect(patient.draft.dueAt).toBe(9_000)
    const { claim } = patient
    patient.commit()

    patient.draft.fireDue(9_000)

    expect(patient.commit()).toEqual([`release ${claim}`])
    expect(patient.outcome).toMatchObject({ code: 'ACTIVITY_TIMEOUT', fields: { timeout: 'total' } })
  })

  it('has waited in vain also when the step that is told so is made again', () => {
    let isBroken = true
    const check = () => {
      if (isBroken) throw new TypeError('it is broken')
    }
    const patient = new Patient(activity({ ...options, timeout: { pool: 5_000 } }), check)
    const { claim } = patient
    patient.commit()
    const stored = encodeRecord(patient.draft.record(0))
    const incident = incidentOf(() => patient.draft.fireDue(5_000))
    patient.draft = Draft.from(ward(treat, check), decodeRecord(stored))
    patient.draft.suspend(incident)
    patient.reload()
    patient.delivered()
    patient.commit()

    isBroken = false
    patient.deliver({ type: 'retry' }, 6_000)

    expect(patient.commit()).toEqual([`release ${claim}`])
    expect(patient.outcome).toMatchObject({ code: 'POOL_TIMEOUT' })
  })

  it('of a worker is asked for when it has a permit, and has its time from then on', () => {
    const patient = new Patient(remote)
    const { claim } = patient
    expect(patient.commit()).toEqual([`acquire ${claim}`])
    expect(patient.draft.dueAt).toBeUndefined()

    patient.grant(claim, 3_000)

    expect(patient.commit()).toEqual(['task 1, until 13000'])
    expect(patient.draft.dueAt).toBe(13_000)
    patient.deliver({ type: 'send', event: { type: 'LEAVE' } })
    expect(patient.commit()).toEqual(['recall 1', `release ${claim}`])
  })

  it('of a worker that takes too long gives its permit back, and its late result is none of the next', () => {
    const patient = new Patient(remote)
    const first = patient.claim
    patient.grant()
    patient.commit()
    patient.draft.fireDue(10_000)
    expect(patient.commit()).toEqual(['recall 1', `release ${first}`])
    patient.draft.fireDue(11_000)
    const second = patient.claim
    expect(patient.commit()).toEqual([`acquire ${second}`])

    // No attempt is under way.
    expect(patient.settle(1, well, 30_000)).toBe('ignored')
    expect(patient.draft.dueAt).toBeUndefined()
    expect(patient.draft.fireDue(30_000)).toBe('ignored')

    patient.grant(second, 30_000)
    expect(patient.commit()).toEqual(['task 2, until 40000'])
    expect(patient.settle(2, well, 31_000)).toBe('accepted')
    expect(patient.commit()).toEqual([`release ${second}`])
  })

  it('fails when it cannot tell its priority, and runs nothing', () => {
    const priority = () => 9 as never
    for (const logic of [
      activity({ ...options, priority }),
      remoteActivity({ name: 'treat', pool: beds, priority }),
    ]) {
      const patient = new Patient(logic)
      expect(patient.draft.takeEffects()).toMatchObject([
        { type: 'startActivity', activity: { lastError: { code: 'OPTIONS_INVALID' } } },
      ])
      patient.reload()
      patient.draft.restart(50, true)
      expect(patient.commit()).toEqual(['begin 2'])
    }
  })

  it('goes on by its record when a deployment changes what it needs', () => {
    const free = ward(activity({ name: 'treat', run: async () => 'well' }))
    const waiting = new Patient()
    const { claim } = waiting
    waiting.commit()
    waiting.reload(free)
    waiting.delivered()
    waiting.commit()
    waiting.grant(claim)
    expect(waiting.commit()).toEqual(['begin 1'])
    waiting.report(well)
    expect(waiting.commit()).toEqual([`release ${claim}`])

    const running = new Patient(activity({ name: 'treat', run: async () => 'well' }))
    expect(running.commit()).toEqual(['begin 1'])
    running.reload(ward(treat))
    running.draft.restart(50, true)
    expect(running.commit()).toEqual([`acquire ${running.claim}`])
    running.grant()
    expect(running.commit()).toEqual(['begin 2'])
  })

  it('is seen to wait for the pool, then to run', () => {
    const patient = new Patient()

    expect(supervisedActivity(patient.activity, false)).toMatchObject({ state: 'waiting', pool: 'beds' })
    expect(supervisedActivity(patient.activity, true)).toMatchObject({ state: 'waiting' })
    patient.grant()
    expect(supervisedActivity(patient.activity, false)).toMatchObject({ state: 'running', pool: 'beds' })
    expect(supervisedActivity(patient.activity, true)).toMatchObject({ state: 'stopped' })
  })
})

function incidentOf(step: () => void): StepFailure['incident'] {
  try {
    step()
  } catch (error) {
    if (error instanceof StepFailure) return error.incident
    throw error
  }
  throw new Error('the step has not thrown')
}
