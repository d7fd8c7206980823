import type { Delivery } from '../../actors/envelope.ts'
import type { PreparedWorkflow } from '../../actors/machine.ts'
import type { Address } from '../../actors/address.ts'

/** So many starts of a workflow are looked into after one that was not the first of its instance. */
const doubted = 100

/**
 * Tells whether a start is taken for the first of its instance, so that no read of the record comes before the write that
 * finds out. That is so with most: an id is chosen for one instance, and a repetition is caught by the inbox. But a start
 * that is not costs a write that is refused, and delays what was to be stored with it. So one that an earlier owner may have
 * taken is not presumed to be the first, and one that was not makes the next ones of its workflow doubtful: whoever starts
 * what may be there, to be sure that it is, does so again and again.
 */
export class Newcomers {
  /** By workflow, how many more starts are looked into. */
  readonly #doubts = new Map<string, number>()

  /**
   * Whether what is delivered to an instance that is not in memory creates it, as far as can be said. Ask once for each.
   */
  presumes(
    { envelope, isBacklog, isInOrder, repeats }: Delivery,
    { persistence }: PreparedWorkflow,
  ): boolean {
    if (envelope.type !== 'start' || isBacklog === true || isInOrder === true || repeats !== undefined)
      return false
    // Nothing may happen before a write has said that it is new.
    if (!persistence.isStored || persistence.startsEarly) return false
    const { workflow } = envelope.target
    const doubts = this.#doubts.get(workflow) ?? 0
    if (doubts > 0) this.#doubts.set(workflow, doubts - 1)
    return doubts === 0
  }

  /** An instance that was presumed to be new has a record. */
  wasThere({ workflow }: Address): void {
    this.#doubts.set(workflow, doubted)
  }
}
