/**
 * What could not be delivered or applied is kept, with the reason, until it is discarded, replayed or too old.
 *
 * To replay a letter is to publish its envelope anew, then to remove the letter. At each crash:
 *
 * - before the publish is stored: the letter is there as it was;
 * - between the two: the letter is there, and its envelope too. To replay it once more changes nothing, however much
 *   later, because the envelope is named for the place of the letter: see {@link replayOf};
 * - after the removal: nothing is left. A server that was killed may bring the letter back: as above.
 *
 * An instance that refuses the envelope again makes a new letter of it.
 */
import type { Address } from './address.ts'
import type { Envelope } from './envelope.ts'

/** Where a letter was before it was one. */
export interface LetterOrigin {
  readonly stream: string
  /** Where it stood in that stream. */
  readonly seq: number
  /** Where it was published. */
  readonly subject: string
}

/** A dead letter as it is stored. */
export interface StoredLetter {
  /** Its place among the dead letters, which is its name. */
  readonly seq: number
  /** When it was kept: milliseconds since the epoch, by the store's clock. */
  readonly time: number
  /** Says what was wrong, as error codes do. */
  readonly code: string
  /** The same for a person. */
  readonly reason: string
  readonly origin: LetterOrigin
  /** Whom it was for, where that can be seen. */
  readonly target: Address | undefined
  /** The envelope; or, when the letter holds none, the error that says why. */
  readonly content: { readonly envelope: Envelope } | { readonly malformed: Error }
  /** The bytes as they came; none when they were too many to be kept. */
  readonly data: Uint8Array
  /** How many bytes came. */
  readonly sizeBytes: number
}

/** Which dead letters to look at: all when empty. */
export interface LetterFilter {
  readonly code?: string | undefined
  readonly id?: string | undefined
  /** Kept at or after this: milliseconds since the epoch, by the store's clock. */
  readonly since?: number | undefined
  readonly workflow?: string | undefined
}

/** The dead letters of a namespace. */
export interface DeadLetterList {
  /**
   * Those there are when it begins, oldest first.
   *
   * @throws RuntimeError `STORE_UNAVAILABLE` when something was lost on the way; the signal's reason
   */
  list(filter: LetterFilter, signal?: AbortSignal): AsyncIterable<StoredLetter>
  /**
   * The letter at that place, never stale; undefined when there is none.
   *
   * @throws RuntimeError `STORE_UNAVAILABLE`; the signal's reason
   */
  get(seq: number, signal?: AbortSignal): Promise<StoredLetter | undefined>
  /**
   * Removes the letter; answers whether it was there.
   *
   * @throws RuntimeError `STORE_UNAVAILABLE` when the outcome is unknown: remove it again
   */
  remove(seq: number, signal?: AbortSignal): Promise<boolean>
}

/** Whether the filter lets the letter through. */
export function isLetterWanted(filter: LetterFilter, letter: StoredLetter): boolean {
  const { code, id, since, workflow } = filter
  return (
    (code === undefined || letter.code === code) &&
    (id === undefined || letter.target?.id === id) &&
    (since === undefined || letter.time >= since) &&
    (workflow === undefined || letter.target?.workflow === workflow)
  )
}

/**
 * The envelope of a letter as it is sent again, under a name made from the place of the letter and its time: a stream
 * that was made anew counts from 1 again. The inbox knows the name for two minutes. After that a start is known by its
 * input, how a child ended by its invocation, and an event by its source: the letter, as one of its own. The source it
 * had is left out, as its instance may have gone past it.
 *
 * @param freshId sends it under this id instead: then it is applied however often it was before
 */
export function replayOf(letter: StoredLetter, envelope: Envelope, freshId?: string): Envelope {
  const { source: _, ...rest } = envelope
  const id = freshId ?? `dead-letter:${letter.seq}:${letter.time}`
  if (rest.type !== 'send' || freshId !== undefined) return { ...rest, id }
  return { ...rest, id, source: { name: id, position: 0 } }
}
