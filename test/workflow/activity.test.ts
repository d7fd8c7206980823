import { describe, expect, expectTypeOf, it } from 'vitest'
import { createActor, setup, toPromise } from 'xstate'
import { activitySpecOf } from '../../actors/activity.ts'
import { activity } from '../../src/index.ts'
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
      timeout: { attempt: '10s' },
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
      attemptTimeoutMs: 10_000,
      queueing: expect.any(Object),
      run: expect.any(Function),
    })
  })

  it('tries once unless asked to retry', () => {
    const spec = activitySpecOf(activity({ name: 'charge', run }))

    expect(spec?.retry.maxAttempts).toBe(1)
    expect(spec?.attemptTimeoutMs).toBeUndefined()
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
      run: 'charge',
      timeout: { attempt: 0, total: '10m' },
      version: 1,
    }

    const error = errorOf(() => activity(options as never))

    expect(error.code).toBe('OPTIONS_INVALID')
    expect(error.fields['problems']).toEqual([
      'version is not an option; there are concurrency, fairness, name, priority, rate, retry, run, timeout',
      expect.stringMatching(/^name must be 1 to 64 .*; got 'bad name'$/),
      "run must be a function; got 'charge'",
      expect.stringMatching(/^retry\.attempts is not an option/),
      expect.stringMatching(/^retry\.initialInterval must be .*; got 'soon'$/),
      expect.stringMatching(/^retry\.maxInterval must be .*; got '-1s'$/),
      'retry.backoff must be a number from 1; got 0.5',
      'retry.jitter must be a number from 0 to 1; got 2',
      'retry.maxAttempts must be a whole number from 1, or Infinity; got 0',
      "retry.nonRetryable must be a list of error names or codes; got [ '' ]",
      expect.stringMatching(/^timeout\.total is not an option/),
      'timeout.attempt must be above 0',
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
        return `paid ${context.input.cents}`
      },
    })

    const outputs = await Promise.all(
      [1, 2].map(cents => toPromise(createActor(logic, { input: { cents } }).start())),
    )

    expect(outputs).toEqual(['paid 1', 'paid 2'])
    expect(contexts.map(context => context.attempt)).toEqual([1, 1])
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
