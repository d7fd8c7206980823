import type { Address } from './address.ts'
import type { Queueing } from './activity-slots.ts'
import type { PoolSpec } from './pool.ts'
import type { ActivityRecord } from './record.ts'
import type { RestartPolicy } from './restart.ts'
import type { RetryPolicy } from './retry.ts'

export type { ActivityReport } from './activity-report.ts'

/** What a running attempt is given. */
export interface ActivityContext<TInput = unknown> {
  readonly input: TInput
  /** Aborted when the result is no longer wanted: the state was left, the attempt timed out, the node stops. */
  readonly signal: AbortSignal
  /** 1 for the first attempt. */
  readonly attempt: number
  /** The same for every attempt of one invocation: hand it to foreign systems so that they act once. */
  readonly idempotencyKey: string
  /**
   * Says that it is alive; `timeout.heartbeat` is how long it may go without. Free, and local to this process.
   *
   * With details, says how far it is as well: the next attempt finds the newest of them in `lastHeartbeat`, wherever it
   * runs. They are stored, so they are anything that a context may hold, best small, and not to be changed afterwards. A
   * second at most of them (0.8 of the timeout, if that is less) is lost when the process dies. Nothing happens once the
   * attempt is over.
   */
  readonly heartbeat: (details?: unknown) => void
  /** The details of the last heartbeat of an earlier attempt that gave some; undefined when none did. */
  readonly lastHeartbeat: unknown
  readonly log: ActivityLog
}

/** Structured logging with the ids of the instance and the activity already bound. */
export interface ActivityLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What `activity()` attaches to the logic it makes. */
export interface ActivitySpec {
  readonly name: string
  readonly retry: RetryPolicy
  readonly restart: RestartPolicy
  /** How long one attempt may take; undefined: as long as it likes. */
  readonly attemptTimeoutMs: number | undefined
  /** How long an attempt may go without a heartbeat; undefined: for ever. */
  readonly heartbeatTimeoutMs: number | undefined
  /** How long an attempt may wait for a slot; undefined: for ever. */
  readonly queueTimeoutMs: number | undefined
  /** How long all attempts and the waits between them may take; undefined: as long as they like. */
  readonly totalTimeoutMs: number | undefined
  /** How attempts wait where slots are scarce. */
  readonly queueing: Queueing
  /** What each attempt asks a pool for before it begins; undefined: it needs no permit. */
  readonly pool: PoolSpec | undefined
  run(context: ActivityContext): Promise<unknown>
}

/** Where the spec hangs on the logic. Registered globally, so that two copies of the package agree. */
export const activitySpecKey: unique symbol = Symbol.for('holdfast.activity') as never

/** The spec of logic made by `activity()`; undefined for any other logic. */
export function activitySpecOf(logic: unknown): ActivitySpec | undefined {
  return (logic as { [activitySpecKey]?: ActivitySpec } | undefined)?.[activitySpecKey]
}

/** Names an invocation for foreign systems: the same for every attempt of it. */
export function idempotencyKey(address: Address, activity: ActivityRecord): string {
  return `${address.workflow}/${address.id}/${activity.path}/${activity.incarnation}`
}
