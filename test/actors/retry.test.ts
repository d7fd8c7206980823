import { describe, expect, it } from 'vitest'

import { RuntimeError } from '../../actors/errors.ts'
import { retryDelay, type RetryPolicy } from '../../actors/retry.ts'

const policy: RetryPolicy = {
  maxAttempts: 5,
  initialIntervalMs: 100,
  backoff: 2,
  maxIntervalMs: 500,
  jitter: 0,
  nonRetryable: ['CardDeclined', 'PAYLOAD_TOO_LARGE'],
}

/** Nothing of the policy throws. */
function delayOf(of: RetryPolicy, attempt: number, error: unknown, spread: number): number | undefined {
  return retryDelay(of, attempt, error, spread, thrown => {
    throw thrown
  })
}

describe('a retry policy', () => {
  it('waits longer each time, up to its longest wait', () => {
    const delays = [1, 2, 3, 4].map(attempt => delayOf(policy, attempt, new Error('down'), 0.5))

    expect(delays).toEqual([100, 200, 400, 500])
  })

  it('has no wait after however many failures, when the first is none', () => {
    const forever = { ...policy, initialIntervalMs: 0, maxAttempts: Number.POSITIVE_INFINITY }

    expect(delayOf(forever, 1_025, new Error('down'), 0.5)).toBe(0)
  })

  it('gives up after its last attempt', () => {
    expect(delayOf(policy, 5, new Error('down'), 0.5)).toBeUndefined()
  })

  it('gives up at once on an error named or coded as beyond cure', () => {
    const named = Object.assign(new Error('no'), { name: 'CardDeclined' })
    const coded = new RuntimeError('PAYLOAD_TOO_LARGE', 'no')

    expect(delayOf(policy, 1, named, 0.5)).toBeUndefined()
    expect(delayOf(policy, 1, coded, 0.5)).toBeUndefined()
  })

  it('tries again whatever else was thrown, even what is no error', () => {
    expect(delayOf(policy, 1, 'a string', 0.5)).toBe(100)
    expect(delayOf(policy, 1, undefined, 0.5)).toBe(100)
  })

  it('spreads the waits within the share its jitter allows', () => {
    const spread = { ...policy, jitter: 0.2 }

    const delays = [0, 0.5, 0.999_999].map(share => delayOf(spread, 1, undefined, share))

    expect(delays).toEqual([80, 100, 120])
  })
  it('asks the function that knows which errors are beyond cure', () => {
    const asking = { ...policy, nonRetryable: (error: unknown) => (error as Error).message === 'no' }

    expect(delayOf(asking, 1, new Error('no'), 0.5)).toBeUndefined()
    expect(delayOf(asking, 1, new Error('down'), 0.5)).toBe(100)
  })

  it('tries again, and complains, when that function throws', () => {
    const complaints: unknown[] = []
    const broken = {
      ...policy,
      nonRetryable: (error: unknown) => (error as { reason: string }).reason.startsWith('no'),
    }

    const delay = retryDelay(broken, 1, new Error('down'), 0.5, thrown => complaints.push(thrown))

    expect(delay).toBe(100)
    expect(complaints).toEqual([expect.any(TypeError)])
  })

  it('waits as long as the error says, to the millisecond, and no longer than it has attempts', () => {
    const spread = { ...policy, jitter: 1 }
    const after = (retryAfterMs: unknown) => Object.assign(new Error('busy'), { retryAfterMs })

    expect([0, 7, 86_400_000].map(ms => delayOf(spread, 1, after(ms), 0))).toEqual([0, 7, 86_400_000])
    expect(delayOf(spread, 5, after(7), 0)).toBeUndefined()
    expect([-1, NaN, Infinity, '7'].map(ms => delayOf(policy, 1, after(ms), 0))).toEqual([100, 100, 100, 100])
  })

  it('gives up when the error itself says that it is beyond cure', () => {
    const hopeless = Object.assign(new Error('no'), { nonRetryable: true, retryAfterMs: 5 })

    expect(delayOf(policy, 1, hopeless, 0.5)).toBeUndefined()
  })
})
