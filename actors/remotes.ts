/**
 * The remote activities of an instance: asks workers for one attempt after the other, and takes attempts back.
 *
 * The record says which attempt is under way; a result names its attempt and counts only for that one. What happens at
 * each point where a process may die:
 *
 * - the node, before the commit: nobody has heard of the attempt;
 * - the node, after the commit and before the task is stored: the next owner finds the task in the outbox;
 * - the node, after the task is stored and before a record without it is: the next owner stores it again, which changes
 *   nothing while the first one waits or is worked on, nor within two minutes of it. Later, and if it has been done, it
 *   is done once more, and the second result is for an invocation that is over;
 * - the worker: its task comes to another one after the acknowledgement wait, as the same attempt under the same key;
 * - the worker, after the result is stored and before the task is acknowledged: the same, and the second result is
 *   dropped like every result of an attempt that is no longer under way;
 * - the node, before it has taken an attempt back: the next owner does so. A task is named after its attempt, so that
 *   taking one back late, by an owner that was superseded meanwhile, never hits the next one.
 *
 * Heartbeats go past the inbox and may be lost. That a worker has begun is said again and again, and is stored once: from
 * then on the owner of the instance waits for heartbeats, and the next owner, with all the time anew, as the worker had
 * nobody to tell meanwhile. Of details those are stored that count, now and then; a crash in between loses the newest.
 */
import { activitySpecOf, idempotencyKey } from './activity.ts'
import type { ActorPath, Address } from './address.ts'
import type { Effect } from './effect.ts'
import { RuntimeError } from './errors.ts'
import { momentAfter } from './moment.ts'
import type { Outbox, TaskEntry } from './outbox.ts'
import type { PendingEffects } from './pending-effects.ts'
import type { ActivityRecord } from './record.ts'
import { remoteSpecOf, type RemoteRecord } from './remote-activity.ts'

export interface RemotesContext {
  /** Of the instance. */
  readonly address: Address
  readonly effects: PendingEffects
  readonly logicOf: (path: ActorPath) => unknown
  readonly outbox: Outbox
}

export class Remotes {
  readonly #context: RemotesContext

  constructor(context: RemotesContext) {
    this.#context = context
  }

  /** What the record says of an attempt that begins now. Undefined when no worker does it: a deployment may change that. */
  recordOf(path: ActorPath, now: number): RemoteRecord | undefined {
    const logic = this.#context.logicOf(path)
    const spec = remoteSpecOf(logic)
    if (spec === undefined) return undefined
    const { attemptTimeoutMs: limitMs, heartbeatTimeoutMs: silenceMs } = activitySpecOf(logic) ?? {}
    const { format, name } = spec
    return {
      name,
      format,
      ...(limitMs !== undefined && { dueAt: momentAfter(now, limitMs) }),
      ...(silenceMs !== undefined && { silenceMs }),
    }
  }

  /** Asks a worker for the attempt that the record of the instance already tells of. */
  begin({ attempt, incarnation, path }: ActivityRecord): void {
    this.#context.outbox.postTask(path, incarnation, attempt)
  }

  /** What the record says of an attempt once its worker has begun: the same if it says so already, or no worker does it. */
  begun(activity: ActivityRecord): ActivityRecord {
    const { remote } = activity
    if (remote === undefined || remote.isBegun === true) return activity
    const begun = { ...activity, remote: { ...remote, isBegun: true as const } }
    this.hear(begun)
    return begun
  }

  /** Waits for the heartbeats of the attempt under way, if its worker has begun. */
  hear({ attempt, incarnation, path, remote, retryAt }: ActivityRecord): void {
    if (remote?.isBegun !== true || retryAt !== undefined) return
    const { name: activity, silenceMs } = remote
    this.#context.effects.add({ type: 'hear', activity, path, incarnation, attempt, silenceMs })
  }

  /** Waits for them no more. */
  ignore({ incarnation, path, remote, retryAt }: ActivityRecord): void {
    if (remote?.isBegun !== true || retryAt !== undefined) return
    this.#context.effects.add({ type: 'stopActivity', path, incarnation })
  }

  /** Takes the attempt under way back: a task that waits goes, a worker that is at it is told to stop. */
  recall({ attempt, incarnation, path, remote, retryAt }: ActivityRecord): void {
    if (remote === undefined || retryAt !== undefined) return
    const { outbox } = this.#context
    if (!outbox.withdrawTask(path)) outbox.recall({ activity: remote.name, attempt, incarnation })
  }

  /** What asks a worker. Undefined when the attempt is no longer wanted. */
  effectOf(entry: TaskEntry, activity: ActivityRecord | undefined): Effect | undefined {
    if (activity?.remote === undefined || activity.retryAt !== undefined) return undefined
    const { attempt, incarnation, input, lastHeartbeat, path } = activity
    if (incarnation !== entry.incarnation || attempt !== entry.attempt) return undefined
    const { address: instance } = this.#context
    const { dueAt, format, name, silenceMs } = activity.remote
    const key = idempotencyKey(instance, activity)
    const { effectId } = entry
    const task = { activity: name, attempt, dueAt, effectId, format, incarnation, input, instance, path }
    return { type: 'task', effectId, task: { ...task, idempotencyKey: key, lastHeartbeat, silenceMs } }
  }
}

/** Whether a result is for the attempt under way: a worker names the attempt that its result is of. */
export function isOfAttempt({ attempt, remote }: ActivityRecord, named: number | undefined): boolean {
  return remote === undefined || named === attempt
}

/** Whether its worker must be heard of now and then, by whoever has the instance in memory. */
export function isHeard({ remote, retryAt }: ActivityRecord): boolean {
  return remote?.isBegun === true && remote.silenceMs !== undefined && retryAt === undefined
}

/** The error of an attempt that has taken too long. */
export function attemptTimedOut({ attempt, remote }: ActivityRecord): RuntimeError {
  const name = remote?.name ?? ''
  return new RuntimeError(
    'ACTIVITY_TIMEOUT',
    `no worker has answered attempt ${attempt} of activity '${name}' in time`,
    { fields: { activity: name, attempt, timeout: 'attempt' }, retryable: true },
  )
}
