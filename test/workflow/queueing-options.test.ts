import { describe, expect, expectTypeOf, it } from 'vitest'

import { activitySpecOf } from '../../actors/activity.ts'
import type { Queueing } from '../../actors/activity-slots.ts'
import { activity, type ActivityContext, type QueueingOptions } from '../../src/index.ts'
import { errorOf } from './error-of.ts'

interface Parcel {
  readonly customer: string
  readonly isExpress: boolean
}

function queueingOf(options: QueueingOptions<Parcel>): Queueing {
  const run = async ({ input }: ActivityContext<Parcel>) => input.customer
  return activitySpecOf(activity({ name: 'ship', ...options, run }))!.queueing
}

describe('how an activity queues', () => {
  it('is without limits, in the middle and of no key unless asked for', () => {
    const queueing = queueingOf({})

    expect(queueing).toMatchObject({ concurrency: Infinity, rate: undefined })
    expect(queueing.placeOf({})).toEqual({ priority: 3, fairness: undefined })
  })

  it('is told by numbers and by functions of the input', () => {
    const queueing = queueingOf({
      concurrency: 4,
      fairness: ({ input }) => input.customer,
      priority: ({ input }) => (input.isExpress ? 1 : 5),
      rate: { limit: 10, per: '1m' },
    })

    expect(queueing).toMatchObject({ concurrency: 4, rate: { limit: 10, perMs: 60_000 } })
    expect(queueing.placeOf({ customer: 'acme', isExpress: true })).toEqual({ priority: 1, fairness: 'acme' })
    expect(queueing.placeOf({ customer: 'emca', isExpress: false })).toEqual({
      priority: 5,
      fairness: 'emca',
    })
  })

  it('knows the input of its functions', () => {
    activity({
      name: 'typed',
      priority: ({ input }) => {
        expectTypeOf(input).toEqualTypeOf<{ readonly size: number }>()
        return 1
      },
      run: async ({ input }: ActivityContext<{ readonly size: number }>) => input.size,
    })
  })

  it('refuses everything wrong at once, with the field and its range', () => {
    const wrong = {
      concurrency: 0,
      fairness: 'customer',
      priority: 6,
      rate: { limit: 100_001, per: 0, burst: 3 },
    } as never

    const error = errorOf(() => queueingOf(wrong))

    expect(error.code).toBe('OPTIONS_INVALID')
    expect(error.fields['problems']).toEqual([
      'concurrency must be a whole number from 1; got 0',
      "fairness must be a function; got 'customer'",
      'priority must be a whole number from 1 to 5, or a function; got 6',
      'rate.burst is not an option; there are limit, per',
      'rate.limit must be a whole number from 1 to 100000; got 100001',
      'rate.per must be above 0',
    ])
    expect(errorOf(() => queueingOf({ rate: 5 as never })).message).toContain('rate must be an object')
    expect(errorOf(() => queueingOf({ rate: { limit: 1, per: 'soon' as never } })).message).toContain(
      'rate.per',
    )
  })

  it.each([
    ['priority', { priority: () => 0 as never }, 'priority must be a whole number from 1 to 5'],
    ['priority', { priority: () => 2.5 as never }, 'priority must be a whole number from 1 to 5'],
    ['fairness', { fairness: () => undefined as never }, 'fairness must be a string'],
    [
      'fairness',
      { fairness: ({ input }: { input: Parcel }) => input.customer.trim() },
      'fairness cannot be told from the input: Cannot read',
    ],
  ])('names a wrong answer of %s', (field, options, message) => {
    const error = errorOf(() => queueingOf(options).placeOf({}))

    expect(error.code).toBe('OPTIONS_INVALID')
    expect(error.fields).toMatchObject({ field })
    expect(error.message).toContain(message)
  })
})
