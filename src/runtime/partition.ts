/**
 * One partition of the instances, for as long as this node holds its lease.
 *
 * Envelopes arrive in the order of the inbox and are never handed back: an instance therefore never sees a
 * later envelope before an earlier one, which is what makes its cursor sound. Failure cases:
 *
 * - an envelope cannot be understood or is for nobody: it is kept among the dead letters, then acknowledged;
 * - an instance cannot go on and leaves envelopes unsettled: the whole partition must be opened anew, so that
 *   they come again before anything later does;
 * - the lease is lost: everything is forgotten, nothing acknowledged.
 */
import type { Outcome, Refusal } from '../../actors/envelope.ts'
import { isRuntimeError, RuntimeError, type ErrorCode } from '../../actors/errors.ts'
import type { PreparedWorkflow } from '../../actors/machine.ts'
import type { InboxListener, InboxMessage, ScannedRecord } from '../../actors/ports.ts'
import type { Address } from '../../actors/record.ts'
import { encodeValue } from '../codec/msgpack.ts'
import { formatAddress } from '../workflow/address.ts'
import { Hosting, type HostingContext, type Received } from './hosting.ts'
import { checkDelivery } from './check-delivery.ts'
import type { HostedWorkflow } from './hosted-workflow.ts'
import { persistently } from './persistently.ts'

export interface PartitionContext extends Omit<HostingContext, 'settled' | 'ended'> {
  readonly number: number
  /** By name. */
  readonly workflows: ReadonlyMap<string, HostedWorkflow>
  /** The partition cannot go on as it is: it must be given up and opened anew. */
  failed(error: Error): void
}

export class Partition implements InboxListener {
  readonly #context: PartitionContext
  readonly #hostingContext: HostingContext
  readonly #hostings = new Map<string, Hosting>()
  /** Sequences of the envelopes being worked on, with the instance each is for. */
  readonly #underway = new Map<number, string>()
  readonly #background = new Set<Promise<void>>()
  /** Takes nothing more. */
  #isEnding = false
  /** Settles nothing more either. */
  #isClosed = false
  #onEnded: (() => void) | undefined

