import { setMaxListeners } from 'node:events'

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
