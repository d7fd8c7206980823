/** How a workload is measured. */
export interface Plan {
  /** How many operations are on their way at a time, one measurement each. */
  readonly concurrencies: readonly number[]
  /** How many operations; `seconds`: as many as take as long as asked for; `concurrency`: all at once. */
  readonly count: number | 'concurrency' | 'seconds'
  /** What bounds Holdfast: a raw workload of the probe, and how often that is done for each operation. */
  readonly limit?: { readonly each: number; readonly raw: string }
  readonly title: string
  /** What an operation is. */
  readonly unit: string
}

/** What is measured unless asked for otherwise, in this order. */
export const plans: Readonly<Record<string, Plan>> = {
  steps: {
    concurrencies: [1, 64, 512],
    count: 'seconds',
    // A record for the start and one for each step.
    limit: { each: 6, raw: 'raw-writes' },
    title: 'W1: start, five trivial asynchronous steps, each stored, result',
    unit: 'instances',
  },
  counters: {
    concurrencies: [1, 64, 512],
    count: 'seconds',
    limit: { each: 1, raw: 'raw-loop' },
    title: 'W2: events over 1,000 stateful instances, sent to seen',
    unit: 'events',
  },
}

/** What the probe measures at the concurrencies that others are measured at. */
export const probes: Readonly<Record<string, Plan>> = {}

const noiseLimit = 0.05

/** Others took more of the machine than may be. */
export function isNoisy(foreign: number): boolean {
  return foreign > noiseLimit
}
