/** What a node says of those it supervises, as they are now: node, partition, instance, activity. Plain data. */
import type { ActorPath, Address } from './address.ts'
import { messageOf } from './plain-error.ts'
import { isWaiting } from './permits.ts'
import type { ActivityRecord, InstanceStatus } from './record.ts'
import type { Failure, Restarts } from './restarts.ts'

/** How deep to look: `nodes` alone, or down to the partitions, instances or activities. */
export type SupervisionDepth = (typeof supervisionDepths)[number]
export const supervisionDepths = Object.freeze(['nodes', 'partitions', 'instances', 'activities'] as const)

/** What a node is asked. */
export interface SupervisionQuestion {
  readonly depth: SupervisionDepth
  /** Only instances of this workflow. */
  readonly workflow?: string | undefined
}

export interface SupervisedNode {
  readonly name: string
  /** Another one each time a node of that name starts. */
  readonly incarnation: string
  /** Of Holdfast. */
  readonly version: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** How many there are, which of them it serves, and which it stays away from because they failed too often there. */
  readonly partitions: {
    readonly serving: readonly number[]
    readonly avoided: readonly number[]
    readonly total: number
  }
  /** Instances in memory. */
  readonly resident: number
  /** Attempts that run, that wait for a slot, and that go on though nobody wants them any more. */
  readonly activities: { readonly running: number; readonly waiting: number; readonly abandoned: number }
  /** Those it has or should have; empty unless asked for. */
  readonly children: readonly SupervisedPartition[]
}

export interface SupervisedPartition {
  readonly partition: number
  /** Of its supervisor. */
  readonly state: string
  /** Of the lease, while it has one. */
  readonly term: number | undefined
  /** How often it had to be opened anew, and why. */
  readonly restarts: Restarts
  /** Until when its node stays away from it, because it failed too often there: milliseconds since the epoch. */
  readonly avoidedUntil: number | undefined
  /** Instances in memory: of the workflow that was asked for, if one was. */
  readonly resident: number
  /** Some of them, those with activities first; empty unless asked for. */
  readonly children: readonly SupervisedInstance[]
}

export interface SupervisedInstance {
  readonly address: Address
  readonly status: InstanceStatus
  /** Short state value, e.g. `paying.authorising`; it may not be stored yet. */
  readonly state: string
  /** Whether it does not run because its workflow, or the namespace, is paused. */
  readonly isHeld: boolean
  /** Empty unless asked for. */
  readonly children: readonly SupervisedActivity[]
}

export interface SupervisedActivity {
  readonly path: ActorPath
  readonly src: string
  /**
   * `waiting`: for another attempt, or for a permit before it. `stopped`: until its instance goes on. `delegated`: to other
   * instances, a pool among them.
   */
  readonly state: 'running' | 'stopped' | 'waiting' | 'delegated'
  readonly attempt: number
  /** When the first attempt was asked for: milliseconds since the epoch. */
  readonly startedAt: number
  /** When the next attempt begins, while it waits. */
  readonly retryAt: number | undefined
  /** The pool whose permit it waits for or holds. */
  readonly pool: string | undefined
  /** Why the last attempt has failed. */
  readonly lastError: Omit<Failure, 'at'> | undefined
}

/** An activity as its record has it. */
export function supervisedActivity(activity: ActivityRecord, isStopped: boolean): SupervisedActivity {
  const { attempt, bulk, child, lastError, path, permit, retryAt, src, startedAt } = activity
  const standsForPermits = permit !== undefined && permit.claim === undefined
  const isDelegated = child !== undefined || bulk !== undefined || standsForPermits
  const own = isWaiting(activity) ? 'waiting' : isStopped ? 'stopped' : 'running'
  const state = retryAt !== undefined ? 'waiting' : isDelegated ? 'delegated' : own
  return {
    path,
    src,
    state,
    attempt,
    startedAt,
    retryAt,
    pool: permit?.pool,
    lastError: lastError === undefined ? undefined : describeError(lastError),
  }
}

const longestMessage = 300

/** An error in few words. */
export function describeError(error: unknown): Omit<Failure, 'at'> {
  const message = messageOf(error).slice(0, longestMessage)
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? { code, message } : { message }
}
