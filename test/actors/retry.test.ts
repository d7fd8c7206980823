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

describe('a retry policy', () => {
  it('waits longer each time, up to its longest wait', () => {
    const delays = [1, 2, 3, 4].map(attempt => retryDelay(policy, attempt, new Error('down'), 0.5))

    expect(delays).toEqual([100, 200, 400, 500])
  })

  it('gives up after its last attempt', () => {
    expect(retryDelay(policy, 5, new Error('down'), 0.5)).toBeUndefined()
  })

  it('gives up at once on an error named or coded as beyond cure', () => {
    const named = Object.assign(new Error('no'), { name: 'CardDeclined' })
    const coded = new RuntimeError('PAYLOAD_TOO_LARGE', 'no')

    expect(retryDelay(policy, 1, named, 0.5)).toBeUndefined()
    expect(retryDelay(policy, 1, coded, 0.5)).toBeUndefined()
  })

  it('tries again whatever else was thrown, even what is no error', () => {
    expect(retryDelay(policy, 1, 'a string', 0.5)).toBe(100)
    expect(retryDelay(policy, 1, undefined, 0.5)).toBe(100)
  })

  it('spreads the waits within the share its jitter allows', () => {
    const spread = { ...policy, jitter: 0.2 }

    const delays = [0, 0.5, 0.999_999].map(share => retryDelay(spread, 1, undefined, share))

    expect(delays).toEqual([80, 100, 120])
  })
})
