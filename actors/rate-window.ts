/** So many in so much time. */
export interface Rate {
  readonly limit: number
  readonly perMs: number
}

/**
 * When the next one may begin: never more than `limit` within any `perMs`.
 *
 * It remembers the last `limit` beginnings, eight bytes each. A token bucket would need less and allow nearly twice the
 * limit within a window: what it saved up, and what flows in meanwhile.
 */
export class RateWindow {
  readonly #perMs: number
  /** A ring: the oldest one is overwritten next. */
  readonly #begunAt: Float64Array
  #oldest = 0

  constructor({ limit, perMs }: Rate) {
    this.#perMs = perMs
    this.#begunAt = new Float64Array(limit).fill(-Infinity)
  }

  /** The moment from which on another one may begin. */
  get opensAt(): number {
    return this.#begunAt[this.#oldest]! + this.#perMs
  }

  /** One begins. Expects that it may. */
  count(now: number): void {
    this.#begunAt[this.#oldest] = now
    this.#oldest = (this.#oldest + 1) % this.#begunAt.length
  }
}
