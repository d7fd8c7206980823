import { inspect } from 'node:util'

import type { Queueing } from '../../actors/activity-slots.ts'
import { poolSpecOf, type PoolSpec } from '../../actors/pool.ts'
import { parseDuration, type Duration } from './duration.ts'
import type { PoolLogic } from './pool.ts'

/** How many attempts run at a time on all nodes together, of all activities that share a pool. */
export interface PooledOptions {
  /**
   * What `pool()` answers. An attempt begins once its instance has a permit, for which it waits by its priority, and gives
   * it back when it ends, also when another one follows: that asks anew. What waits is stored, has no slot of its node, and
   * leaves memory with its instance. An attempt that is lost with its process is followed by one with the same permit, and
   * an instance that is paused or suspended keeps it. An attempt that is no longer wanted gives it back at once, whatever
   * its work still does: mind the `signal`. Default: none is needed.
   */
  readonly pool?: PoolLogic
}

/** Everything wrong with these options, each in one line. */
export function pooledProblems({ pool }: PooledOptions, timeout: Duration | undefined): string[] {
  if (pool === undefined) return timeout === undefined ? [] : ['timeout.pool is for an activity with a pool']
  return poolSpecOf(pool) === undefined
    ? [`pool must be what pool() answers; got ${inspect(pool, { depth: 0 })}`]
    : []
}

/**
 * What each attempt asks for; undefined: nothing. Expects options without problems.
 *
 * @param timeout how long an attempt may wait
 */
export function resolvePooled(
  { pool }: PooledOptions,
  timeout: Duration | undefined,
  queueing: Queueing,
): PoolSpec | undefined {
  const spec = poolSpecOf(pool)
  if (spec === undefined) return undefined
  const limit = timeout === undefined ? {} : { timeoutMs: parseDuration(timeout, 'timeout.pool') }
  const { name, permits } = spec
  return Object.freeze({
    name,
    permits,
    request: (input: unknown) => ({ permits: 1, priority: queueing.placeOf(input).priority, ...limit }),
  })
}
