import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/memory/clock.ts'

describe('ManualClock', () => {
  it('stands still until it is advanced', () => {
    const clock = new ManualClock(1_000)

    clock.advance(250)

    expect([clock.now(), clock.monotonic()]).toEqual([1_250, 250])
  })

  it('fires timers in the order of their time, each at its moment', () => {
    const clock = new ManualClock()
    const fired: [string, number][] = []
    const set = (name: string, delayMs: number) =>
      clock.setTimer(delayMs, () => fired.push([name, clock.monotonic()]))
    set('c', 30)
    set('a', 10)
    set('b', 10)
    set('later', 51)

    clock.advance(50)

    expect(fired).toEqual([
      ['a', 10],
      ['b', 10],
      ['c', 30],
    ])
    expect([clock.monotonic(), clock.timerCount]).toEqual([50, 1])
  })

  it('fires what a callback sets, when it is due within the time that passes', () => {
    const clock = new ManualClock()
    const fired: number[] = []
    const tick = () => {
      fired.push(clock.monotonic())
      clock.setTimer(20, tick)
    }
    clock.setTimer(20, tick)

    clock.advance(65)

    expect(fired).toEqual([20, 40, 60])
  })

  it('does not fire what was cancelled', () => {
    const clock = new ManualClock()
    const fired: string[] = []
    const second = clock.setTimer(10, () => fired.push('second'))
    clock.setTimer(5, () => second.cancel())

    clock.advance(20)

    expect(fired).toEqual([])
  })
})
