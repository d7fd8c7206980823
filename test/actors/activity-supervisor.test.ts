import { describe, expect, it } from 'vitest'

import type { ActivitySpec } from '../../actors/activity.ts'
import { activityTimeout } from '../../actors/activity-timeout.ts'
import type { ActivityRecord } from '../../actors/record.ts'
import { resolveQueueing } from '../../src/workflow/queueing-options.ts'
import { asked, expired, failed, lost, waited } from '../../actors/supervisors/activity.ts'

const spec: ActivitySpec = {
  name: 'charge',
  retry: {
    maxAttempts: 3,
    initialIntervalMs: 100,
    backoff: 2,
    maxIntervalMs: 1_000,
    jitter: 0,
    nonRetryable: [],
  },
  restart: { intensity: 2, periodMs: 1_000 },
  attemptTimeoutMs: undefined,
  heartbeatTimeoutMs: undefined,
  queueTimeoutMs: undefined,
  totalTimeoutMs: undefined,
  pool: undefined,
  queueing: resolveQueueing({}),
  run: async () => undefined,
}

const first: ActivityRecord = {
  path: 'pay',
  src: 'charge',
  input: undefined,
  incarnation: 4,
  attempt: 1,
  startedAt: 5_000,
}
const down = new Error('down')

function complain(thrown: unknown): void {
  throw thrown
}

describe('an activity that is asked for', () => {
  it('has a deadline if there is a limit for all its attempts', () => {
    expect(asked(first, { ...spec, totalTimeoutMs: 700 })).toEqual({ ...first, deadlineAt: 5_700 })
    expect(asked(first, spec)).toBe(first)
    expect(asked(first, undefined)).toBe(first)
  })

  it('has one that can be stored, however far away', () => {
    const { deadlineAt } = asked(first, { ...spec, totalTimeoutMs: Number.MAX_SAFE_INTEGER })

    expect(new Date(deadlineAt!).getTime()).toBe(deadlineAt)
  })
})

describe('an attempt that has failed', () => {
  it('is followed by another one, after a wait', () => {
    expect(failed(first, down, spec, 6_000, complain)).toEqual({
      type: 'goesOn',
      activity: { ...first, failures: 1, retryAt: 6_100, lastError: down },
    })
  })

  it('is the last one when the policy says so', () => {
    const third = { ...first, attempt: 3, failures: 2, lastError: down }

    expect(failed(third, down, spec, 6_000, complain)).toEqual({
      type: 'failed',
      activity: third,
      error: down,
    })
  })

  it('follows lost ones that use up nothing of the policy', () => {
    const restarted = { ...first, attempt: 8 }
    const again = failed(restarted, down, spec, 6_000, complain)

    expect(again).toEqual({
      type: 'goesOn',
      activity: { ...restarted, failures: 1, retryAt: 6_100, lastError: down },
    })
    const lostSince = { ...waited(again.activity), attempt: 12 }
    expect(failed(lostSince, down, spec, 6_000, complain)).toMatchObject({
      type: 'goesOn',
      activity: { failures: 2, retryAt: 6_200 },
    })
  })

  it('counts as one more than there are attempts before it where an older record counts no failures', () => {
    const older = { ...first, attempt: 2, lastError: down }

    expect(failed(older, down, spec, 6_000, complain)).toMatchObject({ activity: { failures: 2 } })
    expect(failed({ ...older, attempt: 3 }, down, spec, 6_000, complain).type).toBe('failed')
  })

  it('is the last one when it has waited too long for a slot', () => {
    const late = activityTimeout('queue', { activity: 'charge', attempt: 1, limitMs: 5 })

    expect(failed(first, late, spec, 6_000, complain)).toEqual({
      type: 'failed',
      activity: first,
      error: late,
    })
  })

  it('is the last one of logic that has no policy', () => {
    expect(failed(first, down, undefined, 6_000, complain)).toMatchObject({ type: 'failed', error: down })
  })

  it('is the last one when the next could only begin after the time for all of them', () => {
    const at = (deadlineAt: number) => failed({ ...first, deadlineAt }, down, spec, 6_000, complain).type

    expect([at(6_099), at(6_100), at(6_101)]).toEqual(['failed', 'failed', 'goesOn'])
  })

  it('waits until a moment that can be stored', () => {
    const patient = Object.assign(new Error('much later'), { retryAfterMs: Number.MAX_VALUE })
    const { activity } = failed(first, patient, spec, 6_000, complain)

    expect(new Date(activity.retryAt!).getTime()).toBe(activity.retryAt)
  })

  it('has a higher number after its wait, and the same error', () => {
    const { activity } = failed(first, down, spec, 6_000, complain)

    expect(waited(activity)).toEqual({
      ...first,
      attempt: 2,
      failures: 1,
      retryAt: undefined,
      lastError: down,
    })
  })
})

