import { onTestFinished } from 'vitest'

/** Collects, until the test ends, what nobody has handled: each of these ends a process. */
export function noteUnhandled(): readonly unknown[] {
  const unhandled: unknown[] = []
  const note = (error: unknown) => unhandled.push(error)
  process.on('uncaughtException', note).on('unhandledRejection', note)
  onTestFinished(() => void process.off('uncaughtException', note).off('unhandledRejection', note))
  return unhandled
}
