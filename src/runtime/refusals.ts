import type { ParentLink } from '../../actors/child-workflow.ts'
import type { Envelope, GrantEnvelope, Refusal, Rejection } from '../../actors/envelope.ts'
import { isControl } from '../../actors/envelope.ts'
import { RuntimeError, type ErrorCode } from '../../actors/errors.ts'
import { poolWorkflow } from '../../actors/pool.ts'
import type { Clock, Inbox, InboxMessage } from '../../actors/ports.ts'
import { formatAddress } from '../workflow/address.ts'
import { answer } from './answer.ts'
import type { Log } from './log.ts'
import { persistently } from './persistently.ts'

/** The invocation that waits. */
type Waiting = Pick<ParentLink, 'address' | 'incarnation' | 'index' | 'path'>

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
   * that has finished, or at the wrong time to control one, is not kept: that is nobody's fault. Nor is what was sent
   * again: the first was refused, too. Permits that it was given go back.
   */
  reject(message: InboxMessage, refusal: Refusal): void {
    const { content } = message
    if (!('malformed' in content) && content.replyTo !== undefined)
      answer(message, refusal, this.#context.log)
    const { code, message: reason } = refusal
    const envelope = 'malformed' in content ? undefined : content.envelope
    const isGone = code === 'INSTANCE_FINISHED' || code === 'INSTANCE_NOT_FOUND'
    const isControlling = envelope !== undefined && isControl(envelope)
    const isRepeated = !('malformed' in content) && content.repeats !== undefined
    if (envelope?.type === 'grant' && isGone) this.#giveBack(message, envelope)
    else if (isRepeated || code === 'INSTANCE_FINISHED' || (isControlling && untimely.has(code)))
      message.ack()
    else this.bury(message, code, reason)
  }

  /** Answers that the envelope was not applied. It is not kept: who waits for the answer may send it again. */
  decline(message: InboxMessage, refusal: Refusal): void {
    answer(message, refusal, this.#context.log)
    message.ack()
  }

  /** Keeps it among the dead letters. */
  bury(message: InboxMessage, code: ErrorCode, reason: string): void {
    const { seq } = message.content
    const { clock, isClosed, log } = this.#context
    log.warn({ code, reason, seq }, 'an envelope was not applied: kept among the dead letters')
    this.#settle(message, async () => {
      const { content } = message
      const failed =
        'malformed' in content ? undefined : failureOf(content.envelope, code, reason, clock.now())
      if (failed !== undefined) await this.#tell(failed)
      const notKept = (error: unknown) => log.error({ err: error, seq }, 'a dead letter could not be kept')
      // What cannot be kept now is not acknowledged: it comes again, and this is tried again.
      await persistently(() => message.deadLetter(code, reason), clock, isClosed, notKept)
    })
  }

  /** Permits for one that does not want them any more: see pool.ts. */
  #giveBack(message: InboxMessage, { id, target, pool, path, incarnation }: GrantEnvelope): void {
    const { clock, isClosed } = this.#context
    this.#settle(message, async () => {
      const isTold = await this.#tell({
        type: 'release',
        id: `${id}.refused`,
        target: { workflow: poolWorkflow, id: pool },
        time: clock.now(),
        holder: { address: target, path, incarnation },
      })
      // Otherwise it comes again.
      if (isTold && !isClosed()) message.ack()
    })
  }

  /** @param settle never rejects */
  #settle(message: InboxMessage, settle: () => Promise<void>): void {
    const { seq } = message.content
    this.#underway.set(seq, message)
    this.#context.track(settle().then(() => void this.#underway.delete(seq)))
  }

  /** Never rejects. False when that never can succeed. */
  async #tell(envelope: Envelope): Promise<boolean> {
    const { clock, inbox, isClosed, log } = this.#context
    const told = formatAddress(envelope.target)
    const failed = (error: unknown) =>
      log.warn({ err: error, told }, 'an instance could not be told that an envelope was not applied')
    return (await persistently(() => inbox.publish(envelope), clock, isClosed, failed)) === undefined
  }
}

/** What those must hear that wait for something to come of an envelope: for a child, or for a pool. */
function failureOf(envelope: Envelope, code: ErrorCode, reason: string, time: number): Envelope | undefined {
  const { id, target } = envelope
  const name = formatAddress(target)
  const fail = ({ address, path, incarnation, index }: Waiting, message: string): Envelope => {
    const outcome = { status: 'error', error: new RuntimeError(code, message) } as const
    return { type: 'settle', id: `${id}.refused`, target: address, time, path, incarnation, index, outcome }
  }
  if (envelope.type === 'acquire') return fail(envelope.holder, `pool ${name} could not be asked: ${reason}`)
  if (envelope.type !== 'start' || envelope.parent === undefined) return undefined
  return fail(envelope.parent, `child ${name} could not start: ${reason}`)
}
