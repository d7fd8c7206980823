import { setup } from 'xstate'
import { describe, expect, expectTypeOf, it } from 'vitest'

import { activitySpecOf } from '../../actors/activity.ts'
import {
  activity,
  defineWorkflow,
  pool,
  remoteActivity,
  type ActivityContext,
  type PoolLogic,
} from '../../src/index.ts'
import { errorOf } from './error-of.ts'

const run = async () => 1
const beds = pool({ name: 'beds', permits: 4 })

describe('the pool of an activity', () => {
  it('is asked for one permit, by the priority of the activity and for as long as it says', () => {
    const own = (options: object) => activitySpecOf(activity({ name: 'treat', run, ...options }))!.pool
    const urgent = { pool: beds, priority: 1, timeout: { pool: '5s' } }

    expect(own({})).toBeUndefined()
    expect(own({ pool: beds })).toMatchObject({ name: 'beds', permits: 4 })
    expect(own({ pool: beds })!.request(undefined)).toEqual({ permits: 1, priority: 3 })
    expect(own(urgent)!.request(undefined)).toEqual({ permits: 1, priority: 1, timeoutMs: 5_000 })
  })

  it('is the same for work that workers do', () => {
    const logic = remoteActivity({
      name: 'treat',
      pool: beds,
      priority: ({ input }) => {
        expectTypeOf(input).toEqualTypeOf<unknown>()
        return 2
      },
      timeout: { pool: '5s' },
    })

    const spec = activitySpecOf(logic)!.pool!

    expect(spec).toMatchObject({ name: 'beds', permits: 4 })
    expect(spec.request(undefined)).toEqual({ permits: 1, priority: 2, timeoutMs: 5_000 })
  })

  it('knows the input of its priority', () => {
    remoteActivity<{ readonly isExpress: boolean }, string>({
      name: 'treat',
      pool: beds,
      priority: ({ input }) => (input.isExpress ? 1 : 3),
    })
    activity({
      name: 'treat',
      pool: beds,
      priority: ({ input }) => (input.isExpress ? 1 : 3),
      run: async ({ input }: ActivityContext<{ readonly isExpress: boolean }>) => input,
    })
    expectTypeOf(beds).toExtend<PoolLogic>()
  })

  it('is refused when it is none, as is a timeout without one', () => {
    const problemsOf = (make: () => unknown) => errorOf(make).fields['problems']

    expect(problemsOf(() => activity({ name: 'treat', run, pool: 'beds' as never }))).toEqual([
      "pool must be what pool() answers; got 'beds'",
    ])
    expect(problemsOf(() => activity({ name: 'treat', run, pool: beds, timeout: { pool: 0 } }))).toEqual([
      'timeout.pool must be above 0',
    ])
    expect(problemsOf(() => activity({ name: 'treat', run, timeout: { pool: '5s' } }))).toEqual([
      'timeout.pool is for an activity with a pool',
    ])
    expect(problemsOf(() => remoteActivity({ name: 'treat', priority: 1 }))).toEqual([
      'priority is not an option here without a pool: workers take tasks in the order they came',
    ])
    expect(problemsOf(() => remoteActivity({ name: 'treat', pool: beds, priority: 7 as never }))).toEqual([
      'priority must be a whole number from 1 to 5, or a function; got 7',
    ])
  })

  it('needs a workflow that is stored', () => {
    const treat = activity({ name: 'treat', run, pool: beds })
    const machine = setup({ actors: { treat } }).createMachine({ id: 'ward', invoke: { src: 'treat' } })

    expect(() => defineWorkflow(machine, { persist: 'none' })).toThrow('actors.treat: has a pool')
    expect(defineWorkflow(machine).name).toBe('ward')
  })
})
