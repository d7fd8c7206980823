import type { CancelManner } from './cancellation.ts'
import { childIdOf, mostDepth, type ChildSpec, type ParentLink } from './child-workflow.ts'
import { RuntimeError } from './errors.ts'
import type { Outbox } from './outbox.ts'
import type { Address } from './address.ts'
import type { PersistedSnapshot } from './snapshot.ts'
import type { ActivityChild, ActivityRecord } from './record.ts'

type Invocation = Pick<ActivityRecord, 'incarnation' | 'path'>

interface Child {
  readonly address: Address
  readonly parent: ParentLink
}

/** The parent and the children of an instance, as far as it has to tell them something. */
export class Family {
  /** Of the instance. */
  readonly address: Address
  readonly #parent: ParentLink | undefined
  readonly #outbox: Outbox
  /** How children are cancelled from here on. */
  manner: CancelManner = {}

  constructor(address: Address, parent: ParentLink | undefined, outbox: Outbox) {
    this.address = address
    this.#parent = parent
    this.#outbox = outbox
  }

  /** Whether it does not stand too deep to have children. */
  get mayGrow(): boolean {
    return this.#depth < mostDepth
  }

  /** Starts a child that does the work of an activity. The record only waits for the outcome, so it keeps no input. */
  start(activity: ActivityRecord, spec: ChildSpec): ActivityRecord {
    const { address, parent } = this.child(spec.workflow, activity)
    this.#outbox.post(address, { type: 'start', input: activity.input, parent })
    return { ...activity, input: undefined, child: { address, isDetached: spec.isDetached } }
  }

  /** The child is no longer wanted. */
  stop({ address, isDetached }: ActivityChild): void {
    if (!this.#outbox.withdrawStart(address) && !isDetached) this.cancel(address)
  }

  /** Ends a child that may have started. */
  cancel(child: Address): void {
    const { workflow, id } = this.address
    const reason = `its parent ${workflow}/${id} no longer wants it`
    this.#outbox.post(child, { type: 'cancel', reason, ...this.manner })
  }

  /** Where the child of an invocation lives, or that child of a bulk, and what it knows of its parent. */
  child(workflow: string, { path, incarnation }: Invocation, index?: number): Child {
    const address = { workflow, id: childIdOf(this.address, incarnation, index) }
    const parent = { address: this.address, path, incarnation, depth: this.#depth + 1 }
    return { address, parent: index === undefined ? parent : { index, ...parent } }
  }

  /** Tells the parent how this instance has ended. */
  settle({ status, output, error }: Pick<PersistedSnapshot, 'status' | 'output' | 'error'>): void {
    if (this.#parent === undefined) return
    const { address, path, incarnation, index } = this.#parent
    const which = { path, incarnation, ...(index !== undefined && { index }) }
    if (status === 'done') {
      this.#outbox.post(address, { type: 'settle', ...which, outcome: { status, output } })
    } else if (status === 'error') {
      this.#outbox.post(address, { type: 'settle', ...which, outcome: { status, error } })
    }
  }

  /** Tells the parent that somebody else has cancelled this instance. */
  settleCancelled(reason: string): void {
    const child = `${this.address.workflow}/${this.address.id}`
    const message = `child ${child} was cancelled${reason === '' ? '' : `: ${reason}`}`
    this.settle({
      status: 'error',
      error: new RuntimeError('CHILD_CANCELLED', message, { fields: { child, reason } }),
    })
  }

  /** How many parents stand above this instance. */
  get #depth(): number {
    return this.#parent?.depth ?? 0
  }
}
