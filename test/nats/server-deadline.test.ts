import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'

import { systemClock } from '../../src/clock.ts'
import { pause } from '../../src/nats/wait.ts'
import { deadlineIn } from '../../src/nats/server/run.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What only the combination holds. */
function combined(timeoutMs: number): AbortSignal {
  return AbortSignal.any([deadlineIn(timeoutMs), new AbortController().signal])
}

it('a deadline that is held by a combination alone still comes', async () => {
  const signal = combined(50)
  const aborted = new Promise(resolve => {
    signal.addEventListener('abort', () => resolve('aborted'))
  })

  // Garbage is found in a later turn of the event loop.
  await pause(systemClock, 1)
  collectGarbage()

  expect(await Promise.race([aborted, pause(systemClock, 5_000).then(() => 'forgotten')])).toBe('aborted')
})
