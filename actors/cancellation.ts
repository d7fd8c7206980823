/**
 * How an instance is cancelled.
 *
 * ```
 *             cancel, and the machine takes `workflow.cancel`        final state
 *   running ───────────────────────────────────────────────▶ cancelling ─────────▶ cancelled
 *      │                                                         │                    ▲
 *      │ cancel with force, or the machine does not take it      │ deadline, or force │
 *      └─────────────────────────────────────────────────────────┴────────────────────┘
 * ```
 *
 * A cancel is an envelope like any other, so it is durable before anything happens. The record keeps its reason and its
 * deadline, which is due like a timer. If the process dies
 *
 * - before the envelope is applied: it comes again from the inbox, to the next owner;
 * - after it is applied and stored: the next owner finds the instance `cancelling`, runs what the machine wants, and the
 *   deadline stops it all, however late; or finds it `cancelled`, and only delivers what it owes others;
 * - after everything has stopped, before the children are told: that is in the outbox, and is delivered by the next owner.
 *
 * A hint only makes it quicker. It says that a cancel is in the inbox, and overtakes it. The owner that has the instance in
 * memory looks what the cancel would do now. If that is to stop everything, it aborts what runs at once and takes nothing
 * more of it. The record does not change: it still lists those activities as running. Once the cancel is applied they are
 * gone, or, if it has turned out to leave some of them running, those run again as another attempt. So they do when no
 * cancel comes at all, after a while ({@link hintTrustMs}), and so they do when the process dies meanwhile.
 */
import type { ParentLink } from './child-workflow.ts'
import type { CancelEnvelope } from './envelope.ts'
import type { EventObject } from './event.ts'
import type { InstanceStatus } from './record.ts'

/** Type of the event that asks a machine to come to an end by itself. Nobody outside can send it. */
export const cancelEventType = 'workflow.cancel'

/** How long a machine that takes `workflow.cancel` may go on, when nobody says otherwise. */
export const defaultGraceMs = 30_000

/** The longest that it may: a year. */
export const mostGraceMs = 365 * 86_400_000

/** How long what a hint has aborted waits for its cancel. */
export const hintTrustMs = 5_000

/** What a machine is sent when it is cancelled: declare it among its events, and go on to a final state. */
export interface CancelEvent {
  readonly type: typeof cancelEventType
  /** Empty when none was given. */
  readonly reason: string
}

/** Why and until when an instance is being cancelled. It stays when that has ended. */
export interface Cancellation {
  readonly reason: string
  /** When everything stops: milliseconds since the epoch. */
  readonly deadline: number
  /** Whether it was the parent who wanted it: then it need not be told. */
  readonly isParents?: true | undefined
}

/** How the children of an instance are cancelled. */
export interface CancelManner {
  readonly force?: true | undefined
  readonly graceMs?: number | undefined
}

/** How the children are cancelled of an instance that stops by that envelope. */
export function mannerOf({ force, graceMs }: CancelEnvelope): CancelManner {
  if (force === true) return { force }
  return graceMs === undefined ? {} : { graceMs }
}

export function cancelEvent(reason: string): CancelEvent & EventObject {
  return { type: cancelEventType, reason }
}

/**
 * The cancellation that an envelope makes. One that goes on keeps its reason; its deadline may only come nearer.
 *
 * @param parent whose child the instance is
 */
export function cancellationBy(
  { force, graceMs = defaultGraceMs, reason, source }: CancelEnvelope,
  now: number,
  parent: ParentLink | undefined,
  before: Cancellation | undefined,
): Cancellation {
  const deadline = force === true ? now : now + graceMs
  if (before !== undefined) return { ...before, deadline: Math.min(before.deadline, deadline) }
  const isParents = parent !== undefined && source?.name === `${parent.address.workflow}/${parent.address.id}`
  return { reason, deadline, ...(isParents && { isParents }) }
}

/** What a cancellation makes of the status of an instance. One that fails meanwhile has failed. */
export function statusUnderCancellation(status: InstanceStatus): InstanceStatus {
  if (status === 'running') return 'cancelling'
  return status === 'done' ? 'cancelled' : status
}
