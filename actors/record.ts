/**
 * The stored form of an instance: everything it owes the world, replaced by one compare-and-set write.
 *
 * Whatever a process holds in memory about an instance (its live actors, timers armed, activities running)
 * is derived from this record and can be thrown away at any time.
 */
import type { ActorPath, Address } from './address.ts'
import type { BulkRecord, BulkResult } from './bulk.ts'
import type { Cancellation } from './cancellation.ts'
import type { ParentLink } from './child-workflow.ts'
import type {
  AcquireMessage,
  CancelMessage,
  GrantMessage,
  ReleaseMessage,
  SendMessage,
  SettleMessage,
  StartMessage,
} from './envelope.ts'
import type { EventObject } from './event.ts'
import type { Incident } from './incident.ts'
import type { PermitRecord } from './pool.ts'
import type { RemoteRecord, TaskName } from './remote-activity.ts'
import type { PersistedSnapshot } from './snapshot.ts'

/** The record format this build writes. A record of a newer format is refused, never overwritten. */
export const RECORD_FORMAT = 1

/**
 * `running`: takes events. `paused`: takes none until it is resumed; what it is sent waits. `suspended`: the same, until
 * somebody has dealt with its incident. `cancelling`: takes events until it has come to an end by itself, or its time for
 * that is over. The others are final, the record no longer changes:
 * `done` has an output, `failed` an error, `cancelled` was no longer wanted.
 */
export type InstanceStatus = (typeof instanceStatuses)[number]
export const instanceStatuses = Object.freeze([
  'running',
  'paused',
  'cancelling',
  'suspended',
  'done',
  'failed',
  'cancelled',
] as const)

/** Whether an instance has finished: it takes nothing more. */
export function isFinal(status: InstanceStatus): boolean {
  return status === 'done' || status === 'failed' || status === 'cancelled'
}

/** Whether an instance in this status takes events, and its activities run. */
export function isLive(status: InstanceStatus): boolean {
  return status === 'running' || status === 'cancelling'
}

/** A delayed event. Owner and id together are unique: setting one again replaces it. */
export interface Timer {
  /** The actor that set the timer and alone may cancel it. */
  readonly owner: ActorPath
  readonly id: string
  /** The actor the event goes to. */
  readonly target: ActorPath
  /** The instance it goes to, when that is another one; then the target is of no interest. */
  readonly to?: Address | undefined
  readonly event: EventObject
  /** When to fire: milliseconds since the epoch, fixed when the timer was set. */
  readonly dueAt: number
  /** Fences the firing: a timer replaced since has another number. */
  readonly seq: number
}

/** Leaf logic (promise, callback, observable) that must be running while the record says so. */
export interface ActivityRecord {
  readonly path: ActorPath
  /** The name of its logic among the machine's actors; structural for inline ones. */
  readonly src: string
  readonly input: unknown
  /** Fences results: a result of an older invocation of the same path is dropped. */
  readonly incarnation: number
  /** 1 for the first run; counts retries and restarts after a crash. */
  readonly attempt: number
  /** When the first attempt was asked for: milliseconds since the epoch. */
  readonly startedAt: number
  /** Set while waiting between two attempts: when the next begins, milliseconds since the epoch. */
  readonly retryAt?: number | undefined
  /** How many attempts have failed, those lost with their process not among them. Absent: none. */
  readonly failures?: number | undefined
  /** The error of the last attempt, kept while the next one waits or runs. */
  readonly lastError?: unknown
  /** When all its attempts, or the wait of `pool()`, must be over: milliseconds since the epoch. Absent: never. */
  readonly deadlineAt?: number | undefined
  /** The details of the last heartbeat that gave some. */
  readonly lastHeartbeat?: unknown
  /** When it was restarted because its process had ended, as far as that still counts: milliseconds since the epoch. */
  readonly restarts?: readonly number[] | undefined
  /** The instance that does the work, when it is a child workflow: nothing runs here, its outcome arrives as a message. */
  readonly child?: ActivityChild | undefined
  /** How far it is, when it is a bulk: nothing runs here, the outcomes of its children arrive as messages. */
  readonly bulk?: BulkRecord | undefined
  /** Who does the work, when it is a worker: nothing runs here, the result arrives as a message. */
  readonly remote?: RemoteRecord | undefined
  /**
   * What it waits for or holds, when it is an activity with a pool, or stands for permits itself: then, and while it waits,
   * nothing runs here.
   */
  readonly permit?: PermitRecord | undefined
}

