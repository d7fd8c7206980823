import { createActor, toPromise } from 'xstate'
import { describe, expect, expectTypeOf, it } from 'vitest'

import { remoteActivity, type TaskContext, type HandlerOf } from '../../src/index.ts'
import { errorOf } from './error-of.ts'

describe('remoteActivity', () => {
  it('reports everything wrong with its options at once', () => {
    const options = {
      name: 'a b',
      format: 'xml',
      run: async () => {},
      concurrency: 3,
      retry: { backoff: 0 },
      timeout: { attempt: 'soon' },
    }

    const error = errorOf(() => remoteActivity(options as never))

    expect(error).toMatchObject({
      code: 'OPTIONS_INVALID',
      fields: {
        problems: [
          expect.stringContaining('name must be'),
          expect.stringContaining('retry.backoff must be'),
          expect.stringContaining('timeout.attempt must be'),
          'run is not an option; there are format, name, pool, priority, retry, timeout',
          'concurrency is not an option; there are format, name, pool, priority, retry, timeout',
          "format must be 'json' or 'msgpack'; got 'xml'",
        ],
      },
    })
  })

  it('says in plain XState that it needs workers', async () => {
    const actor = createActor(remoteActivity<number, number>({ name: 'charge' }), { input: 1 })
    const output = toPromise(actor)
    actor.start()

    await expect(output).rejects.toMatchObject({ code: 'ACTIVITY_FAILED' })
  })

  it('tells what its handler takes and gives', () => {
    const logic = remoteActivity<{ readonly cents: number }, string>({ name: 'charge' })

    expectTypeOf<HandlerOf<typeof logic>>().toEqualTypeOf<
      (context: TaskContext<{ readonly cents: number }>) => Promise<string>
    >()
  })
})
