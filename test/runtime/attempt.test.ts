import { describe, expect, it } from 'vitest'

import { activitySpecOf, type ActivityContext } from '../../actors/activity.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { Attempt } from '../../src/runtime/attempt.ts'
import { activity } from '../../src/workflow/activity.ts'
import type { TimeoutOptions } from '../../src/workflow/activity-options.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }

/** An attempt under way, with what it was given and what it has told. */
async function begin(timeout: TimeoutOptions = {}, lastHeartbeat?: unknown) {
  const clock = new ManualClock()
  const noted: unknown[] = []
  const abandoned: number[] = []
  const settled: { outcome: LeafOutcome; details: unknown }[] = []
  let context: ActivityContext | undefined
  let finish: (output: unknown) => void = () => {}
  let fail: (error: Error) => void = () => {}
  const logic = activity({
    name: 'charge',
    timeout,
    run: (given: ActivityContext) => {
      context = given
      return new Promise<unknown>((resolve, reject) => {
        finish = resolve
        fail = reject
      })
    },
  })
  const attempt = new Attempt({
    activity: {
      path: 'pay',
      src: 'charge',
      input: 1,
      incarnation: 4,
      attempt: 2,
      startedAt: 0,
      lastHeartbeat,
    },
    address: { workflow: 'order', id: 'o-1' },
    clock,
    log: () => log,
    spec: activitySpecOf(logic)!,
    noted: details => noted.push(details),
    abandoned: change => abandoned.push(change),
    settled: (outcome, details) => settled.push({ outcome, details }),
  })
  await expect.poll(() => context).toBeDefined()
  return { abandoned, attempt, clock, context: context!, finish, fail, noted, settled }
}

describe('an attempt', () => {
  it('sets no timer that no policy asks for', async () => {
    const { clock, context } = await begin()

    context.heartbeat()

    expect(clock.timerCount).toBe(0)
    expect(context).toMatchObject({ attempt: 2, idempotencyKey: 'order/o-1/pay/4', input: 1 })
  })

  it('leaves no timer behind when it ends', async () => {
    const { clock, context, finish, settled } = await begin({ attempt: '10s', heartbeat: '3s' })
    context.heartbeat(1)
    context.heartbeat(2)
    const during = clock.timerCount

    finish('paid')
    await expect.poll(() => settled.length).toBe(1)
    context.heartbeat(3)

    expect(during).toBe(3)
    expect(clock.timerCount).toBe(0)
    expect(context.signal.aborted).toBe(false)
  })

  it('fails when it takes longer than one attempt may', async () => {
    const { clock, context, settled } = await begin({ attempt: '10s' })

    clock.advance(9_999)
    const before = settled.length
    clock.advance(1)

    expect(before).toBe(0)
    expect(settled).toMatchObject([
      {
        outcome: {
          error: {
            code: 'ACTIVITY_TIMEOUT',
            retryable: true,
            fields: { activity: 'charge', timeout: 'attempt', limitMs: 10_000, attempt: 2 },
          },
        },
      },
    ])
    expect(context.signal.reason).toMatchObject({ code: 'ACTIVITY_TIMEOUT' })
  })

  it('fails when it gives no heartbeat for too long, and not before', async () => {
    const { clock, context, settled } = await begin({ heartbeat: '3s' })

    for (let beat = 0; beat < 5; beat++) {
      clock.advance(2_900)
      context.heartbeat()
    }
    clock.advance(2_999)
    const before = settled.length
    clock.advance(1)

    expect(before).toBe(0)
    expect(settled).toMatchObject([
      { outcome: { error: { fields: { timeout: 'heartbeat', limitMs: 3_000, attempt: 2 } } } },
    ])
    expect(context.signal.aborted).toBe(true)
    expect(clock.timerCount).toBe(0)
  })

  it('has the newest details of its heartbeats stored, once a second', async () => {
    const { clock, context, noted } = await begin()

    for (let n = 0; n < 300; n++) {
      context.heartbeat({ n })
      clock.advance(10)
    }
    clock.advance(1_000)

    expect(noted).toEqual([{ n: 0 }, { n: 99 }, { n: 199 }, { n: 299 }])
  })

  it('has them stored before it can fail for want of a heartbeat', async () => {
    const { clock, context, noted, settled } = await begin({ heartbeat: 100 })

    context.heartbeat(1)
    context.heartbeat(2)
    clock.advance(79)
    const before = [...noted]
    clock.advance(1)

    expect([before, noted]).toEqual([[1], [1, 2]])
    expect(settled).toEqual([])
  })

  it('fails with the details that are not stored yet', async () => {
    const { context, fail, noted, settled } = await begin()

    context.heartbeat({ page: 1 })
    context.heartbeat({ page: 2 })
    context.heartbeat()
    fail(new Error('down'))
    await expect.poll(() => settled.length).toBe(1)

    expect(noted).toEqual([{ page: 1 }])
    expect(settled).toMatchObject([{ outcome: { status: 'error' }, details: { page: 2 } }])
  })

  it('finds the details of the attempt before', async () => {
    const { context } = await begin({}, { page: 7 })

    expect(context.lastHeartbeat).toEqual({ page: 7 })
  })

  it('tells nothing once it is stopped', async () => {
    const { abandoned, attempt, clock, context, finish, noted, settled } = await begin({
      attempt: 10,
      heartbeat: 10,
    })

    context.heartbeat(1)
    context.heartbeat(2)
    attempt.stop()
    context.heartbeat(3)
    clock.advance(1_000)
    const before = [...abandoned]
    finish('paid')
    await expect.poll(() => abandoned.length).toBe(2)

    expect([before, abandoned]).toEqual([[1], [1, -1]])
    expect([noted, settled]).toEqual([[1], []])
    expect(clock.timerCount).toBe(0)
    expect(context.signal.reason).toMatchObject({ code: 'ABORTED' })
  })
})