describe('an attempt that was lost', () => {
  it('is made again under a higher number, and counted', () => {
    expect(lost(first, spec, 6_000, true)).toEqual({
      type: 'goesOn',
      activity: { ...first, attempt: 2, restarts: [6_000] },
    })
  })

  it('is not counted when it was halted, nor when nobody counts', () => {
    const endless = { ...spec, restart: { intensity: Infinity, periodMs: 1_000 } }

    for (const decision of [
      lost(first, spec, 6_000, false),
      lost(first, endless, 6_000, true),
      lost(first, undefined, 6_000, true),
    ]) {
      expect(decision).toEqual({ type: 'goesOn', activity: { ...first, attempt: 2 } })
    }
  })

  it('is given up after too many within the period, for the error of the attempt before', () => {
    const often = { ...first, attempt: 3, restarts: [5_500, 5_900], lastError: down }

    expect(lost(often, spec, 6_000, true)).toMatchObject({
      type: 'escalated',
      activity: often,
      error: {
        code: 'RESTARTS_EXCEEDED',
        cause: down,
        fields: { activity: 'charge', attempt: 3, intensity: 2, periodMs: 1_000 },
      },
    })
  })

  it('is forgotten after the period', () => {
    const before = { ...first, attempt: 3, restarts: [5_000, 5_001] }

    expect(lost(before, spec, 6_000, true)).toMatchObject({ activity: { restarts: [5_001, 6_000] } })
  })

  it('is forgotten when the clock has jumped back behind it', () => {
    const before = { ...first, attempt: 3, restarts: [9_000_000, 9_000_001] }

    expect(lost(before, spec, 6_000, true)).toMatchObject({ activity: { restarts: [6_000] } })
  })

  it('is not made again by an activity that allows no restart', () => {
    expect(lost(first, { ...spec, restart: { intensity: 0, periodMs: 1 } }, 6_000, true).type).toBe(
      'escalated',
    )
  })

  it('is not made again by a temporary one, however it was lost', () => {
    for (const isCounted of [true, false]) {
      expect(lost(first, { ...spec, restart: 'temporary' }, 6_000, isCounted)).toMatchObject({
        type: 'failed',
        error: { code: 'ACTIVITY_LOST', retryable: false, fields: { activity: 'charge', attempt: 1 } },
      })
    }
  })

  it('is not made again once the time for all of them is up', () => {
    const late = { ...first, deadlineAt: 6_000 }

    expect(lost(late, spec, 5_999, true).type).toBe('goesOn')
    expect(lost(late, spec, 6_000, true)).toMatchObject({
      type: 'failed',
      error: { code: 'ACTIVITY_TIMEOUT' },
    })
  })
})

describe('an activity whose time is up', () => {
  it('has failed for good, because of the error of its last attempt', () => {
    const late = { ...first, attempt: 2, deadlineAt: 5_700, lastError: down }

    expect(expired(late, spec)).toMatchObject({
      type: 'failed',
      error: {
        code: 'ACTIVITY_TIMEOUT',
        retryable: false,
        cause: down,
        fields: { activity: 'charge', timeout: 'total', limitMs: 700, attempt: 2 },
      },
    })
  })
})
