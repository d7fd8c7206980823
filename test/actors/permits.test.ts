import { describe, expect, it } from 'vitest'
import { setup } from 'xstate'

import { objectionTo, startOfPool } from '../../actors/admission.ts'
import { Draft } from '../../actors/draft.ts'
import type { Envelope, GrantEnvelope, StartEnvelope } from '../../actors/envelope.ts'
import { StepFailure } from '../../actors/incident.ts'
import { prepareWorkflow } from '../../actors/machine.ts'
import { poolWorkflow, type Pool } from '../../actors/pool.ts'
import type { PostedMessage } from '../../actors/record.ts'
import { supervisedActivity } from '../../actors/supervision.ts'
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts'
import { defineWorkflow, pool } from '../../src/index.ts'
import { poolsWorkflow } from '../../src/workflow/pool.ts'
import { visitor, type Visit } from '../support/pools.ts'

const address = { workflow: 'visitor', id: 'v-1' }
const poolAddress = { workflow: poolWorkflow, id: 'sites' }
const visitors = prepareWorkflow(visitor)
const pools = prepareWorkflow(poolsWorkflow)

type Deliverable = Parameters<Draft['deliver']>[0]

/** An instance, and what it has posted since it was last asked. */
class Stage {
  draft: Draft
  #seq = 1

  constructor(visit: Visit = {}) {
    const input: unknown = visit
    const base = { type: 'start', id: 'start', target: address, time: 0, inputDigest: 'd' } as const
    this.draft = Draft.start(visitors, { ...base, input } as StartEnvelope, 1, 0)
  }

  posted(): PostedMessage[] {
    return this.draft.takeEffects().flatMap(effect => (effect.type === 'post' ? [effect.message] : []))
  }

