import { setTimeout as pause } from 'node:timers/promises'

import type { ProgressLine } from './progress-line.ts'

const lookEveryMs = 50
/** What does not get any further for so long has been lost. */
const stuckAfterMs = 120_000

export interface UntilOptions {
  /** How many there are in all, for who reads of the progress. Default: as many as are wanted. */
  readonly all?: number
  /** How often to look. Default 50 ms. */
  readonly everyMs?: number
  /** Is told how many it is, each time. */
  readonly progress?: ProgressLine
  /** The looking ends with its reason. */
  readonly signal?: AbortSignal
}

/**
 * Looks until it is so many, and answers how many it is.
 *
 * @param what they are, as it reads after their number
 * @throws Error when two minutes change nothing
 */
export async function untilSoMany(
  wanted: number,
  what: string,
  look: () => number | Promise<number>,
  { all = wanted, everyMs = lookEveryMs, progress, signal }: UntilOptions = {},
): Promise<number> {
  let last = -1
  let movedAt = 0
  for (;;) {
    const soFar = await look()
    progress?.count(soFar, all, what)
    if (soFar >= wanted) return soFar
    const now = performance.now()
    if (soFar !== last) {
      last = soFar
      movedAt = now
    } else if (now - movedAt > stuckAfterMs) {
      throw new Error(`only ${soFar} of ${wanted} ${what}`)
    }
    await pause(everyMs, undefined, signal === undefined ? {} : { signal })
  }
}
