import { setMaxListeners } from 'node:events'
import type { Clock } from '../../actors/ports.ts'

/**
 * Calls back once when the signal aborts, at once if it has aborted. Answers how to stop listening.
 *
 * One signal may be given to any number of calls, as the one that ends a program is. So Node's warning of a leak, which comes
 * with more than ten listeners, is turned off for it.
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => {}
  if (signal.aborted) {
    listener()
    return () => {}
  }
  setMaxListeners(0, signal)
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}

/** The promise, or the signal's reason if it aborts first. What the promise stands for goes on unwatched then. */
export function withSignal<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    // The reason is whatever the caller of abort() chose.
    const stop = onAbort(signal, () => reject(signal.reason as Error))
    promise.then(resolve, reject).finally(stop)
  })
}

/** Waits by that clock. Rejects with the signal's reason on abort. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(delayMs, () => {
      stop()
      resolve()
    })
    const stop = onAbort(signal, () => {
      timer.cancel()
      reject(signal!.reason as Error)
    })
  })
}