  deliver(message: Record<string, unknown> & { type: string }, now = 0): string {
    const envelope = { id: `m-${this.#seq}`, target: address, time: 0, ...message } as Envelope
    return this.draft.deliver(envelope as Deliverable, ++this.#seq, now)
  }

  /** Of the invocation of the pool. */
  get incarnation(): number {
    return this.draft.record(0).activities[0]!.incarnation
  }

  grant(incarnation = this.incarnation): string {
    return this.deliver({ type: 'grant', pool: 'sites', path: 'site', incarnation })
  }

  /** As another process finds it. */
  reload(): void {
    this.draft = Draft.from(visitors, decodeRecord(encodeRecord(this.draft.record(0))))
    this.draft.resume()
  }

  get value(): unknown {
    return this.draft.snapshot().value
  }
}

const holder = (incarnation: number) => ({ address, path: 'site', incarnation })
const released = (incarnation: number) => ({ type: 'release', holder: holder(incarnation) })

/** One whose machine throws when it is told that it has the permit, until it is fixed. */
function suspendedByGrant(): { draft: Draft; grant: GrantEnvelope; fix: () => void } {
  let isBroken = true
  const check = (): boolean => {
    if (isBroken) throw new TypeError('it is broken')
    return true
  }
  const workflow = prepareWorkflow(
    defineWorkflow(
      setup({ actors: { site: pool({ name: 'sites', permits: 3 }) }, guards: { check } }).createMachine({
        id: 'visitor',
        invoke: { id: 'site', src: 'site' },
        initial: 'queueing',
        states: {
          queueing: { on: { 'workflow.granted': { target: 'inside', guard: 'check' } } },
          inside: {},
          left: { type: 'final' },
        },
        on: { LEAVE: '.left' },
      }),
    ),
  )
  const base = { target: address, time: 0 }
  const start = { ...base, type: 'start', id: 'start', input: undefined, inputDigest: 'd' } as const
  const stored = Draft.start(workflow, start, 1, 0).record(0)
  const { incarnation } = stored.activities[0]!
  const bytes = encodeRecord({ ...stored, outbox: [] })
  const grant = { ...base, type: 'grant', id: 'grant', pool: 'sites', path: 'site', incarnation } as const
  try {
    Draft.from(workflow, decodeRecord(bytes)).deliver(grant, 2, 0)
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error
    const suspended = Draft.from(workflow, decodeRecord(bytes))
    suspended.suspend(error.incident, { envelope: grant, seq: 2 })
    const draft = Draft.from(workflow, decodeRecord(encodeRecord(suspended.record(0))))
    return { draft, grant, fix: () => (isBroken = false) }
  }
  throw new Error('the step has not thrown')
}

describe('an instance that wants a permit', () => {
  it('asks the pool, runs nothing, and is told when it has it', () => {
    const stage = new Stage({ request: { permits: 2, priority: 1 } })

    expect(stage.posted()).toEqual([
      { type: 'acquire', holder: holder(stage.incarnation), permits: 2, priority: 1, size: 3 },
    ])
    expect(stage.draft.isBusy).toBe(false)
    expect(stage.grant()).toBe('accepted')
    expect(stage.value).toEqual({ onSite: 'inside' })
    expect(stage.draft.lastEvent).toBe('workflow.granted')
    expect(stage.grant()).toBe('accepted')
    expect(stage.posted()).toEqual([])
  })

  it('asks again, in the same words, when nobody knows whether it was heard', () => {
    const stage = new Stage()
    const [asked] = stage.posted()

    stage.reload()

    expect(stage.posted()).toEqual([asked])
    expect(stage.grant()).toBe('accepted')
    expect(stage.value).toEqual({ onSite: 'inside' })
  })

  it('gives it back when it leaves the state, holding it or not', () => {
    for (const isHolding of [false, true]) {
      const stage = new Stage()
      const { incarnation } = stage
      stage.posted()
      if (isHolding) stage.grant()

      stage.deliver({ type: 'send', event: { type: 'LEAVE' } })

      expect(stage.posted()).toEqual([released(incarnation)])
      expect(stage.draft.status).toBe('done')
    }
  })

  it('gives it back when it is cancelled, and when it is paused it does not', () => {
    const stage = new Stage()
    const { incarnation } = stage
    stage.posted()

    stage.deliver({ type: 'pause' })
    expect(stage.posted()).toEqual([])
    stage.deliver({ type: 'cancel', reason: 'no more' })

    expect(stage.posted()).toEqual([released(incarnation)])
    expect(stage.draft.status).toBe('cancelled')
  })

  it('gives back a grant that it does not want any more, and takes the one it wants', () => {
    const stage = new Stage()
    const first = stage.incarnation
    stage.posted()
    stage.deliver({ type: 'send', event: { type: 'RETURN' } })
    expect(stage.posted().map(({ type }) => type)).toEqual(['release', 'acquire'])

    expect(stage.grant(first)).toBe('accepted')
    expect(stage.value).toEqual({ onSite: 'queueing' })
    expect(stage.posted()).toEqual([released(first)])

    stage.grant()
    expect(stage.value).toEqual({ onSite: 'inside' })
  })

  it('waits until its deadline, counted from entering the state, also in another process', () => {
    const stage = new Stage({ request: { timeout: '5s' } })
    const { incarnation } = stage
    stage.posted()
    stage.reload()
    stage.posted()
    expect(stage.draft.dueAt).toBe(5_000)

    expect(stage.draft.fireDue(4_999)).toBe('ignored')
    expect(stage.draft.fireDue(5_000)).toBe('accepted')

    expect(stage.posted()).toEqual([released(incarnation)])
    expect(stage.draft.snapshot()).toMatchObject({ status: 'done', output: 'POOL_TIMEOUT' })
  })

  it('has no deadline while it is paused, and takes what comes first when it goes on', () => {
    for (const isGranted of [true, false]) {
      const stage = new Stage({ request: { timeout: '5s' } })
      stage.deliver({ type: 'pause' })
      expect(stage.draft.dueAt).toBeUndefined()

      stage.deliver({ type: 'resume' }, 6_000)
      if (isGranted) stage.grant()
      stage.draft.fireDue(6_000)

      expect(stage.draft.status).toBe(isGranted ? 'running' : 'done')
    }
  })

  it('has the permit though the step that tells it so throws, until it ends', () => {
    for (const way of ['retry', 'skip', 'cancel']) {
      const { draft, grant, fix } = suspendedByGrant()
      expect(draft.record(0)).toMatchObject({
        status: 'suspended',
        activities: [{ permit: { isHeld: false } }],
      })
      fix()
      const posted = () =>
        draft.takeEffects().flatMap(effect => (effect.type === 'post' ? [effect.message] : []))

      draft.deliver({ id: 'w', target: address, time: 0, type: way, reason: 'no more' } as Deliverable, 3, 0)

      const isHeld = way === 'retry'
      expect(posted()).toEqual(way === 'cancel' ? [released(grant.incarnation)] : [])
      if (way === 'cancel') continue
      expect(draft.snapshot().value).toBe(isHeld ? 'inside' : 'queueing')
      expect(draft.record(0).activities).toMatchObject([{ permit: { isHeld } }])
      draft.deliver({ id: 'l', target: address, time: 0, type: 'send', event: { type: 'LEAVE' } }, 4, 0)
      expect(posted()).toEqual([released(grant.incarnation)])
    }
  })

  it('is seen to have delegated it', () => {
    const [activity] = new Stage().draft.activities

    expect(supervisedActivity(activity!, false)).toMatchObject({ path: 'site', state: 'delegated' })
  })

  it('has no deadline any more once it has the permit', () => {
    const stage = new Stage({ request: { timeout: '5s' } })
    stage.grant()

    expect(stage.draft.dueAt).toBeUndefined()
    expect(stage.draft.fireDue(10_000)).toBe('ignored')
    expect(stage.value).toEqual({ onSite: 'inside' })
  })

  it('fails when it asks for what cannot be', () => {
    for (const request of [{ permits: 4 }, { priority: 0 }, { timeout: -1 }] as const) {
      const effects = new Stage({ request }).draft.takeEffects()

      expect(effects).toMatchObject([
        { type: 'startActivity', activity: { lastError: { code: 'OPTIONS_INVALID' } } },
      ])
    }
  })
})

describe('the instance that is a pool', () => {
  const acquire = (id: string, size = 1): Envelope => ({
    type: 'acquire',
    id: `a-${id}`,
    target: poolAddress,
    time: 0,
    holder: { address: { workflow: 'visitor', id }, path: 'site', incarnation: 1 },
    permits: 1,
    priority: 3,
    size,
  })

  function poolAfter(...envelopes: Envelope[]): Draft {
    const draft = Draft.start(pools, startOfPool(envelopes[0]!)!, 1, 0)
    for (const [index, envelope] of envelopes.entries()) {
      draft.deliver(envelope as Deliverable, index + 1, 0)
    }
    return draft
  }

  it('grants, refuses, and is the same in another process', () => {
    const draft = poolAfter(acquire('a'), acquire('b'))
    const posts = draft.takeEffects()
    const again = Draft.from(pools, decodeRecord(encodeRecord(draft.record(0))))
    const duplicate = acquire('b') as Deliverable
    expect(again.deliver({ ...duplicate, id: 'again' }, 3, 0)).toBe('accepted')

    expect(posts).toMatchObject([
      {
        type: 'post',
        target: { id: 'a' },
        message: { type: 'grant', pool: 'sites', path: 'site', incarnation: 1 },
      },
    ])
    expect(again.snapshot().context).toEqual(draft.snapshot().context)

    const tooMuch = { ...acquire('c'), permits: 2 } as Envelope
    again.deliver(tooMuch as Deliverable, 4, 0)
    expect(again.takeEffects()).toMatchObject([
      {
        target: { id: 'c' },
        message: { type: 'settle', outcome: { status: 'error', error: { code: 'POOL_FULL' } } },
      },
    ])
  })

  it('takes only what is for pools, and the first request makes it', () => {
    const nothing = { draft: undefined, finished: undefined, revision: 0, start: undefined }
    const objection = (message: object) =>
      objectionTo(
        { envelope: { id: 'x', target: poolAddress, time: 0, ...message } as Envelope, seq: 1 },
        nothing,
      )

    expect(objection(acquire('a'))).toBeUndefined()
    for (const type of ['start', 'send', 'settle', 'cancel', 'fail', 'edit', 'grant']) {
      expect(objection({ type })).toMatchObject({ type: 'rejected', code: 'WORKFLOW_UNKNOWN' })
    }
    for (const type of ['release', 'pause', 'resume', 'retry', 'skip']) {
      expect(objection({ type })).toMatchObject({ type: 'rejected', code: 'INSTANCE_NOT_FOUND' })
    }
  })

  it('needs about thirty bytes for one that waits', () => {
    const sizeOf = (count: number) => {
      const draft = poolAfter(...Array.from({ length: count }, (_, n) => acquire(`order-${100_000 + n}`)))
      draft.takeEffects()
      expect((draft.snapshot().context as Pool).waiting).toHaveLength(count - 1)
      return encodeRecord(draft.record(0)).length
    }

    const bytes = (sizeOf(1_001) - sizeOf(1)) / 1_000

    expect(bytes).toBeGreaterThan(20)
    expect(bytes).toBeLessThan(34)
  })
})
