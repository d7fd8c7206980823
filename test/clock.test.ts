import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { systemClock } from '../src/clock.ts'
import { Wakeups } from '../src/runtime/wakeups.ts'

const dayMs = 86_400_000
/** `setTimeout` takes less, and fires a longer delay at once. */
const farMs = 26 * dayMs

/** The timers of Node, and a time that passes when told. */
beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

describe('systemClock', () => {
  it('waits the whole of a delay longer than 24.8 days, and fires once', () => {
    const fired: number[] = []
    systemClock.setTimer(farMs, () => fired.push(systemClock.monotonic()))
    const startedAt = systemClock.monotonic()

    vi.advanceTimersByTime(farMs - 1)
    const early = [...fired]
    vi.advanceTimersByTime(farMs)

    expect({ early, fired }).toEqual({ early: [], fired: [startedAt + farMs] })
  })

  it('can cancel such a delay at any time of it', () => {
    let fired = 0
    const timer = systemClock.setTimer(farMs, () => fired++)

    vi.advanceTimersByTime(25 * dayMs)
    timer.cancel()
    vi.advanceTimersByTime(farMs)

    expect([fired, vi.getTimerCount()]).toEqual([0, 0])
  })
})

describe('Wakeups', () => {
  it('wakes for what is due in more than 24.8 days then, and not before', () => {
    const woken: [string, number][] = []
    const wakeups = new Wakeups(systemClock, key => woken.push([key, Date.now()]))
    const dueAt = Date.now() + farMs
    wakeups.set('far', dueAt)

    vi.advanceTimersByTime(farMs - 1)
    const early = [...woken]
    vi.advanceTimersByTime(dayMs)

    expect({ early, woken }).toEqual({ early: [], woken: [['far', dueAt]] })
  })
})
