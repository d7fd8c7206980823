import type { ActorPath, Address } from './address.ts'

/** How a task is written: `json` for workers that know nothing else, and then for what JSON can say. */
export type TaskFormat = 'json' | 'msgpack'

/** What `remoteActivity()` attaches to the logic it makes, besides the spec of every activity. */
export interface RemoteSpec {
  readonly format: TaskFormat
  /** Name of the activity: its workers ask for tasks of that name. */
  readonly name: string
}

/** What a record says of an activity that a worker does. */
export interface RemoteRecord {
  /** Name of the activity. */
  readonly name: string
  readonly format: TaskFormat
  /** When the attempt has taken too long: milliseconds since the epoch. Absent: it may take as long as it likes. */
  readonly dueAt?: number | undefined
  /** How long a worker that has begun may go without a heartbeat, in milliseconds. Absent: as long as it likes. */
  readonly silenceMs?: number | undefined
  /** A worker has said that it has begun this attempt. */
  readonly isBegun?: true | undefined
}

/** Names one attempt among all: a task of that name is the same task. */
export interface TaskName {
  /** Name of the activity. */
  readonly activity: string
  readonly instance: Address
  readonly incarnation: number
  readonly attempt: number
}

/** One attempt of a remote activity, as it is asked of a worker. */
export interface Task extends TaskName {
  /** Where the result goes within the instance. */
  readonly path: ActorPath
  /** The effect that asked for it. */
  readonly effectId: string
  readonly format: TaskFormat
  readonly idempotencyKey: string
  readonly input: unknown
  /** As in {@link RemoteRecord}. */
  readonly dueAt?: number | undefined
  /** The details of the last heartbeat of an earlier attempt. */
  readonly lastHeartbeat?: unknown
  /** As in {@link RemoteRecord}. */
  readonly silenceMs?: number | undefined
}

/** What a worker says while it is at an attempt. */
export interface Beat extends Pick<Task, 'attempt' | 'incarnation' | 'instance' | 'path'> {
  /** It has begun, no more: this may be said again, and is no heartbeat. */
  readonly isBeginning: boolean
  /** How far it is; undefined: it does not say. */
  readonly details: unknown
}

/** Where the spec hangs on the logic. Registered globally, so that two copies of the package agree. */
export const remoteSpecKey: unique symbol = Symbol.for('holdfast.remote') as never

/** The spec of logic made by `remoteActivity()`; undefined for any other logic. */
export function remoteSpecOf(logic: unknown): RemoteSpec | undefined {
  return (logic as { [remoteSpecKey]?: RemoteSpec } | undefined)?.[remoteSpecKey]
}
