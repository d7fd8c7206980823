import { setTimeout as pause } from 'node:timers/promises'

const lookEveryMs = 50
/** What does not get any further for so long has been lost. */
const stuckAfterMs = 60_000

/** Looks until it is so many. @throws Error when a minute changes nothing */
export async function untilSoMany(wanted: number, what: string, look: () => number): Promise<void> {
  let last = -1
  let movedAt = performance.now()
  for (;;) {
    const soFar = look()
    if (soFar >= wanted) return
    if (soFar !== last) movedAt = performance.now()
    else if (performance.now() - movedAt > stuckAfterMs) throw new Error(`only ${soFar} of ${wanted} ${what}`)
    last = soFar
    await pause(lookEveryMs)
  }
}
