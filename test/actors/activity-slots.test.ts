import { describe, expect, it } from 'vitest'

import type { Priority } from '../../actors/activity-queue.ts'
import { ActivitySlots, type ActivityLimits, type Slot } from '../../actors/activity-slots.ts'
import type { Clock } from '../../actors/ports.ts'
import { ManualClock } from '../../src/memory/clock.ts'

const unlimited: ActivityLimits = { concurrency: Infinity, rate: undefined }

/** Slots, and who has begun to hold one. */
function newSlots(concurrency = Infinity) {
  const clock = new ManualClock()
  const slots = new ActivitySlots(clock, concurrency)
  const begun: string[] = []
  const ask = (name: string, limits: ActivityLimits, priority: Priority = 3): Slot =>
    slots.ask(limits, { priority, fairness: undefined }, () => begun.push(name))
  return { ask, begun, clock, slots }
}

describe('activity slots', () => {
  it('need not be asked for where nothing is limited', () => {
    const { slots } = newSlots()

    expect(slots.mayWait(unlimited)).toBe(false)
    expect(slots.mayWait({ ...unlimited, concurrency: 1 })).toBe(true)
    expect(slots.mayWait({ ...unlimited, rate: { limit: 1, perMs: 1 } })).toBe(true)
    expect(newSlots(5).slots.mayWait(unlimited)).toBe(true)
  })

  it('go to as many as may run, and to the next when one is left', () => {
    const { ask, begun, slots } = newSlots()
    const limits = { ...unlimited, concurrency: 2 }
    const [first] = ['a', 'b', 'c', 'd'].map(name => ask(name, limits))
    const atFirst = [...begun]

    first!.leave()
    first!.leave()

    expect(atFirst).toEqual(['a', 'b'])
    expect(begun).toEqual(['a', 'b', 'c'])
    expect(slots.waiting).toBe(1)
  })

  it('are not given to one that waits no longer', () => {
    const { ask, begun, slots } = newSlots()
    const limits = { ...unlimited, concurrency: 1 }
    const [first, second] = ['a', 'b', 'c'].map(name => ask(name, limits))

    second!.leave()
    second!.leave()
    first!.leave()

    expect(begun).toEqual(['a', 'c'])
    expect(slots.waiting).toBe(0)
  })

  it('of one type say nothing about another', () => {
    const { ask, begun } = newSlots()

    ask('a', { ...unlimited, concurrency: 1 })
    ask('b', { ...unlimited, concurrency: 1 })

    expect(begun).toEqual(['a', 'b'])
  })

  it('of the node go to the most urgent of all types, and to types in turn where they are alike', () => {
    const { ask, begun } = newSlots(1)
    const [left, right] = [{ ...unlimited }, { ...unlimited }]
    const held = ask('first', left)
    const asked = [ask('l1', left), ask('l2', left), ask('r1', right), ask('r2', right), ask('r0', right, 1)]

    held.leave()
    for (const name of ['r0', 'l1', 'r1', 'l2']) {
      asked[['l1', 'l2', 'r1', 'r2', 'r0'].indexOf(name)]!.leave()
    }

    expect(begun).toEqual(['first', 'r0', 'l1', 'r1', 'l2', 'r2'])
  })

  it('of the node are not kept from others by a type that may not go on', () => {
    const { ask, begun } = newSlots(2)
    const narrow = { ...unlimited, concurrency: 1 }
    ask('n1', narrow)
    ask('n2', narrow, 1)

    ask('other', unlimited)

    expect(begun).toEqual(['n1', 'other'])
  })

  it('open as the rate allows, by themselves', () => {
    const { ask, begun, clock } = newSlots()
    const limits = { ...unlimited, rate: { limit: 2, perMs: 1000 } }
    for (const name of ['a', 'b', 'c', 'd', 'e']) ask(name, limits).leave()
    const kept = ['f', 'g', 'h'].map(name => ask(name, limits))
    const atFirst = [...begun]

    clock.advance(999)
    const before = [...begun]
    clock.advance(1)

    expect(atFirst).toEqual(['a', 'b'])
    expect(before).toEqual(['a', 'b'])
    expect(begun).toEqual(['a', 'b', 'f', 'g'])
    kept[2]!.leave()
    expect(clock.timerCount).toBe(0)
  })

  it('open as the rate allows also while the slots of the node are taken in between', () => {
    const { ask, begun, clock } = newSlots(1)
    const limits = { ...unlimited, rate: { limit: 1, perMs: 1000 } }
    ask('a', limits).leave()
    ask('b', limits)
    const other = ask('other', unlimited)

    clock.advance(2000)
    const before = [...begun]
    other.leave()

    expect(before).toEqual(['a', 'other'])
    expect(begun).toEqual(['a', 'other', 'b'])
  })

  it('go to those that wait, not to one that comes when the rate allows more and the timer is late', () => {
    let now = 0
    let fire = () => {}
    const clock: Clock = {
      now: () => now,
      monotonic: () => now,
      setTimer(_, callback) {
        fire = callback
        return { cancel() {} }
      },
    }
    const slots = new ActivitySlots(clock, Infinity)
    const limits = { ...unlimited, rate: { limit: 1, perMs: 1000 } }
    const begun: string[] = []
    const ask = (name: string) =>
      slots.ask(limits, { priority: 3, fairness: undefined }, () => begun.push(name))
    ask('a')
    ask('b')
    now = 1001

    ask('c')
    fire()

    expect(begun).toEqual(['a', 'b'])
  })
})
