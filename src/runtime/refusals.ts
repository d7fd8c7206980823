import type { Refusal, Rejection } from '../../actors/envelope.ts'
import { isControl } from '../../actors/envelope.ts'
import { RuntimeError, type ErrorCode } from '../../actors/errors.ts'
import type { Clock, Inbox, InboxMessage } from '../../actors/ports.ts'
import { encodeValue } from '../codec/msgpack.ts'
import { formatAddress } from '../workflow/address.ts'
import type { Log } from './log.ts'
import { persistently } from './persistently.ts'

export interface RefusalsContext {
  readonly clock: Clock
  readonly inbox: Inbox
  readonly log: Log
  /** Nothing more may be settled. */
  readonly isClosed: () => boolean
  /** Work that goes on and never rejects. */
  readonly track: (work: Promise<void>) => void
}

/** Why a control envelope is refused whose time is over, or has not come. */
const untimely: ReadonlySet<Rejection> = new Set([
  'EDIT_INVALID',
  'INSTANCE_NOT_BEGUN',
  'INSTANCE_NOT_FOUND',
  'INSTANCE_NOT_SUSPENDED',
  'INSTANCE_SUSPENDED',
  'REVISION_CONFLICT',
])

/** What no instance of a partition can take: answers whoever waits, and keeps it among the dead letters. */
export class Refusals {
  readonly #context: RefusalsContext
  /** By their place in the inbox. */
  readonly #underway = new Map<number, InboxMessage>()

  constructor(context: RefusalsContext) {
    this.#context = context
  }

  /** Whether it is being dealt with: the inbox may tell of it again. */
  has(message: InboxMessage): boolean {
    return this.#underway.get(message.content.seq) === message
  }

  /** Whether it, or another copy of it, is being dealt with. */
  hasCopyOf(message: InboxMessage): boolean {
    return this.#underway.has(message.content.seq)
  }

  /**
   * Answers that the envelope was not applied, and keeps it among the dead letters. What comes too late for an instance
   * that has finished, or at the wrong time to control one, is not kept: that is nobody's fault.
   */
  reject(message: InboxMessage, refusal: Refusal): void {
    const { content } = message
    if (!('malformed' in content) && content.replyTo !== undefined) message.reply(encodeValue(refusal))
    const { code, message: reason } = refusal
    const isControlling = !('malformed' in content) && isControl(content.envelope)
    if (code === 'INSTANCE_FINISHED' || (isControlling && untimely.has(code))) message.ack()
    else this.bury(message, code, reason)
  }

  /** Keeps it among the dead letters. */
  bury(message: InboxMessage, code: ErrorCode, reason: string): void {
    const { seq } = message.content
    const { clock, isClosed, log, track } = this.#context
    log.warn({ code, reason, seq }, 'an envelope was not applied: kept among the dead letters')
    this.#underway.set(seq, message)
    const keep = async () => {
      await this.#tellParent(message, code, reason)
      const failed = (error: unknown) => log.error({ err: error, seq }, 'a dead letter could not be kept')
      // What cannot be kept now is not acknowledged: it comes again, and this is tried again.
      await persistently(() => message.deadLetter(code, reason), clock, isClosed, failed)
      this.#underway.delete(seq)
    }
    track(keep())
  }

  /** A child that does not start has failed: whoever waits for it must hear so. */
  async #tellParent({ content }: InboxMessage, code: ErrorCode, reason: string): Promise<void> {
    if ('malformed' in content || content.envelope.type !== 'start') return
    const { id, parent, target } = content.envelope
    if (parent === undefined) return
    const { address, path, incarnation, index } = parent
    const error = new RuntimeError(code, `child ${formatAddress(target)} could not start: ${reason}`)
    const { clock, inbox, isClosed, log } = this.#context
    const time = clock.now()
    const outcome = { status: 'error', error } as const
    const envelope = {
      type: 'settle',
      id: `${id}.refused`,
      target: address,
      time,
      path,
      incarnation,
      index,
      outcome,
    } as const
    await persistently(
      () => inbox.publish(envelope),
      clock,
      isClosed,
      failure => {
        log.warn(
          { err: failure, parent: formatAddress(address) },
          'a parent could not be told that its child failed',
        )
      },
    )
  }
}