/** The instance that stands behind an activity. */
export interface ActivityChild {
  readonly address: Address
  /** Whether it goes on when this instance no longer wants it. */
  readonly isDetached: boolean
}

/** A message to another instance. The digest of an input is made when it is delivered. */
export type PostedMessage =
  | Omit<StartMessage, 'inputDigest'>
  | SendMessage
  | SettleMessage
  | CancelMessage
  | AcquireMessage
  | ReleaseMessage
  | GrantMessage

/** Something to deliver to the outside after the commit, at least once, under a stable id. */
export type OutboxEntry =
  /** For another instance. Entries for one instance are delivered in their order. */
  | {
      readonly type: 'post'
      readonly effectId: string
      readonly target: Address
      readonly message: PostedMessage
    }
  | { readonly type: 'emit'; readonly effectId: string; readonly event: EventObject }
  /** The start of a child of a bulk: the message is made when it is delivered. */
  | { readonly type: 'item'; readonly effectId: string; readonly path: ActorPath; readonly index: number }
  /** Results of a bulk, for the blobs. */
  | {
      readonly type: 'chunk'
      readonly effectId: string
      readonly name: string
      readonly results: readonly BulkResult[]
      /** About. */
      readonly sizeBytes: number
    }
  /** An attempt of a remote activity, for its workers: the task is made when it is delivered. */
  | {
      readonly type: 'task'
      readonly effectId: string
      readonly path: ActorPath
      readonly incarnation: number
      readonly attempt: number
    }
  /** Takes such an attempt back. */
  | ({ readonly type: 'recall'; readonly effectId: string } & Omit<TaskName, 'instance'>)
  | {
      readonly type: 'action'
      readonly effectId: string
      /** The actor whose action it is. */
      readonly owner: ActorPath
      /** Name of the action, or its structural place in the machine when written inline. */
      readonly action: string
      readonly params: unknown
      readonly event: EventObject
      /** The context the action saw, when it is not the context of this record. */
      readonly context?: unknown
    }

/** The control envelopes applied. */
export interface ControlApplied {
  /** Inbox sequence of the last one. */
  readonly cursor: number
  /** Ids of the last ones, newest last. */
  readonly recent: readonly string[]
}

export interface InstanceRecord {
  readonly workflow: string
  readonly id: string
  /** Version of the workflow definition that wrote the snapshot. */
  readonly version: number
  readonly status: InstanceStatus
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly updatedAt: number
  /** Digest of the input of the start, so that a repeated start can be told from another one. */
  readonly inputDigest: string
  readonly snapshot: PersistedSnapshot
  readonly timers: readonly Timer[]
  readonly activities: readonly ActivityRecord[]
  readonly outbox: readonly OutboxEntry[]
  /** Inbox sequence of the last envelope applied that was no control envelope; 0 before any. */
  readonly cursor: number
  /** Ids of the last envelopes applied, newest last: redelivery under another sequence is recognised. */
  readonly recent: readonly string[]
  /** The last position applied from each ordered source, by its name. */
  readonly sources: Readonly<Record<string, number>>
  /** What it remembers of control envelopes, which may overtake others; absent before any. */
  readonly control?: ControlApplied | undefined
  /** Why it is stopped, while it is and somebody has said so. */
  readonly stopReason?: string | undefined
  /** Set once it is no longer wanted. */
  readonly cancellation?: Cancellation | undefined
  /** Why it is suspended, while it is. */
  readonly incident?: Incident | undefined
  /** Whose child it is, when it is one. */
  readonly parent?: ParentLink | undefined
  /** Rises by one with every number handed out: effects, incarnations, timers, unnamed children. */
  readonly counter: number
}
