import type { ActivityReport } from './activity.ts'
import type { Delivery } from './envelope.ts'
import type { InstanceHost, Verdict } from './instance-host.ts'
import { plainError } from './plain-error.ts'
import type { EventObject } from './event.ts'
import type { PersistedSnapshot } from './snapshot.ts'
import { unfailed, type Waiting } from './turn-queue.ts'

/** What a turn decided about a delivery, before the commit that makes it true. */
export type Decision =
  | { readonly type: Exclude<Verdict['type'], 'rejected'> }
  | Extract<Verdict, { readonly type: 'rejected' }>

const unwanted: PersistedSnapshot = Object.freeze({ status: 'active' })

/** What an instance has taken since its last commit, and what was decided about it. */
export class Turn<D extends Delivery> {
  readonly taken: Waiting<D>[] = []
  readonly #times: number[] = []
  readonly #decisions: (readonly [D, Decision])[] = []
  #applied = 0
  #event: EventObject | undefined

  /** How much of it has changed anything. */
  get applied(): number {
    return this.#applied
  }

  /** The last event that did. */
  get event(): EventObject | undefined {
    return this.#event
  }

  /** What it has taken, to be taken again. */
  get again(): readonly Waiting<D>[] {
    return this.taken.map((item, index) => ({ ...item, at: this.#times[index]! }))
  }

  /** The same, to be taken on another record: there, what has thrown may not throw. */
  get anew(): readonly Waiting<D>[] {
    return this.taken.map((item, index) => ({ ...unfailed(item), at: this.#times[index]! }))
  }

  /** @param now when it was taken */
  add(item: Waiting<D>, decision: Decision, now: number): void {
    this.taken.push(item)
    this.#times.push(now)
    const own = unfailed(item)
    if (own.type === 'delivery') this.#decisions.push([own.delivery, decision])
    if (decision.type !== 'accepted' && decision.type !== 'suspended') return
    this.#applied++
    if (item.type !== 'delivery') return
    const { envelope } = item.delivery
    if (envelope.type === 'send') this.#event = envelope.event
  }

  /**
   * Tells every sender what became of its envelope.
   *
   * @param snapshot is asked for when a sender waits for it
   */
  settle(host: InstanceHost<D>, revision: number, snapshot: () => PersistedSnapshot): void {
    if (this.#decisions.length === 0) return
    const isAnswerWanted = this.#decisions.some(([delivery]) => delivery.replyTo !== undefined)
    const shown = isAnswerWanted ? snapshot() : unwanted
    for (const [delivery, decision] of this.#decisions) {
      const { type } = decision
      host.settle(delivery, type === 'rejected' ? decision : { type, revision, snapshot: shown })
    }
  }
}

/**
 * What is taken instead of something that cannot be kept, when an activity or a child has told it: that has failed, with
 * an error that can be kept. Undefined when there is nothing to be taken instead.
 */
export function replacing<D extends Delivery>(item: Waiting<D>, refusal: Error): Waiting<D> | undefined {
  if (item.type === 'report' && !item.isReplaced) {
    return { type: 'report', report: failureInsteadOf(item.report, refusal), isReplaced: true }
  }
  if (item.type !== 'delivery' || item.isReplaced) return undefined
  const original = item.delivery.envelope
  if (original.type !== 'settle' && original.type !== 'grant') return undefined
  const outcome = { status: 'error', error: refusal } as const
  const envelope = { ...original, type: 'settle', details: undefined, outcome } as const
  return { type: 'delivery', delivery: { ...item.delivery, envelope }, isReplaced: true }
}

function failureInsteadOf(report: ActivityReport, refusal: Error): ActivityReport {
  const { path, incarnation } = report
  if (report.type === 'heartbeat') {
    return { type: 'cut', path, incarnation, attempt: report.attempt, error: refusal }
  }
  if (report.type !== 'settled') {
    return { type: 'settled', path, incarnation, outcome: { status: 'error', error: refusal } }
  }
  const error = report.outcome.status === 'error' ? plainError(report.outcome.error) : refusal
  return { ...report, outcome: { status: 'error', error } }
}
