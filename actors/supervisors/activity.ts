/**
 * Supervises one activity of an instance: decides about the attempts of an invocation. The last of the tree
 * node → partition → instance → activity.
 *
 * ```
 *            ┌───────── lost: its process has ended, or it was paused ──┐
 *            ▼                                                          │
 *   asked ─▶ running ── failed, another attempt may cure it ─▶ waiting ─┼─▶ running …
 *            │    │                                               │
 *            │    └── done                                        │
 *            └── failed for good, restarted too often ──▶ over ◀──┴── the time for all attempts is up
 * ```
 *
 * It has no state but the record of the activity, and does nothing itself: whoever asks stores the decision, then acts on
 * it. So after a crash
 * - before the decision is stored, it is made again, from the same record: what an attempt has answered or thrown is
 *   lost, and the attempt counts as lost;
 * - after that, and before the attempt it asks for has begun: that attempt is lost, and the next one has a higher number.
 *   A number that a foreign system has seen never comes again, also when it is the activity that kills its process;
 * - while an attempt waits for a slot: it counts as one that ran, because what has begun is not stored. That is a restart,
 *   but not a failure: a process that dies uses up nothing of the retry policy;
 * - while it waits: `retryAt` and `deadlineAt` are moments in the record and hold across any downtime.
 */
import type { ActivitySpec } from '../activity.ts'
import { activityTimeout } from '../activity-timeout.ts'
import { RuntimeError } from '../errors.ts'
import { momentAfter } from '../moment.ts'
import type { ActivityRecord } from '../record.ts'
import { countRestart } from '../restart.ts'
import { retryDelay, spreadOf } from '../retry.ts'

/** It runs, or waits for its next attempt, once this is stored. */
export interface GoesOn {
  readonly type: 'goesOn'
  readonly activity: ActivityRecord
}

/** `failed`: the machine is told. `escalated`: the supervisor of the activity cannot help it any more. */
export interface Over {
  readonly type: 'failed' | 'escalated'
  readonly activity: ActivityRecord
  readonly error: unknown
}

/** It is asked for. The time for all its attempts runs from here. */
export function asked(activity: ActivityRecord, spec: ActivitySpec | undefined): ActivityRecord {
  if (spec?.totalTimeoutMs === undefined) return activity
  return { ...activity, deadlineAt: momentAfter(activity.startedAt, spec.totalTimeoutMs) }
}

/**
 * An attempt has failed. No wait begins that would end when the time for all attempts is up: its error is told at once.
 *
 * @param complain told what a policy has thrown
 */
export function failed(
  activity: ActivityRecord,
  error: unknown,
  spec: ActivitySpec | undefined,
  now: number,
  complain: (thrown: unknown) => void,
): GoesOn | Over {
  const failures = failuresOf(activity) + 1
  const delay = spec && retryDelay(spec.retry, failures, error, spreadOf(activity), complain)
  if (delay === undefined || now + delay >= deadlineOf(activity)) return { type: 'failed', activity, error }
  const retryAt = momentAfter(now, delay)
  return { type: 'goesOn', activity: { ...activity, failures, retryAt, lastError: error } }
}

/** The wait before another attempt is over. */
export function waited(activity: ActivityRecord): ActivityRecord {
  return { ...activity, attempt: activity.attempt + 1, retryAt: undefined }
}

/**
 * It was running and does not any more: its process has ended, or it was halted. Logic that is no `activity()` has no
 * policy, and runs again whatever happens.
 *
 * @param isCounted whether its process has ended
 */
export function lost(
  activity: ActivityRecord,
  spec: ActivitySpec | undefined,
  now: number,
  isCounted: boolean,
): GoesOn | Over {
  const again = { ...activity, attempt: activity.attempt + 1 }
  if (spec === undefined) return { type: 'goesOn', activity: again }
  if (now >= deadlineOf(activity)) return expired(activity, spec)
  const { restart } = spec
  if (restart === 'temporary') return { type: 'failed', activity, error: notRunAgain(activity, spec) }
  if (!isCounted) return { type: 'goesOn', activity: again }
  const restarts = countRestart(restart, activity.restarts ?? [], now)
  if (restarts === undefined) {
    return { type: 'escalated', activity, error: restartsExceeded(activity, spec, restart) }
  }
  return { type: 'goesOn', activity: restarts.length === 0 ? again : { ...again, restarts } }
}

/** The time for all its attempts is up. */
export function expired(activity: ActivityRecord, spec: ActivitySpec | undefined): Over {
  const { attempt, lastError, src, startedAt } = activity
  const limitMs = deadlineOf(activity) - startedAt
  const timed = { activity: spec?.name ?? src, attempt, limitMs, cause: lastError }
  return { type: 'failed', activity, error: activityTimeout('total', timed) }
}

/** A record from before failures were counted has an error if there was one; then all its attempts count as failed. */
function failuresOf({ attempt, failures, lastError }: ActivityRecord): number {
  return failures ?? (lastError === undefined ? 0 : attempt - 1)
}

function deadlineOf({ deadlineAt }: ActivityRecord): number {
  return deadlineAt ?? Number.POSITIVE_INFINITY
}

function notRunAgain({ attempt }: ActivityRecord, { name }: ActivitySpec): RuntimeError {
  const message = `attempt ${attempt} of activity '${name}' was lost with its process, or halted, and it is not to run again`
  return new RuntimeError('ACTIVITY_LOST', message, { fields: { activity: name, attempt } })
}

function restartsExceeded(
  { attempt, lastError }: ActivityRecord,
  { name }: ActivitySpec,
  { intensity, periodMs }: { readonly intensity: number; readonly periodMs: number },
): RuntimeError {
  const message = `the process of activity '${name}' has ended more than ${intensity} times within ${periodMs} ms while it ran`
  return new RuntimeError('RESTARTS_EXCEEDED', message, {
    ...(lastError !== undefined && { cause: lastError }),
    fields: { activity: name, attempt, intensity, periodMs },
  })
}
