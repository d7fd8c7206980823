/** How a workload is measured. */
export interface Plan {
  /** One measurement each. */
  readonly concurrencies: readonly number[]
  /** What they are numbers of, if not of operations that are on their way at a time. */
  readonly concurrentlyOf?: string
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
  timers: {
    concurrencies: [512],
    count: 10_000,
    title: 'W3: timers due 1 to 10 s after their start; how late they fire',
    unit: 'starts',
  },
  'crash-node': crash('the runtime'),
  'crash-server': crash('the server'),
  idle: {
    concurrencies: [100_000],
    concurrentlyOf: 'idle instances',
    count: 'concurrency',
    title:
      'W5: idle instances, a thousand of which are woken after a restart, and a thousand half a minute later',
    unit: 'starts',
  },
  family: {
    concurrencies: [1000, 10_000],
    concurrentlyOf: 'children',
    count: 'concurrency',
    title: 'W6: one parent, so many children, all results',
    unit: 'children',
  },
  'fan-out': {
    concurrencies: [1, 10, 100, 1000],
    concurrentlyOf: 'watchers',
    count: 5000,
    title: 'W7: so many watchers, 1,000 events a second; from the step to the watcher',
    unit: 'events',
  },
}

function crash(whom: string): Plan {
  const title = `W4: instances of five steps of 200 ms; kill -9 of ${whom} at half, restarted at once`
  return { concurrencies: [512], count: 1000, title, unit: 'instances' }
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
