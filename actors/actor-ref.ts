import type { AnyActorRef } from 'xstate'

/** True for a reference to an actor, live or gone. */
export function isActorRef(value: object): value is AnyActorRef {
  return 'sessionId' in value && 'send' in value && 'ref' in value
}
