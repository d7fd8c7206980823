import { isRuntimeError } from '../../actors/errors.ts'
import type { Clock } from '../../actors/ports.ts'

/** How long to wait before trying again. */
const retryMs = 500

/**
 * Tries until it succeeds, and again after every error that says it may go away.
 *
 * @param isOver asked before every attempt: nobody wants it any more
 * @param failed told of every error
 * @returns the error that will not go away, if there was one
 */
export async function persistently(
  attempt: () => Promise<void>,
  clock: Clock,
  isOver: () => boolean,
  failed: (error: unknown) => void,
): Promise<unknown> {
  while (!isOver()) {
    try {
      await attempt()
      return undefined
    } catch (error) {
      failed(error)
      if (!isRuntimeError(error) || !error.retryable) return error
    }
    await new Promise<void>(resolve => {
      clock.setTimer(retryMs, resolve)
    })
  }
  return undefined
}
