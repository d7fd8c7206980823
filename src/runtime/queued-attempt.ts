import type { ActivitySpec } from '../../actors/activity.ts'
import type { ActivitySlots } from '../../actors/activity-slots.ts'
import { activityTimeout } from '../../actors/activity-timeout.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import type { Clock, TimerHandle } from '../../actors/ports.ts'
import type { ActivityRecord } from '../../actors/record.ts'
import type { RunningLeaf } from '../../actors/xstate/leaf.ts'

export interface QueuedAttemptOptions {
  readonly activity: ActivityRecord
  readonly clock: Clock
  readonly slots: ActivitySlots
  /** Begins the attempt; calls `spec.run` once, whatever happens. */
  run(spec: ActivitySpec): RunningLeaf
  /** Told when it does not begin: it cannot even queue up, or has waited too long. */
  settled(outcome: LeafOutcome): void
}

/**
 * An attempt that runs once it has a slot, and keeps the slot until its work has ended, wanted or not.
 *
 * To everyone else it runs from the beginning: its record lists it as running, so that it is recovered after a crash,
 * and stopping it takes it out of the queue at once. How long it has waited is memory of this process: after a crash its
 * wait begins anew, under `timeout.queue` as well. One that does not wait sets no timer for that.
 */
export function queueAttempt(spec: ActivitySpec, options: QueuedAttemptOptions): RunningLeaf {
  const { activity, clock, slots } = options
  let place
  try {
    place = spec.queueing.placeOf(activity.input)
  } catch (error) {
    return failedAttempt(error, options)
  }
  let leaf: RunningLeaf | undefined
  let timeout: TimerHandle | undefined
  const slot = slots.ask(spec.queueing, place, held => {
    timeout?.cancel()
    leaf = options.run({
      ...spec,
      run: async context => {
        try {
          return await spec.run(context)
        } finally {
          held.leave()
        }
      },
    })
  })
  const { queueTimeoutMs: limitMs } = spec
  if (leaf === undefined && limitMs !== undefined) {
    timeout = clock.setTimer(limitMs, () => {
      slot.leave()
      options.settled({ status: 'error', error: waitedTooLong(spec, activity, limitMs) })
    })
  }
  return {
    deliver() {},
    stop() {
      timeout?.cancel()
      if (leaf === undefined) slot.leave()
      else leaf.stop()
    },
  }
}

function waitedTooLong({ name }: ActivitySpec, activity: ActivityRecord, limitMs: number): Error {
  const { attempt, lastError } = activity
  return activityTimeout('queue', { activity: name, attempt, limitMs, cause: lastError })
}

/** One that fails as soon as whoever starts it has noted that it runs. */
function failedAttempt(error: unknown, options: QueuedAttemptOptions): RunningLeaf {
  let live = true
  queueMicrotask(() => {
    if (live) options.settled({ status: 'error', error })
  })
  return {
    deliver() {},
    stop() {
      live = false
    },
  }
}
