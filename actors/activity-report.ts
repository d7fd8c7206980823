import type { ActorPath } from './address.ts'
import type { EventObject } from './event.ts'
import type { LeafOutcome } from './leaf-outcome.ts'

/** Something an activity of the instance tells it. Dropped when the invocation it names is no longer current. */
export type ActivityReport = { readonly path: ActorPath; readonly incarnation: number } &
  /**
   * `index`: only that child of a bulk. `attempt`: what tells it, where that makes a difference. `details`: of the last
   * heartbeat of that attempt, if they are news. `isGivenUp`: its supervisor has said so, so no other attempt follows.
   */
  (
    | {
        readonly type: 'settled'
        readonly index?: number | undefined
        readonly attempt?: number | undefined
        readonly outcome: LeafOutcome
        readonly details?: unknown
        readonly isGivenUp?: true | undefined
      }
    /** Without details: its worker has begun. */
    | { readonly type: 'heartbeat'; readonly attempt: number; readonly details: unknown }
    /** It is ended from here. */
    | { readonly type: 'cut'; readonly attempt: number; readonly error: unknown }
    | { readonly type: 'event'; readonly event: EventObject }
    | { readonly type: 'moved'; readonly context: unknown }
  )
