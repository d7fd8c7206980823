import type { Address, EventObject, PersistedSnapshot } from './record.ts'

/**
 * A place in an ordered source of outside messages, such as a stream. An instance applies positions of one source
 * in rising order and takes one at or below the last for a repetition, however long ago that was. The sender
 * therefore must not send a position before the one below it is durable.
 */
export interface SourcePosition {
  /** 1 to 64 characters. */
  readonly name: string
  /** A whole number that rises along the source. */
  readonly position: number
}

/** What every envelope carries besides its content. */
interface EnvelopeBase {
  /** Unique id; the same id is applied once. 1 to 128 characters. */
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
export interface StartEnvelope extends EnvelopeBase {
  readonly type: 'start'
  readonly input: unknown
  /** Digest of the input, as computed by `digest()`: equal digests mean the same start. */
  readonly inputDigest: string
}

/** Hands an event to the instance. */
export interface SendEnvelope extends EnvelopeBase {
  readonly type: 'send'
  readonly event: EventObject
}

/** An event on the wire. */
export type Envelope = StartEnvelope | SendEnvelope

/** An envelope as the owner of its partition received it. */
export interface Delivery {
  readonly envelope: Envelope
  /** Sequence in the inbox stream: rises along a partition. */
  readonly seq: number
  /** Where the sender waits for the outcome; absent when it does not. */
  readonly replyTo?: string | undefined
}

/** Why an envelope was not applied. */
export type Rejection =
  | 'ENVELOPE_MALFORMED'
  | 'EVENT_INVALID'
  | 'EVENT_RESERVED'
  | 'INPUT_INVALID'
  | 'INSTANCE_EXISTS'
  | 'INSTANCE_FINISHED'
  | 'INSTANCE_NOT_FOUND'
  | 'PAYLOAD_TOO_LARGE'
  | 'RECORD_FORMAT_UNSUPPORTED'
  | 'RECORD_MALFORMED'
  | 'VALUE_UNSUPPORTED'
  | 'WORKFLOW_UNKNOWN'

/**
 * What became of an envelope, answered after the commit. `accepted`: it changed the instance. `ignored`: the
 * instance took it and no transition was enabled. `rejected`: it was not applied.
 */
export type Outcome =
  | { readonly type: 'accepted' | 'ignored'; readonly revision: number; readonly snapshot: PersistedSnapshot }
  | { readonly type: 'rejected'; readonly code: Rejection; readonly message: string }
