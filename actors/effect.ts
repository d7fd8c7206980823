import type { ParentLink } from './child-workflow.ts'
import type { ActorPath, Address } from './address.ts'
import type { EventObject } from './event.ts'
import type { ActivityRecord, OutboxEntry } from './record.ts'
import type { Task } from './remote-activity.ts'

/** What a step asks of the world. Performed after the commit of the record that contains it, never before. */
export type Effect =
  | { readonly type: 'startActivity'; readonly activity: ActivityRecord }
  | { readonly type: 'stopActivity'; readonly path: ActorPath; readonly incarnation: number }
  /** Waits for the heartbeats of a worker: `stopActivity` ends that, too. */
  | {
      readonly type: 'hear'
      /** Name of the activity. */
      readonly activity: string
      readonly path: ActorPath
      readonly incarnation: number
      readonly attempt: number
      /** As in RemoteRecord. */
      readonly silenceMs: number | undefined
    }
  /** Hands an event to a running callback. Lost when the process dies before it: callbacks start anew. */
  | {
      readonly type: 'deliver'
      readonly path: ActorPath
      readonly incarnation: number
      readonly event: EventObject
    }
  | Extract<OutboxEntry, { type: 'chunk' | 'post' | 'recall' }>
  | { readonly type: 'task'; readonly effectId: string; readonly task: Task }
  | {
      readonly type: 'startItem'
      readonly effectId: string
      readonly target: Address
      readonly parent: ParentLink
      /** What the child is given. May throw: then it cannot start. */
      input(): unknown
    }
  | { readonly type: 'emit'; readonly effectId: string; readonly event: EventObject }
  | {
      readonly type: 'action'
      readonly effectId: string
      readonly owner: ActorPath
      /** Name of the action, for the log; `(anonymous)` when it has none. */
      readonly name: string
      run(): unknown
    }
  | { readonly type: 'log'; readonly owner: ActorPath; readonly values: readonly unknown[] }
  /** A policy of the activity has thrown: for the log alone. */
  | { readonly type: 'complaint'; readonly path: ActorPath; readonly error: unknown }
