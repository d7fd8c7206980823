import type { ActivitySpec } from '../../actors/activity.ts'
import type { ActivitySlots } from '../../actors/activity-slots.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import type { RunningLeaf } from '../../actors/xstate/leaf.ts'

/**
 * An attempt that runs once it has a slot, and keeps the slot until its work has ended, wanted or not.
 *
 * To everyone else it runs from the beginning: its record lists it as running, so that it is recovered after a crash,
 * and stopping it takes it out of the queue at once.
 *
 * @param run begins the attempt; calls `spec.run` once, whatever happens
 * @param settled told when it cannot even queue up
 */
export function queueAttempt(
  spec: ActivitySpec,
  input: unknown,
  slots: ActivitySlots,
  run: (spec: ActivitySpec) => RunningLeaf,
  settled: (outcome: LeafOutcome) => void,
): RunningLeaf {
  let place
  try {
    place = spec.queueing.placeOf(input)
  } catch (error) {
    return failedAttempt(error, settled)
  }
  let leaf: RunningLeaf | undefined
  const slot = slots.ask(spec.queueing, place, held => {
    leaf = run({
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
  return {
    deliver() {},
    stop() {
      if (leaf === undefined) slot.leave()
      else leaf.stop()
    },
  }
}

/** One that fails as soon as whoever starts it has noted that it runs. */
function failedAttempt(error: unknown, settled: (outcome: LeafOutcome) => void): RunningLeaf {
  let live = true
  queueMicrotask(() => {
    if (live) settled({ status: 'error', error })
  })
  return {
    deliver() {},
    stop() {
      live = false
    },
  }
}
