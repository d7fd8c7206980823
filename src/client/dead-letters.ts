import type { Address } from '../../actors/address.ts'
import {
  replayOf,
  type DeadLetterList,
  type LetterFilter,
  type LetterOrigin,
  type StoredLetter,
} from '../../actors/dead-letter.ts'
import type { Envelope } from '../../actors/envelope.ts'
import { RuntimeError } from '../../actors/errors.ts'
import type { Inbox } from '../../actors/ports.ts'
import { onAbort } from '../nats/wait.ts'
import { formatAddress } from '../workflow/address.ts'
import type { Workflow } from '../workflow/define-workflow.ts'

export interface DeadLettersContext {
  readonly inbox: Pick<Inbox, 'publish'>
  readonly list: DeadLetterList
  readonly nextId: () => string
}

/** An envelope, or a message for a trigger, that could not be delivered or applied. */
export interface DeadLetter {
  /** Its place among the dead letters, which is its name. */
  readonly seq: number
  /** When it was kept, by the clock of NATS. */
  readonly time: Date
  /** Says what was wrong, as error codes do. */
  readonly code: string
  /** The same for a person. */
  readonly reason: string
  /** Where it was before: the inbox, or the stream of a trigger. */
  readonly origin: LetterOrigin
  /** Whom it was for, where that can be seen. */
  readonly target: Address | undefined
  /** What was sent: its type, its event or input, and its cause. Undefined when the letter cannot be replayed. */
  readonly envelope: Envelope | undefined
  /** Why it cannot be replayed. */
  readonly problem: string | undefined
  /** The bytes as they came; none when they were too many to be kept. */
  readonly data: Uint8Array
  /** How many bytes came. */
  readonly sizeBytes: number
}

/** Which dead letters: all that have everything that is given. */
export interface DeadLetterFilter {
  readonly code?: string
  /** Of the instance it was for. */
  readonly id?: string
  /** Kept at or after this moment, by the clock of NATS. */
  readonly since?: Date
  readonly workflow?: Workflow | string
}

export interface ReplayOptions {
  /**
   * Applies it even if it was replayed before and the letter was not removed, because whoever did so crashed. Default:
   * that changes nothing.
   */
  readonly again?: boolean
  readonly signal?: AbortSignal
}

/** Letters being replayed or discarded at the same time. */
const windowSize = 64

/** Looks at what could not be delivered or applied, sends it again or throws it away. */
export class DeadLetters {
  readonly #context: DeadLettersContext

  constructor(context: DeadLettersContext) {
    this.#context = context
  }

  /**
   * Those there are when it begins, oldest first. A reader that takes more than half a minute for a hundred of them has
   * to begin again.
   *
   * @throws RuntimeError `STORE_UNAVAILABLE`: begin again; the signal's reason
   */
  async *list(
    filter: DeadLetterFilter = {},
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<DeadLetter, void, undefined> {
    const letters = this.#context.list.list(toLetterFilter(filter), options.signal)
    for await (const letter of letters) yield toDeadLetter(letter)
  }

  /**
   * One of them; undefined when there is none at that place.
   *
   * @throws RuntimeError `OPTIONS_INVALID`, `STORE_UNAVAILABLE`; the signal's reason
   */
  async get(seq: number, options: { readonly signal?: AbortSignal } = {}): Promise<DeadLetter | undefined> {
    const letter = await this.#context.list.get(checkSeq(seq), options.signal)
    return letter && toDeadLetter(letter)
  }

  /**
   * Sends it again to the instance it was for, then removes it. However often a letter is replayed, it is applied once.
   * What the instance was sent meanwhile has come before it. If it is refused again, it is a new dead letter.
   *
   * @throws RuntimeError `DEAD_LETTER_NOT_FOUND`: it was replayed or discarded before; `ENVELOPE_MALFORMED` or
   * `PAYLOAD_TOO_LARGE` when it holds no envelope to send; `STORE_UNAVAILABLE` when the outcome is unknown: replay it
   * again; `OPTIONS_INVALID`; the signal's reason, and the outcome is unknown, too
   */
  async replay(seq: number, options: ReplayOptions = {}): Promise<void> {
    const { again = false, signal } = options
    const letter = await this.#context.list.get(checkSeq(seq), signal)
    if (letter === undefined) throw notFound(seq)
    await this.#replay(letter, signal, again)
  }

  /**
   * Removes it for good.
   *
   * @throws RuntimeError `DEAD_LETTER_NOT_FOUND`, `OPTIONS_INVALID`; `STORE_UNAVAILABLE` when the outcome is unknown
   */
  async discard(seq: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (!(await this.#context.list.remove(checkSeq(seq), options.signal))) throw notFound(seq)
  }

  /**
   * Replays those there are when it begins, several at a time; those for the same instance one after the other, oldest
   * first. What cannot be replayed is left. When it ends with an error, some have been replayed: begin again.
   *
   * @throws as {@link replay}
   */
  async replayAll(
    filter: DeadLetterFilter = {},
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly replayed: number; readonly left: number }> {
    let [replayed, left] = [0, 0]
    /** By address, the last one on its way there. */
    const underWay = new Map<string, Promise<void>>()
    await this.#each(filter, options.signal, (letter, signal) => {
      if ('malformed' in letter.content) {
        left++
        return undefined
      }
      const key = formatAddress(letter.content.envelope.target)
      const before = underWay.get(key) ?? Promise.resolve()
      const replaying = before.then(async () => {
        await this.#replay(letter, signal)
        replayed++
        if (underWay.get(key) === replaying) underWay.delete(key)
      })
      underWay.set(key, replaying)
      return replaying
    })
    return { replayed, left }
  }

  /**
   * Removes those there are when it begins for good. When it ends with an error, some have been removed.
   *
   * @throws as {@link discard}
   */
  async discardAll(
    filter: DeadLetterFilter = {},
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly discarded: number }> {
    let discarded = 0
    await this.#each(filter, options.signal, async ({ seq }, signal) => {
      if (await this.#context.list.remove(seq, signal)) discarded++
    })
    return { discarded }
  }

