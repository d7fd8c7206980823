import type { ActivityReport } from './activity.ts'
import { isControl, type Delivery } from './envelope.ts'
import type { ActorPath } from './address.ts'
import type { EventObject } from './event.ts'
import type { Incident } from './incident.ts'

/** Something that waits for its turn. */
export type Waiting<D> =
  /** `isReplaced`: it stands for one that could not be stored. */
  | { readonly type: 'delivery'; readonly delivery: D; readonly isReplaced: boolean }
  | { readonly type: 'report'; readonly report: ActivityReport; readonly isReplaced: boolean }
  | { readonly type: 'self'; readonly path: ActorPath; readonly event: EventObject }
  | { readonly type: 'wake' }
  /** No cancel is on its way any more: see cancellation.ts. */
  | { readonly type: 'uncancelled' }
  /** What ran when the record was stored is to run again. `isCounted`: because its process has ended. */
  | { readonly type: 'restart'; readonly isCounted: boolean }
  /** Stands for one whose step has thrown. */
  | { readonly type: 'failed'; readonly item: Unfailed<D>; readonly incident: Incident }

export type Unfailed<D> = Exclude<Waiting<D>, { readonly type: 'failed' }>

/** Whether it is a control envelope. */
export function isControlling<D extends Delivery>(item: Waiting<D> | undefined): boolean {
  const own = item?.type === 'failed' ? item.item : item
  return own?.type === 'delivery' && isControl(own.delivery.envelope)
}

/** What it stands for. */
export function unfailed<D>(item: Waiting<D>): Unfailed<D> {
  return item.type === 'failed' ? item.item : item
}

/** What waits for its turn, in order. */
export class TurnQueue<D extends Delivery> {
  #waiting: Waiting<D>[] = []

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** Whether something that waits has thrown. */
  get isFailing(): boolean {
    return this.#waiting.some(({ type }) => type === 'failed')
  }

  add(item: Waiting<D>): void {
    this.#waiting.push(item)
  }

  /**
   * Adds the restart of what a stored record says is running. It goes first, so that it shares its commit with whatever
   * waits; but after what activities have told, so that none that has ended is run again.
   */
  addRestart(isCounted: boolean): void {
    const told = this.#waiting.findLastIndex(item => unfailed(item).type === 'report')
    this.#waiting.splice(told + 1, 0, { type: 'restart', isCounted })
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
    const told = isPause ? waiting.findIndex(isTold) : -1
    return told < 0 ? waiting.shift() : this.#takeAt(told)
  }

  /** Takes all of them. */
  takeAll(): readonly Waiting<D>[] {
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }

  /** Forgets whatever the next owner finds again. What threw after one must be tried without it. */
  forgetDeliveries(): void {
    this.#waiting = this.#waiting.map(unfailed).filter(isTold)
  }

  /** Forgets every delivery that is no control envelope. */
  giveBack(): void {
    this.#waiting = this.#waiting.filter(item => unfailed(item).type !== 'delivery' || isControlling(item))
  }

  #takeAt(index: number): Waiting<D> | undefined {
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0]
  }
}

/** Whether it is lost if it is not taken now. */
function isTold<D>({ type }: Waiting<D>): boolean {
  return type !== 'delivery' && type !== 'restart'
}
