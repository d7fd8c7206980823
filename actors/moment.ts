/** The latest moment that a record can name, and a Date. */
const latest = 8.64e15

/** When a delay that begins now is over, in whole milliseconds: at the latest at the end of all time, unless it never is. */
export function momentAfter(now: number, delayMs: number): number {
  if (delayMs === Number.POSITIVE_INFINITY) return delayMs
  return Math.min(Math.ceil(now + Math.max(0, delayMs)), latest)
}
