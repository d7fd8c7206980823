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

/** What the probe measures, whatever is asked for. */
export const probes: Readonly<Record<string, Plan>> = {
  'raw-fsync': raw([1], 'Raw: 700 bytes appended and synced'),
  'raw-writes': raw([1, 64, 512], 'Raw: records of 700 bytes, compare-and-set, grouped'),
  'raw-publish': raw([1, 64, 512], 'Raw: messages of 150 bytes, published, grouped'),
  'raw-consume': raw([1], 'Raw: messages of 150 bytes, consumed and acknowledged'),
  'raw-loop': raw([1, 64, 512], 'Raw: published, consumed, compare-and-set, acknowledged'),
}

function raw(concurrencies: readonly number[], title: string): Plan {
  return { concurrencies, count: 'seconds', title, unit: 'messages' }
}

const noiseLimit = 0.05

/** Others took more of the machine than may be. */
export function isNoisy(foreign: number): boolean {
  return foreign > noiseLimit
}
