/**
 * How long a node puts up with a partition that fails: `intensity` failures within a `period`, in the words of OTP. There
 * the default is one in 5 s. Here most failures come from between the node and NATS, where a stream elects another leader
 * or a consumer is deleted, and last longer than the pause before the next try, which is a second by default; to give up
 * at the second try would move partitions about for nothing. So it is five in a minute. To lose the lease does not count:
 * that is the connection, or a process that was stopped, and would make a node stay away from all it has at once.
 *
 * Then the node stays away from it, so that another one can take it: 10 s, and twice as long each time, up to 5 min. The
 * first failure after that is enough to stay away again, until it has served for a period: each try takes the partition
 * from a node that serves it. This lives in memory: a process that begins anew may well be cured.
 */
import { countRestart } from './restart.ts'

export const endurance = Object.freeze({
  intensity: 5,
  periodMs: 60_000,
  shortestAwayMs: 10_000,
  longestAwayMs: 300_000,
})

/** What a partition has cost so far. */
export interface Strain {
  /** When it failed within the period: milliseconds since the epoch. */
  readonly failedAt: readonly number[]
  /** Since when it is served: milliseconds since the epoch. */
  readonly servedSince: number | undefined
  /** How long the node stays away, or stayed last; 0: it did not, or the partition has served for a period since. */
  readonly awayMs: number
  /** Whether the node has to stay away now. */
  readonly isTooMuch: boolean
}

export const noStrain: Strain = Object.freeze({
  failedAt: Object.freeze([]),
  servedSince: undefined,
  awayMs: 0,
  isTooMuch: false,
})

/** It is served from now on. */
export function withService(strain: Strain, now: number): Strain {
  return { ...strain, servedSince: now }
}

/** It is not served any more; nobody is to blame. */
export function withoutService(strain: Strain, now: number): Strain {
  return { ...strain, servedSince: undefined, awayMs: awayMsOf(strain, now) }
}

/** It has failed. */
export function withStrain(strain: Strain, now: number): Strain {
  const { intensity, periodMs, longestAwayMs, shortestAwayMs } = endurance
  const awayMs = awayMsOf(strain, now)
  const failedAt = countRestart({ intensity, periodMs }, strain.failedAt, now)
  if (failedAt !== undefined && awayMs === 0)
    return { failedAt, servedSince: undefined, awayMs, isTooMuch: false }
  return {
    failedAt: [],
    servedSince: undefined,
    awayMs: Math.min(Math.max(shortestAwayMs, awayMs * 2), longestAwayMs),
    isTooMuch: true,
  }
}

function awayMsOf({ awayMs, servedSince }: Strain, now: number): number {
  return servedSince !== undefined && now - servedSince >= endurance.periodMs ? 0 : awayMs
}
