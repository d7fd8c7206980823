/**
 * How many records of a node are on their way to being stored at a time.
 *
 * A node takes envelopes as fast as they come, faster than they can be stored: thousands of turns would be made, wait for
 * their commits, and everything else would wait behind them, timers that are due before all. So no turn is begun for what
 * an instance was sent while so many commits are under way; what waits then is taken in one turn later. Whatever else
 * begins a turn is not held up: a timer, the end of an activity, a control envelope.
 */
/** What waits for room. */
export interface Entrant {
  /** There is room. It may leave it to others. */
  enter(): void
}

export class CommitRoom {
  readonly #most: number
  readonly #waiting = new Set<Entrant>()
  #underWay = 0

  /** @param most how many commits leave room for another */
  constructor(most: number) {
    this.#most = most
  }

  get isFull(): boolean {
    return this.#underWay >= this.#most
  }

  /** Lets it in when there is room, those that came first before it. */
  await(entrant: Entrant): void {
    this.#waiting.add(entrant)
  }

  /** It does not wait any more. */
  forget(entrant: Entrant): void {
    this.#waiting.delete(entrant)
  }

  /** A commit is under way. */
  begun(): void {
    this.#underWay++
  }

  /** It is stored, or will not be. */
  ended(): void {
    this.#underWay--
    for (const entrant of this.#waiting) {
      if (this.isFull) return
      this.#waiting.delete(entrant)
      entrant.enter()
    }
  }
}
