import type { Counts } from './histogram.ts'
import type { Taken } from './meter.ts'
import type { About } from './protocol.ts'

/** One repetition of a workload by a contestant: a line of the output. */
export interface Measurement {
  readonly about: About
  /** How many instances were looked at afterwards, and found right. */
  readonly checked: number
  /** Of Holdfast; with `+` when there were changes. */
  readonly commit: string
  readonly concurrency: number
  readonly contestant: string
  readonly count: number
  /** When it ended, ISO 8601. */
  readonly date: string
  readonly figures?: Readonly<Record<string, number>>
  readonly latencies: Counts
  readonly machine: string
  /** Others took more of the machine than they may. */
  readonly noisy: boolean
  readonly perSecond: number
  readonly round: number
  readonly seconds: number
  readonly seed: number
  readonly taken: Taken
  readonly workload: string
}

/** What is compared: the same workload by the same contestant. */
export function groupOf({ contestant, workload, concurrency }: Measurement): string {
  return `${workload} ${concurrency} ${contestant}`
}
