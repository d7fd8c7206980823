import { inLanes } from '../lanes.ts'
import { Histogram } from './histogram.ts'
import type { Outcome } from './protocol.ts'

export type Loop = Pick<Outcome, 'latencies' | 'seconds'>

/** Does so many operations, each lane one after the other, and times each. */
export async function closedLoop(
  { concurrency, count }: { readonly concurrency: number; readonly count: number },
  operation: (index: number) => Promise<void>,
): Promise<Loop> {
  const latencies = new Histogram()
  const perSecond = await inLanes(count, concurrency, async index => {
    const startedAt = performance.now()
    await operation(index)
    latencies.add((performance.now() - startedAt) * 1000)
  })
  return { latencies: latencies.counts(), seconds: count / perSecond }
}
