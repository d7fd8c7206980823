import type { AnyMachineSnapshot } from 'xstate'

import type { EventObject } from '../event.ts'

/**
 * Whether a machine has a transition for the event where it is now. One for any event at all (`*`) does not count: it was
 * not made for this one.
 */
export function takes(snapshot: AnyMachineSnapshot, event: EventObject): boolean {
  try {
    return snapshot.machine.getTransitionData(snapshot, event).some(({ actions, eventType, target }) => {
      return eventType !== '*' && (target !== undefined || actions.length > 0)
    })
  } catch {
    // A guard that throws does not let it pass.
    return false
  }
}
