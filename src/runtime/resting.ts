import { LinkedList, type Linked } from '../../actors/linked-list.ts'

/** An instance in memory, as far as its rest goes. */
export interface Rester extends Linked<Rester> {
  /** Monotonic milliseconds since when nothing is going on; undefined: it is in no list of those at rest. */
  restedAt: number | undefined
  /** Leaves memory, if nothing has begun since. One that stays says when it rests again. */
  passivate(): void
}

export interface RestingOptions {
  /** How long they rest in memory, milliseconds. */
  readonly afterMs: number
  /** How many rest in memory, at least one. */
  readonly most: number
  monotonic(): number
}

/**
 * The instances of a node that rest in memory, those first that have rested longest. They leave it after a while, or when
 * there are too many: without that a burst of starts would fill the memory with what has nothing to do.
 *
 * One that is busy again is left where it is, as most are for a moment only, and moves when it rests again.
 */
export class Resting {
  readonly #options: RestingOptions
  readonly #list = new LinkedList<Rester>()
  #size = 0
  #isCrowded = false

  constructor(options: RestingOptions) {
    this.#options = options
  }

  /** It has nothing to do from now on. */
  rested(rester: Rester): void {
    this.gone(rester)
    rester.restedAt = this.#options.monotonic()
    this.#list.append(rester)
    this.#size++
    // Those that leave rest first.
    if (this.#size > this.#options.most && !this.#isCrowded) this.#makeRoom()
  }

  /** It is out of memory, or leaves it. */
  gone(rester: Rester): void {
    if (rester.restedAt === undefined) return
    rester.restedAt = undefined
    this.#list.remove(rester)
    this.#size--
  }

  /** Lets those leave that have rested long enough. */
  passivate(): void {
    const restedBefore = this.#options.monotonic() - this.#options.afterMs
    for (
      let { first } = this.#list;
      first !== undefined && first.restedAt! < restedBefore;
      first = this.#list.first
    )
      this.#letLeave(first)
  }

  #makeRoom(): void {
    this.#isCrowded = true
    for (let count = this.#size - this.#options.most; count > 0; count--) this.#letLeave(this.#list.first!)
    this.#isCrowded = false
  }

  #letLeave(rester: Rester): void {
    this.gone(rester)
    rester.passivate()
  }
}
