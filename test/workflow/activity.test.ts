import { describe, expect, expectTypeOf, it } from 'vitest'
import { createActor, setup, toPromise } from 'xstate'
import { activitySpecOf } from '../../actors/activity.ts'
import { activity, ActivityError } from '../../src/index.ts'
import type { ActivityContext, ActivityOptions } from '../../src/index.ts'
import { errorOf } from './error-of.ts'

const run = async () => 1

describe('activity', () => {
  it('resolves options into a spec, durations in milliseconds', () => {
    const logic = activity({
      name: 'charge',
      retry: {
        maxAttempts: 7,
        initialInterval: '200ms',
        backoff: 3,
        maxInterval: '30s',
        jitter: 0.5,
        nonRetryable: ['CardDeclined'],
      },
      restart: { intensity: 3, period: '1m' },
      timeout: { attempt: '10s', heartbeat: '3s', queue: '1m', total: '10m' },
      run,
    })

    expect(activitySpecOf(logic)).toEqual({
      name: 'charge',
      retry: {
        maxAttempts: 7,
        initialIntervalMs: 200,
        backoff: 3,
        maxIntervalMs: 30_000,
        jitter: 0.5,
        nonRetryable: ['CardDeclined'],
      },
      restart: { intensity: 3, periodMs: 60_000 },
      attemptTimeoutMs: 10_000,
      queueing: expect.any(Object),
      heartbeatTimeoutMs: 3_000,
      queueTimeoutMs: 60_000,
      totalTimeoutMs: 600_000,
      run: expect.any(Function),
    })
  })

  it('tries once unless asked to retry', () => {
    const spec = activitySpecOf(activity({ name: 'charge', run }))

    expect(spec?.retry.maxAttempts).toBe(1)
    expect(spec?.attemptTimeoutMs).toBeUndefined()
    expect(spec?.heartbeatTimeoutMs).toBeUndefined()
    expect(spec?.totalTimeoutMs).toBeUndefined()
  })

  it('runs again after a crash, ten times within five minutes, unless asked not to', () => {
    const restarts = ([undefined, 'transient', {}, { period: '1s' }, 'temporary'] as const).map(
      restart => activitySpecOf(activity({ name: 'charge', ...(restart && { restart }), run }))?.restart,
    )

    const byDefault = { intensity: 10, periodMs: 300_000 }
    expect(restarts).toEqual([
      byDefault,
      byDefault,
      byDefault,
      { intensity: 10, periodMs: 1_000 },
      'temporary',
    ])
  })

  it('takes a function for the errors that no other attempt cures', () => {
    const nonRetryable = () => true

    const spec = activitySpecOf(activity({ name: 'charge', retry: { nonRetryable }, run }))

    expect(spec?.retry.nonRetryable).toBe(nonRetryable)
  })

  it('fills in what a retry leaves open', () => {
    const spec = activitySpecOf(activity({ name: 'charge', retry: { initialInterval: '2s' }, run }))

    expect(spec?.retry).toEqual({
      maxAttempts: 5,
      initialIntervalMs: 2_000,
      backoff: 2,
      maxIntervalMs: 200_000,
      jitter: 0.2,
      nonRetryable: [],
    })
  })

  it('takes the limits of every range', () => {
    const retry = {
      backoff: 1,
      initialInterval: 0,
      jitter: 1,
      maxAttempts: Infinity,
      maxInterval: 0,
    } as const

    const spec = activitySpecOf(activity({ name: 'a', retry, timeout: { attempt: 1 }, run }))

    expect(spec?.retry).toMatchObject({
      backoff: 1,
      initialIntervalMs: 0,
      maxIntervalMs: 0,
      maxAttempts: Infinity,
    })
    expect(spec?.attemptTimeoutMs).toBe(1)
  })

  it('keeps a copy of the options, out of reach of later changes', () => {
    const nonRetryable = ['CardDeclined']
    const spec = activitySpecOf(activity({ name: 'charge', retry: { nonRetryable }, run }))

    nonRetryable.push('Later')

    expect(spec?.retry.nonRetryable).toEqual(['CardDeclined'])
    expect(Object.isFrozen(spec) && Object.isFrozen(spec?.retry)).toBe(true)
  })

  it('reports everything wrong at once, naming field and range', () => {
    const options = {
      name: 'bad name',
      retry: {
        attempts: 3,
        backoff: 0.5,
        initialInterval: 'soon',
        jitter: 2,
        maxAttempts: 0,
        maxInterval: '-1s',
        nonRetryable: [''],
      },
      restart: { intensity: 1.5, often: true, period: 0 },
      run: 'charge',
      timeout: { attempt: 0, heartbeat: 'often', queue: 0, slot: '1s', total: 0 },
      version: 1,
    }

    const error = errorOf(() => activity(options as never))

    expect(error.code).toBe('OPTIONS_INVALID')
    expect(error.fields['problems']).toEqual([
      'version is not an option; there are concurrency, fairness, name, pool, priority, rate, restart, retry, run, timeout',
      expect.stringMatching(/^name must be 1 to 64 .*; got 'bad name'$/),
      "run must be a function; got 'charge'",
      'restart.often is not an option; there are intensity, period',
      'restart.intensity must be a whole number from 0 to 1000, or Infinity; got 1.5',
      'restart.period must be above 0',
      expect.stringMatching(/^retry\.attempts is not an option/),
      expect.stringMatching(/^retry\.initialInterval must be .*; got 'soon'$/),
      expect.stringMatching(/^retry\.maxInterval must be .*; got '-1s'$/),
      'retry.backoff must be a number from 1; got 0.5',
      'retry.jitter must be a number from 0 to 1; got 2',
      'retry.maxAttempts must be a whole number from 1, or Infinity; got 0',
      "retry.nonRetryable must be a list of error names or codes, or a function; got [ '' ]",
      'timeout.slot is not an option; there are attempt, heartbeat, pool, queue, total',
      'timeout.attempt must be above 0',
      expect.stringMatching(/^timeout\.heartbeat must be .*; got 'often'$/),
      'timeout.queue must be above 0',
      'timeout.total must be above 0',
    ])
    for (const problem of error.fields['problems'] as string[]) expect(error.message).toContain(problem)
  })

  it.each([
    [undefined, /^options must be an object/],
    [{ name: 'a', run, retry: 3 }, /^retry must be an object; got 3/],
    [{ name: 'a', run, timeout: '5s' }, /^timeout must be an object; got '5s'/],
    [{ name: 'a', run, timeout: { attempt: '5' } }, /^timeout\.attempt must be milliseconds/],
    [
      { name: 'a', run, retry: { initialInterval: '1m', maxInterval: '5s' } },
      /^retry\.maxInterval must be at least the initial interval \(1m\); got '5s'/,
    ],
    [{ name: 'a', run, retry: { maxAttempts: 2.5 } }, /^retry\.maxAttempts/],
    [{ name: 'a', run, restart: 'permanent' }, /^restart must be 'temporary', .*; got 'permanent'$/],
    [{ name: 'a', run, restart: { intensity: 1001 } }, /^restart\.intensity must be .*; got 1001$/],
    [{ name: 'a', run, retry: { nonRetryable: 'CardDeclined' } }, /^retry\.nonRetryable/],
  ])('refuses %j', (options, expected) => {
    const error = errorOf(() => activity(options as never))

    expect(error.fields['problems']).toEqual([expect.stringMatching(expected)])
  })
})

