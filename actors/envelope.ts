import type { ParentLink } from './child-workflow.ts'
import type { ActorPath, Address } from './address.ts'
import type { EventObject } from './event.ts'
import type { PermitHolder } from './pool.ts'
import type { PersistedSnapshot } from './snapshot.ts'
import type { LeafOutcome } from './leaf-outcome.ts'

/**
 * A place in an ordered source of outside messages, such as a stream. An instance applies positions of one source
 * in rising order and takes one at or below the last for a repetition, however long ago that was. The sender
 * therefore must not send a position before the one below it is durable.
 */
export interface SourcePosition {
  /** 1 to 400 characters. */
  readonly name: string
  /** A whole number that rises along the source. */
  readonly position: number
}

/** What every envelope carries besides its content. */
export interface EnvelopeBase {
  /** Unique id; the same id is applied once. 1 to 400 characters. */
  readonly id: string
  readonly target: Address
  /** What caused it: the id of another envelope, an effect id, or the name of a trigger. */
  readonly cause?: string | undefined
  /** Where it stands in the ordered source it came from, if it came from one. */
  readonly source?: SourcePosition | undefined
  /** When it was sent: milliseconds since the epoch, by the sender's clock. */
  readonly time: number
}

/** Creates the instance unless it exists. */
export interface StartMessage {
  readonly type: 'start'
  readonly input: unknown
  /** Digest of the input, as computed by `digest()`: equal digests mean the same start. */
  readonly inputDigest: string
  /** Whose child it is, when it is one. */
  readonly parent?: ParentLink | undefined
}

/** Hands an event to the instance. */
export interface SendMessage {
  readonly type: 'send'
  readonly event: EventObject
}

/** Tells a parent how one of its children ended, or an instance how a worker ended an activity of it. */
export interface SettleMessage {
  readonly type: 'settle'
  readonly path: ActorPath
  readonly incarnation: number
  /** Which child, when the invocation is a bulk. */
  readonly index?: number | undefined
  /** Which attempt, when a worker tells how it ended. */
  readonly attempt?: number | undefined
  /** Of its last heartbeat, when they may not have been told. */
  readonly details?: unknown
  readonly outcome: LeafOutcome
}

/** Asks a pool for permits. The first one makes the pool. */
export interface AcquireMessage {
  readonly type: 'acquire'
  readonly holder: PermitHolder
  /** How many it wants. */
  readonly permits: number
  readonly priority: number
  /** How many the pool has. */
  readonly size: number
}

/** Tells a pool that permits are not wanted any more, whether they were given or not. */
export interface ReleaseMessage {
  readonly type: 'release'
  readonly holder: PermitHolder
}

/** Tells an instance that a pool has given it what an invocation asked for. */
export interface GrantMessage {
  readonly type: 'grant'
  readonly pool: string
  readonly path: ActorPath
  readonly incarnation: number
}

/** Ends the instance: whoever wanted it does not any more. See cancellation.ts. */
export interface CancelMessage {
  readonly type: 'cancel'
  /** For people, and for the machine. Up to 1,024 characters. */
  readonly reason: string
  /** Whether everything stops at once, whatever the machine would make of it. */
  readonly force?: true | undefined
  /** How long a machine that takes it may go on, in milliseconds; default 30 s. */
  readonly graceMs?: number | undefined
}

/** Stops the instance until it is resumed: it takes no events, its timers and activities wait. */
export interface PauseMessage {
  readonly type: 'pause'
  /** For people. Up to 1,024 characters. */
  readonly reason?: string | undefined
}

/** Lets a paused instance go on. */
export interface ResumeMessage {
  readonly type: 'resume'
}

/** Makes the step again that has suspended the instance; if it succeeds, the instance goes on. */
export interface RetryMessage {
  readonly type: 'retry'
}

/** Drops what has suspended the instance, and lets it go on. */
export interface SkipMessage {
  readonly type: 'skip'
}

/** Ends a suspended instance as failed, with the error that has suspended it. */
export interface FailMessage {
  readonly type: 'fail'
  /** For people; the error says it, with what has suspended the instance as its cause. Up to 1,024 characters. */
  readonly reason?: string | undefined
}

/** Replaces the state of an instance that is stopped, if its record is still as the sender has seen it. */
export interface EditMessage {
  readonly type: 'edit'
  /** Of the record that the sender has seen. */
  readonly revision: number
  readonly value: unknown
  readonly context: unknown
}

