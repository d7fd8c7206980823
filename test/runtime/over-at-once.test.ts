import { describe, expect, it } from 'vitest'
import { fromCallback, fromObservable, type AnyActorLogic } from 'xstate'

import type { ActivityReport } from '../../actors/activity.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { Activities } from '../../src/runtime/activities.ts'

const throwing = fromCallback(() => {
  throw new Error('at once')
})
const over = fromObservable<number, undefined>(
  () =>
    ({
      subscribe(observer: { next(value: number): void; complete(): void }) {
        observer.next(1)
        observer.complete()
        return { unsubscribe() {} }
      },
    }) as never,
)

describe('activities', () => {
  it.each<[string, AnyActorLogic]>([
    ['a callback that throws', throwing],
    ['an observable that completes', over],
  ])('keep nothing of %s before it has begun', (_, logic) => {
    const reports: ActivityReport[] = []
    const activities = new Activities(new ManualClock(), Infinity)

    activities.start({
      address: { workflow: 'w', id: 'i' },
      activity: { path: 'leaf', src: 'leaf', input: undefined, incarnation: 1, attempt: 1, startedAt: 0 },
      logic,
      log: () => ({}) as never,
      report: report => reports.push(report),
    })

    expect(reports.at(-1)).toMatchObject({ type: 'settled' })
    expect(activities.counts.running).toBe(0)
    expect(activities.stopAll({ workflow: 'w', id: 'i' }).size).toBe(0)
  })
})
