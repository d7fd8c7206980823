import type { Run } from './contestant.ts'

/** A parent whose children each square their number. */
export interface Families {
  /** Runs a parent with so many children; answers what they came to, by their number. */
  run(id: string, children: number): Promise<readonly number[]>
}

/** W6: one parent, all results of its children. An operation is a child; the concurrency is how many there are. */
export function family(subject: Families): Run {
  return async ({ count, run }, metering) => {
    const startedAt = performance.now()
    const results = await metering(() => subject.run(run, count))
    const seconds = (performance.now() - startedAt) / 1000
    const isRight = results.length === count && results.every((result, n) => result === n * n)
    if (!isRight) throw new Error(`${results.length} results of ${count} children, or wrong ones`)
    return { checked: count, latencies: [], seconds }
  }
}