export type StartEnvelope = EnvelopeBase & StartMessage
export type SendEnvelope = EnvelopeBase & SendMessage
export type SettleEnvelope = EnvelopeBase & SettleMessage
export type CancelEnvelope = EnvelopeBase & CancelMessage
export type EditEnvelope = EnvelopeBase & EditMessage
export type PoolEnvelope = EnvelopeBase & (AcquireMessage | ReleaseMessage)
export type GrantEnvelope = EnvelopeBase & GrantMessage

/**
 * Says whether the instance shall go on at all. It overtakes what waits for an instance that takes nothing, so its place
 * in an ordered source is of no interest.
 */
export type ControlEnvelope = EnvelopeBase &
  (CancelMessage | EditMessage | FailMessage | PauseMessage | ResumeMessage | RetryMessage | SkipMessage)

/** A message on the wire. */
export type Envelope =
  | StartEnvelope
  | SendEnvelope
  | SettleEnvelope
  | PoolEnvelope
  | GrantEnvelope
  | ControlEnvelope

/** What an instance takes in order, and only while it goes on. */
const contentTypes: ReadonlySet<Envelope['type']> = new Set([
  'acquire',
  'grant',
  'release',
  'send',
  'settle',
  'start',
])

export function isControl(envelope: Envelope): envelope is ControlEnvelope {
  return !contentTypes.has(envelope.type)
}

/** An envelope as the owner of its partition received it. */
export interface Delivery {
  readonly envelope: Envelope
  /** Sequence in the inbox stream: rises along a partition. */
  readonly seq: number
  /** Where the sender waits for the outcome; absent when it does not. */
  readonly replyTo?: string | undefined
  /**
   * Where the first of its id stands in the inbox, when a sender that waits for the outcome has sent it again. It is only
   * applied if that one was not.
   */
  readonly repeats?: number | undefined
  /** It was in the inbox before its partition was opened: an earlier owner may have taken it. */
  readonly isBacklog?: boolean | undefined
  /** It has waited among the parked ones: it comes in the order of the inbox, even if it is a control envelope. */
  readonly isInOrder?: boolean | undefined
}

/** Whether it goes ahead of what waits. */
export function isOvertaking({ envelope, isInOrder }: Delivery): boolean {
  return isControl(envelope) && isInOrder !== true
}

/** Why an envelope was not applied. */
export type Rejection =
  | 'EDIT_INVALID'
  | 'ENVELOPE_MALFORMED'
  | 'EVENT_INVALID'
  | 'EVENT_RESERVED'
  | 'INPUT_INVALID'
  | 'INSTANCE_EXISTS'
  | 'INSTANCE_FINISHED'
  | 'INSTANCE_NOT_BEGUN'
  | 'INSTANCE_NOT_FOUND'
  | 'INSTANCE_NOT_SUSPENDED'
  | 'INSTANCE_SUSPENDED'
  | 'PAYLOAD_TOO_LARGE'
  | 'RECORD_FORMAT_UNSUPPORTED'
  | 'RECORD_MALFORMED'
  | 'RESTARTS_EXCEEDED'
  | 'REVISION_CONFLICT'
  | 'STEP_ENDLESS'
  | 'STEP_FAILED'
  | 'VALUE_UNSUPPORTED'
  | 'WORKFLOW_UNKNOWN'

/** Why an envelope was not applied, as its sender is told. */
export interface Refusal {
  readonly type: 'rejected'
  readonly code: Rejection
  /** What is wrong, as plain data: `issues` where a schema found some. */
  readonly fields?: Readonly<Record<string, unknown>>
  readonly message: string
}

/**
 * What became of an envelope, answered after the commit. `accepted`: it changed the instance. `ignored`: the
 * instance took it and no transition was enabled. `suspended`: its step has thrown; it is kept, to be stepped again, and
 * the instance is suspended. `repeated`: it had come before, and is not applied now; what was made of it then is not known
 * any more. `rejected`: it was not applied.
 */
export type Outcome =
  | {
      readonly type: 'accepted' | 'ignored' | 'repeated' | 'suspended'
      readonly revision: number
      readonly snapshot: PersistedSnapshot
    }
  | Refusal
