import { describe, expect, it } from 'vitest'

import { waitAfter } from '../../src/nats/inbox-sweep.ts'

describe('what is acknowledged', () => {
  it('is removed after 5 s, while that takes the server little time', () => {
    expect(waitAfter(2, 32)).toBe(5_000)
    expect(waitAfter(100, 1)).toBe(5_000)
  })

  it('is removed the less often the longer it takes, so that all partitions take a twentieth of a processor', () => {
    expect(waitAfter(16, 32)).toBe(32 * 16 * 20)
  })

  it('is removed once in a minute, however long that takes', () => {
    expect(waitAfter(100, 32)).toBe(60_000)
    expect(waitAfter(30_000, 32)).toBe(60_000)
  })
})
