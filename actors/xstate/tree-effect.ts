import type { ActorPath, Address } from '../address.ts'
import type { EventObject } from '../event.ts'

/** What a step asked for, in the order it asked. */
export type TreeEffect =
  | { readonly type: 'start'; readonly path: ActorPath; readonly src: string; readonly input: unknown }
  | { readonly type: 'stop'; readonly path: ActorPath }
  | { readonly type: 'deliver'; readonly path: ActorPath; readonly event: EventObject }
  | {
      readonly type: 'setTimer'
      readonly owner: ActorPath
      readonly id: string
      readonly target: ActorPath
      /** The instance it goes to, when that is another one. */
      readonly to: Address | undefined
      readonly event: EventObject
      readonly delayMs: number
    }
  | { readonly type: 'cancelTimer'; readonly owner: ActorPath; readonly id: string }
  | { readonly type: 'cancelTimers'; readonly owner: ActorPath }
  /** An event for another instance. */
  | { readonly type: 'post'; readonly target: Address; readonly event: EventObject }
  | { readonly type: 'emit'; readonly event: EventObject }
  | { readonly type: 'log'; readonly owner: ActorPath; readonly values: readonly unknown[] }
  | {
      readonly type: 'action'
      readonly owner: ActorPath
      /** Undefined for a function made while stepping: no later process could find it again. */
      readonly name: string | undefined
      readonly params: unknown
      readonly event: EventObject
      readonly context: unknown
      readonly exec: ActionFunction
    }

/** A custom action, as XState calls it. */
export type ActionFunction = (args: any, params: any) => unknown