  constructor(context: PartitionContext) {
    this.#context = context
    this.#hostingContext = {
      ...context,
      settled: (delivery, outcome) => this.#settled(delivery, outcome),
      ended: (hosting, error) => this.#ended(hosting, error),
    }
  }

  /** How many instances are in memory. */
  get resident(): number {
    return this.#hostings.size
  }

  message(message: InboxMessage): void {
    if (this.#isEnding) return
    const { content } = message
    if ('malformed' in content) {
      this.#bury(message, 'ENVELOPE_MALFORMED', content.malformed.message)
      return
    }
    const { target } = content.envelope
    this.#underway.set(content.seq, formatAddress(target))
    const workflow = this.#context.workflows.get(target.workflow)
    if (workflow === undefined) {
      const reason = `no workflow '${target.workflow}' on this node: it has ${this.#workflowNames()}`
      this.#reject(message, { type: 'rejected', code: 'WORKFLOW_UNKNOWN', message: reason })
      return
    }
    const checked = checkDelivery(workflow, content)
    if (checked.type === 'rejected') this.#reject(message, checked)
    else this.#host(target, workflow.prepared).instance.deliver({ ...checked.delivery, message })
  }

  /** The inbox has ended this term: another owner has begun, or the consumer is gone. */
  ended(error: Error): void {
    if (!this.#isEnding) this.#context.failed(error)
  }

  /** Wakes an instance whose moment has come. */
  wake(address: Address): void {
    const workflow = this.#context.workflows.get(address.workflow)
    if (workflow !== undefined && !this.#isEnding) this.#host(address, workflow.prepared).instance.wake()
  }

  /**
   * Takes up what a record of this partition owes, found when the partition was taken over.
   *
   * @returns settles, never rejects, once its record has been read, if it had to be
   */
  async recover(scanned: ScannedRecord): Promise<void> {
    if (this.#isEnding) return
    const { address, summary } = scanned
    const workflow = this.#context.workflows.get(address.workflow)
    if (workflow === undefined) return
    if (summary.owes > 0) await this.#host(address, workflow.prepared).loading
    else if (!this.#hostings.has(formatAddress(address))) this.#context.wakeAt(address, summary.dueAt)
  }

  /** Lets go of instances that have rested since before that monotonic moment. */
  passivate(restedBefore: number): void {
    for (const hosting of this.#hostings.values()) {
      if (hosting.restedAt < restedBefore) hosting.instance.passivate()
    }
  }

  /**
   * Finishes the turns under way, then forgets everything: what waits is for the next owner, who has it sooner than it
   * would be done here. The caller has closed the inbox before.
   *
   * @param signal gives up waiting: what is under way is left for the next owner
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#isEnding = true
    for (const hosting of this.#hostings.values()) hosting.instance.finish()
    while (this.#hostings.size > 0 && !signal.aborted) await this.#nextEnd(signal)
    await Promise.race([Promise.allSettled(this.#background), aborted(signal)])
    this.abandon()
  }

  /** Forgets everything at once. Nothing more is acknowledged. */
  abandon(): void {
    this.#isEnding = true
    this.#isClosed = true
    for (const hosting of this.#hostings.values()) hosting.instance.abandon()
    this.#hostings.clear()
    this.#underway.clear()
  }

  #host(address: Address, workflow: PreparedWorkflow): Hosting {
    const key = formatAddress(address)
    let hosting = this.#hostings.get(key)
    if (hosting === undefined) {
      hosting = new Hosting(address, workflow, this.#hostingContext)
      this.#hostings.set(key, hosting)
    }
    return hosting
  }

  #settled(delivery: Received, outcome: Outcome): void {
    if (this.#isClosed) return
    const { message } = delivery
    if (outcome.type === 'rejected') {
      this.#reject(message, outcome)
      return
    }
    message.ack()
    this.#underway.delete(delivery.seq)
    if (delivery.replyTo !== undefined) message.reply(encodeValue(outcome))
  }

  /**
   * Answers that the envelope was not applied, and keeps it among the dead letters. What comes too late for an instance
   * that has finished, or too early to stop one, is not kept: that is nobody's fault.
   */
  #reject(message: InboxMessage, refusal: Refusal): void {
    const { content } = message
    if (!('malformed' in content) && content.replyTo !== undefined) message.reply(encodeValue(refusal))
    const { code, message: reason } = refusal
    const isNeedless = code === 'INSTANCE_NOT_FOUND' && isCancel(content)
    if (code === 'INSTANCE_FINISHED' || isNeedless) {
      message.ack()
      this.#underway.delete(content.seq)
    } else {
      this.#bury(message, code, reason)
    }
  }

  /** A child that does not start has failed: whoever waits for it must hear so. */
  async #tellParent({ content }: InboxMessage, code: ErrorCode, reason: string): Promise<void> {
    if ('malformed' in content || content.envelope.type !== 'start') return
    const { id, parent, target } = content.envelope
    if (parent === undefined) return
    const { address, path, incarnation, index } = parent
    const error = new RuntimeError(code, `child ${formatAddress(target)} could not start: ${reason}`)
    const { clock, inbox, log } = this.#context
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
    const isOver = () => this.#isClosed
    await persistently(
      () => inbox.publish(envelope),
      clock,
      isOver,
      failure => {
        log.warn(
          { err: failure, parent: formatAddress(address) },
          'a parent could not be told that its child failed',
        )
      },
    )
  }

  #bury(message: InboxMessage, code: ErrorCode, reason: string): void {
    const { seq } = message.content
    const { log } = this.#context
    // From here on it is no instance's business any more.
    this.#underway.set(seq, '')
    log.warn({ code, reason, seq }, 'an envelope was not applied: kept among the dead letters')
    const buried = this.#tellParent(message, code, reason)
      .then(() => (this.#isClosed ? undefined : message.deadLetter(code, reason)))
      .catch((error: unknown) => {
        // It was not acknowledged: the inbox delivers it again, and this is tried again.
        log.error({ err: error, seq }, 'a dead letter could not be kept')
      })
    const tracked = buried.then(() => {
      this.#underway.delete(seq)
      this.#background.delete(tracked)
    })
    this.#background.add(tracked)
  }

  #ended(hosting: Hosting, error: Error | undefined): void {
    const key = formatAddress(hosting.address)
    if (this.#hostings.get(key) === hosting) this.#hostings.delete(key)
    this.#onEnded?.()
    // Without the partition none can, which is known.
    if (this.#isClosed || error === undefined || this.#context.tenure.isOver) return
    this.#context.log.error({ err: error, instance: key }, 'an instance cannot go on')
    // What it has not settled comes again, and what it owes is found again, once the partition is opened anew.
    const hasUnsettled = [...this.#underway.values()].includes(key)
    if (hasUnsettled || isRuntimeError(error, 'REVISION_CONFLICT')) this.#context.failed(error)
  }

  #nextEnd(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        this.#onEnded = undefined
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#onEnded = done
      signal.addEventListener('abort', done)
    })
  }

  #workflowNames(): string {
    return [...this.#context.workflows.keys()].join(', ')
  }
}

function isCancel(content: InboxMessage['content']): boolean {
  return !('malformed' in content) && content.envelope.type === 'cancel'
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
