interface Timeout {
  readonly dueAt: number
  readonly run: () => void
}

/**
 * A clock for XState's actors that moves only when told. Unlike XState's own SimulatedClock it stands at the
 * moment a timeout is due while that timeout runs, so that what is set by it counts from there.
 */
export class VirtualClock {
  readonly #timeouts = new Map<number, Timeout>()
  #now = 0
  #lastId = 0

  setTimeout(run: () => void, delayMs: number): number {
    this.#timeouts.set(++this.#lastId, { dueAt: this.#now + Math.max(0, delayMs), run })
    return this.#lastId
  }

  clearTimeout(id: number): void {
    this.#timeouts.delete(id)
  }

  advance(ms: number): void {
    const end = this.#now + ms
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      const [id, { dueAt, run }] = next
      this.#timeouts.delete(id)
      this.#now = dueAt
      run()
    }
    this.#now = end
  }

  /** The earliest that is due by `end`; of several due together, the one set first. */
  #next(end: number): readonly [number, Timeout] | undefined {
    const due = [...this.#timeouts].filter(([, { dueAt }]) => dueAt <= end)
    return due.toSorted(([idA, a], [idB, b]) => a.dueAt - b.dueAt || idA - idB)[0]
  }
}
