/**
 * What the runner and a contestant say to each other. A contestant is a program, a process of its own: it starts its
 * servers and its runtime, is the client of them, and does as it is ordered until it is told to stop.
 */
import type { Counts } from './histogram.ts'
import type { Taken } from './meter.ts'

/** Who of a contestant a process is. */
export type Role = 'client' | 'runtime' | 'server'

/** What a contestant runs. */
export interface About {
  /** What an acknowledged write survives. */
  readonly durability: string
  readonly settings: Readonly<Record<string, number | string>>
  readonly versions: Readonly<Record<string, string>>
}

/** Do that workload. */
export interface RunOrder {
  readonly type: 'run'
  /** How many operations are on their way at a time. */
  readonly concurrency: number
  /** How many operations. */
  readonly count: number
  /** Sets the ids of this run apart. */
  readonly run: string
  readonly seed: number
  readonly workload: string
}

export type Order = RunOrder | { readonly type: 'stop' }

/** What a workload came to, once everything was checked. */
export interface Outcome {
  /** How many instances were looked at afterwards, and found right. */
  readonly checked: number
  /** What else it measured; the unit is part of the name. */
  readonly figures?: Readonly<Record<string, number>>
  /** Of each operation, in microseconds. In a closed loop that is queueing, too. */
  readonly latencies: Counts
  readonly seconds: number
}

export type News =
  | { readonly type: 'ready'; readonly about: About; readonly workloads: readonly string[] }
  | { readonly type: 'ran'; readonly outcome: Outcome; readonly taken: Taken }
  | { readonly type: 'failed'; readonly error: string }
  /** It cannot take part on this machine. */
  | { readonly type: 'absent'; readonly why: string }
