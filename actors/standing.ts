import { cancellationBy, statusUnderCancellation, type Cancellation } from './cancellation.ts'
import type { ParentLink } from './child-workflow.ts'
import type { CancelEnvelope } from './envelope.ts'
import type { Incident } from './incident.ts'
import type { InstanceRecord, InstanceStatus } from './record.ts'

/** What the status of the root actor makes of the instance. */
const statuses = { active: 'running', done: 'done', error: 'failed', stopped: 'cancelled' } as const

/** Status of the root actor. */
export type RootStatus = keyof typeof statuses

/** What a record says of it. */
type Stored = Pick<InstanceRecord, 'status' | 'stopReason' | 'incident' | 'cancellation'>

/**
 * Whether an instance goes on, and why not: it may be paused, suspended by an incident, on its way to be cancelled, or
 * held with all others of its workflow. All but the last is stored with it.
 */
export class Standing {
  /** Whether nothing of it runs for a reason that is not its own: its record says nothing of it. */
  isHeld = false
  /** Undefined unless it is paused. */
  #pause: { readonly reason: string | undefined } | undefined
  /** Undefined unless it is suspended. */
  #incident: Incident | undefined
  #cancellation: Cancellation | undefined

  constructor(stored?: Stored) {
    if (stored?.status === 'paused') this.#pause = { reason: stored.stopReason }
    this.#incident = stored?.incident
    this.#cancellation = stored?.cancellation
  }

  /** Whether it takes only control envelopes, and nothing of it runs, until it goes on. */
  get isStopped(): boolean {
    return this.#pause !== undefined || this.#incident !== undefined
  }

  /** Why it is paused, if it is and somebody has said so. */
  get stopReason(): string | undefined {
    return this.#pause?.reason
  }

  get incident(): Incident | undefined {
    return this.#incident
  }

  get cancellation(): Cancellation | undefined {
    return this.#cancellation
  }

  statusOf(root: RootStatus): InstanceStatus {
    if (this.#incident !== undefined) return 'suspended'
    if (this.#pause !== undefined) return 'paused'
    const status = statuses[root]
    return this.#cancellation === undefined ? status : statusUnderCancellation(status)
  }

  /** Whether nothing of it runs. What has finished is not halted: it still does what it owes. */
  isHalted(root: RootStatus): boolean {
    return this.isStopped || (this.isHeld && root === 'active')
  }

  /** When it must have come to an end by itself; Infinity when nobody wants that. */
  deadline(root: RootStatus): number {
    const isUnderWay = this.#cancellation !== undefined && root === 'active'
    return isUnderWay ? this.#cancellation!.deadline : Number.POSITIVE_INFINITY
  }

  pause(reason: string | undefined): void {
    this.#pause = { reason }
  }

  suspend(incident: Incident): void {
    this.#pause = undefined
    this.#incident = incident
  }

  /** It goes on after a pause, or after an incident, which it answers. */
  goOn(): Incident | undefined {
    const incident = this.#incident
    this.#pause = undefined
    this.#incident = undefined
    return incident
  }

  /** Somebody wants it cancelled. Answers whether that is news. */
  cancel(envelope: CancelEnvelope, now: number, parent: ParentLink | undefined): boolean {
    const before = this.#cancellation
    this.#cancellation = cancellationBy(envelope, now, parent, before)
    return before?.deadline !== this.#cancellation.deadline
  }
}
