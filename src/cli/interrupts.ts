import { RuntimeError } from '../../actors/errors.ts'
import type { Clock } from '../../actors/ports.ts'

/**
 * npm passes on the SIGINT that the terminal has sent to all of us already: what comes so soon after the first is
 * the same key press.
 */
const sameKeyPressMs = 500

/**
 * Aborts its signal when the user wants this process to end: Ctrl-C, a request to terminate, or the terminal closed.
 * The second time ends the process at once.
 */
export function listenForInterrupts(clock: Clock): AbortSignal {
  const controller = new AbortController()
  let firstAt: number | undefined
  const onSignal = () => {
    if (firstAt === undefined) {
      firstAt = clock.monotonic()
      controller.abort(new RuntimeError('ABORTED', 'interrupted'))
    } else if (clock.monotonic() - firstAt > sameKeyPressMs) {
      process.exit(130)
    }
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
  return controller.signal
}
