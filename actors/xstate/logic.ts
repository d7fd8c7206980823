import type { AnyStateMachine } from 'xstate'

/** True for what `createMachine` makes, whichever copy of XState made it. */
export function isMachine(logic: any): logic is AnyStateMachine {
  return logic?.implementations !== undefined
}

/** v5 logic carries no kind: whatever wants to be started and is no machine does work of its own. */
export function isLeaf(logic: any): boolean {
  return !isMachine(logic) && typeof logic.start === 'function'
}