describe('an activity in plain XState', () => {
  it('runs once with its input, attempt 1, an own key and a silent log', async () => {
    const contexts: ActivityContext<{ cents: number }>[] = []
    const logic = activity({
      name: 'charge',
      retry: { maxAttempts: 3 },
      run: async (context: ActivityContext<{ cents: number }>) => {
        contexts.push(context)
        context.log.info({ cents: context.input.cents }, 'charged')
        context.heartbeat({ half: true })
        return `paid ${context.input.cents}`
      },
    })

    const outputs = await Promise.all(
      [1, 2].map(cents => toPromise(createActor(logic, { input: { cents } }).start())),
    )

    expect(outputs).toEqual(['paid 1', 'paid 2'])
    expect(contexts.map(context => context.attempt)).toEqual([1, 1])
    expect(contexts.map(context => context.lastHeartbeat)).toEqual([undefined, undefined])
    expect(new Set(contexts.map(context => context.idempotencyKey)).size).toBe(2)
    expect(contexts[0]?.idempotencyKey).toMatch(/^local\/charge\//)
  })

  it('fails at the first error, thrown early or late', async () => {
    const early = activity({
      name: 'early',
      run: () => {
        throw new Error('early')
      },
    })
    const late = activity({ name: 'late', run: () => Promise.reject(new Error('late')) })

    const errors = await Promise.allSettled([early, late].map(logic => toPromise(createActor(logic).start())))

    expect(errors.map(result => (result as PromiseRejectedResult).reason.message)).toEqual(['early', 'late'])
  })

  it('is told when its result is no longer wanted', () => {
    let signal: AbortSignal | undefined
    const logic = activity({
      name: 'wait',
      run: context => {
        signal = context.signal
        return new Promise<never>(() => {})
      },
    })
    const actor = createActor(logic).start()

    actor.stop()

    expect(signal?.aborted).toBe(true)
  })

  it('carries the types of its input and output into a machine', () => {
    const charge = activity({
      name: 'charge',
      run: async ({ input }: ActivityContext<{ cents: number }>) => ({ receipt: String(input.cents) }),
    })
    const { createMachine } = setup({ actors: { charge } })

    createMachine({
      invoke: {
        src: 'charge',
        input: { cents: 5 },
        onDone: { actions: ({ event }) => expectTypeOf(event.output).toEqualTypeOf<{ receipt: string }>() },
      },
    })
    createMachine({
      // @ts-expect-error: the input must be the activity's
      invoke: { src: 'charge', input: { cents: 'five' } },
    })
    expectTypeOf<ActivityOptions<string, number>['run']>().returns.toEqualTypeOf<Promise<number>>()
  })
})

describe('an error of an activity', () => {
  it('says how to go on, and what it is', () => {
    const cause = new Error('429')
    const error = new ActivityError('too many', {
      cause,
      code: 'BUSY',
      nonRetryable: true,
      retryAfter: '1.5s',
    })

    expect(error).toMatchObject({ name: 'ActivityError', message: 'too many', code: 'BUSY' })
    expect(error).toMatchObject({ cause, nonRetryable: true, retryAfterMs: 1_500 })
    expect(new ActivityError('no')).toMatchObject({ nonRetryable: false, retryAfterMs: undefined })
    expect(new ActivityError('no')).not.toHaveProperty('cause')
  })

  it('refuses a time that is none', () => {
    expect(errorOf(() => new ActivityError('no', { retryAfter: -1 }))).toMatchObject({
      code: 'OPTIONS_INVALID',
    })
  })
})
