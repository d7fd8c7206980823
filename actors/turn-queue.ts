import type { ActivityReport } from './activity.ts'
import { isControl, isOvertaking, type Delivery } from './envelope.ts'
import type { ActorPath } from './address.ts'
import type { EventObject } from './event.ts'
import type { Incident } from './incident.ts'

/**
 * Something that waits for its turn. One that is taken again has the time at which it was taken before: whatever it has
 * set then is set the same again, and what came due since is due again.
 */
export type Waiting<D> = Item<D> & { readonly at?: number }

type Item<D> =
  /** `isReplaced`: it stands for one that could not be stored. */
  | { readonly type: 'delivery'; readonly delivery: D; readonly isReplaced: boolean }
  | { readonly type: 'report'; readonly report: ActivityReport; readonly isReplaced: boolean }
  | { readonly type: 'self'; readonly path: ActorPath; readonly event: EventObject }
  /** An action is over. It has sent what waits before this: until that is taken, the record must list the action. */
  | { readonly type: 'acted'; readonly effectId: string }
  | { readonly type: 'wake' }
  /** No cancel is on its way any more: see cancellation.ts. */
  | { readonly type: 'uncancelled' }
  /** What ran when the record was stored is to run again. `isCounted`: because its process has ended. */
  | { readonly type: 'restart'; readonly isCounted: boolean }
  /** Whether the instance is held has changed. */
  | { readonly type: 'hold' }
  /** Stands for one whose step has thrown. */
  | { readonly type: 'failed'; readonly item: Unfailed<D>; readonly incident: Incident }

export type Unfailed<D> = Exclude<Waiting<D>, { readonly type: 'failed' }>

/** Whether it is a control envelope, or as good as one. */
export function isControlling<D extends Delivery>(item: Waiting<D> | undefined): boolean {
  const own = item && unfailed(item)
  return own?.type === 'hold' || (own?.type === 'delivery' && isControl(own.delivery.envelope))
}

/** Whether a step is to be made again. */
export function isRetry<D extends Delivery>(item: Waiting<D>): boolean {
  return item.type === 'delivery' && item.delivery.envelope.type === 'retry'
}

function isAhead<D extends Delivery>(item: Waiting<D>): boolean {
  const own = unfailed(item)
  const isOfAction = own.type === 'self' || own.type === 'acted'
  return isOfAction || own.type === 'hold' || (own.type === 'delivery' && isOvertaking(own.delivery))
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

  /** Whether something waits that an action has sent to its own instance. */
  get hasSelfSent(): boolean {
    return this.#waiting.some(item => unfailed(item).type === 'self')
  }

  /** Whether all that waits was sent, and goes ahead of nothing: it can wait longer. */
  get isPatient(): boolean {
    return this.#waiting.every(item => item.type === 'delivery' && !isOvertaking(item.delivery))
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
   * @param isFull only what goes ahead of all else
   */
  take(isFull: boolean): Waiting<D> | undefined {
    const waiting = this.#waiting
    if (isFull) return this.#takeAt(waiting.findIndex(isAhead))
    const [first] = waiting
    const isPause =
      first?.type === 'hold' || (first?.type === 'delivery' && first.delivery.envelope.type === 'pause')
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

  /**
   * Forgets every delivery that goes ahead of no other.
   *
   * @param isThere false: cancellations as well
   */
  giveBack(isThere = true): void {
    this.#waiting = this.#waiting.filter(item => {
      const own = unfailed(item)
      if (own.type !== 'delivery') return true
      return isOvertaking(own.delivery) && (isThere || own.delivery.envelope.type !== 'cancel')
    })
  }

  #takeAt(index: number): Waiting<D> | undefined {
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0]
  }
}

/** Whether it is lost if it is not taken now. */
function isTold<D>({ type }: Waiting<D>): boolean {
  return type !== 'delivery' && type !== 'hold' && type !== 'restart'
}