  async #replay(letter: StoredLetter, signal: AbortSignal | undefined, again = false): Promise<void> {
    const { content, seq } = letter
    if ('malformed' in content) throw notReplayable(seq, content.malformed)
    const { inbox, list, nextId } = this.#context
    const envelope = replayOf(letter, content.envelope, again ? nextId() : undefined)
    await inbox.publish(envelope, signal === undefined ? {} : { signal })
    await list.remove(seq, signal)
  }

  /** Does something with many letters, so many at a time. The first error aborts the rest. */
  async #each(
    filter: DeadLetterFilter,
    signal: AbortSignal | undefined,
    work: (letter: StoredLetter, signal: AbortSignal) => Promise<void> | undefined,
  ): Promise<void> {
    const ending = new AbortController()
    const over = ending.signal
    // Of AbortSignal.any something would be left in a signal that lasts (Node 20).
    const stop = onAbort(signal, () => ending.abort(signal!.reason))
    const working = new Set<Promise<void>>()
    try {
      for await (const letter of this.#context.list.list(toLetterFilter(filter), over)) {
        const tracked = work(letter, over)?.then(
          () => void working.delete(tracked!),
          (error: unknown) => ending.abort(error),
        )
        if (tracked !== undefined) working.add(tracked)
        if (working.size >= windowSize) await Promise.race(working)
        over.throwIfAborted()
      }
    } catch (error) {
      ending.abort(error)
    }
    await Promise.all(working)
    stop()
    over.throwIfAborted()
  }
}

function toLetterFilter({ since, workflow, ...rest }: DeadLetterFilter): LetterFilter {
  return {
    ...rest,
    since: since?.getTime(),
    workflow: typeof workflow === 'object' ? workflow.name : workflow,
  }
}

function toDeadLetter({ content, time, ...rest }: StoredLetter): DeadLetter {
  const malformed = 'malformed' in content ? content.malformed.message : undefined
  const envelope = 'malformed' in content ? undefined : content.envelope
  return { ...rest, time: new Date(time), envelope, problem: malformed }
}

function checkSeq(seq: number): number {
  if (Number.isSafeInteger(seq) && seq >= 1) return seq
  throw new RuntimeError('OPTIONS_INVALID', `seq: must be a whole number from 1, not ${seq}`, {
    fields: { field: 'seq', value: seq },
  })
}

function notFound(seq: number): RuntimeError {
  const message = `there is no dead letter ${seq}: it was replayed or discarded, or is too old`
  return new RuntimeError('DEAD_LETTER_NOT_FOUND', message, { fields: { seq } })
}

function notReplayable(seq: number, malformed: Error): RuntimeError {
  const isKept = !(malformed instanceof RuntimeError && malformed.code === 'PAYLOAD_TOO_LARGE')
  return new RuntimeError(
    isKept ? 'ENVELOPE_MALFORMED' : 'PAYLOAD_TOO_LARGE',
    `dead letter ${seq} cannot be replayed: ${malformed.message}`,
    { cause: malformed, fields: { seq } },
  )
}
