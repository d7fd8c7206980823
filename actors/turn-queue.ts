import type { ActivityReport } from './activity.ts'
import { isControl, type Delivery } from './envelope.ts'
import type { ActorPath } from './address.ts'
import type { EventObject } from './event.ts'

/** Something that waits for its turn. */
export type Waiting<D> =
  /** `isReplaced`: it stands for one that could not be stored. */
  | { readonly type: 'delivery'; readonly delivery: D; readonly isReplaced: boolean }
  | { readonly type: 'report'; readonly report: ActivityReport; readonly isReplaced: boolean }
  | { readonly type: 'self'; readonly path: ActorPath; readonly event: EventObject }
  | { readonly type: 'wake' }
  /** No cancel is on its way any more: see cancellation.ts. */
  | { readonly type: 'uncancelled' }

/** Whether it is a control envelope. */
export function isControlling<D extends Delivery>(item: Waiting<D> | undefined): boolean {
  return item?.type === 'delivery' && isControl(item.delivery.envelope)
}

/** What waits for its turn, in order. */
export class TurnQueue<D extends Delivery> {
  #waiting: Waiting<D>[] = []

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  add(item: Waiting<D>): void {
    this.#waiting.push(item)
  }

  /** Puts them before all others. */
  putBack(items: readonly Waiting<D>[]): void {
    this.#waiting = [...items, ...this.#waiting]
  }

  /**
   * The next one, in order. What the parts of an instance have told goes before a pause: they do not tell it again.
   *
   * @param isFull control envelopes only
   */
  take(isFull: boolean): Waiting<D> | undefined {
    const waiting = this.#waiting
    if (isFull) return this.#takeAt(waiting.findIndex(isControlling))
    const [first] = waiting
    const isPause = first?.type === 'delivery' && first.delivery.envelope.type === 'pause'
    const told = isPause ? waiting.findIndex(item => item.type !== 'delivery') : -1
    return told < 0 ? waiting.shift() : this.#takeAt(told)
  }

  /** Takes all of them. */
  takeAll(): readonly Waiting<D>[] {
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }

  /** Forgets every delivery. */
  forgetDeliveries(): void {
    this.#waiting = this.#waiting.filter(item => item.type !== 'delivery')
  }

  /** Forgets every delivery that is no control envelope. */
  giveBack(): void {
    this.#waiting = this.#waiting.filter(item => item.type !== 'delivery' || isControlling(item))
  }

  #takeAt(index: number): Waiting<D> | undefined {
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0]
  }
}
