import type { Clock, TimerHandle } from '../../actors/ports.ts'

interface ManualTimer {
  readonly callback: () => void
  readonly dueAt: number
}

/** Time that stands still until it is advanced. */
export class ManualClock implements Clock {
  readonly #startedAt: number
  #elapsedMs = 0
  /** In the order they were set: of two that are due at the same time the older fires first. */
  readonly #timers = new Set<ManualTimer>()

  /** @param startsAt what `now` begins with: milliseconds since the epoch */
  constructor(startsAt = Date.UTC(2026, 0, 1)) {
    this.#startedAt = startsAt
  }

  /** How many timers are set. */
  get timerCount(): number {
    return this.#timers.size
  }

  now(): number {
    return this.#startedAt + this.#elapsedMs
  }

  monotonic(): number {
    return this.#elapsedMs
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const timer = { callback, dueAt: this.#elapsedMs + Math.max(0, delayMs) }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  /**
   * Lets that much time pass: fires what becomes due, in the order of its time, each with the clock at its moment.
   * Timers set by a callback fire too when they are due within that time.
   */
  advance(byMs: number): void {
    const until = this.#elapsedMs + byMs
    for (let next = this.#nextDue(until); next !== undefined; next = this.#nextDue(until)) {
      this.#timers.delete(next)
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueAt)
      next.callback()
    }
    this.#elapsedMs = until
  }

  #nextDue(until: number): ManualTimer | undefined {
    let first: ManualTimer | undefined
    for (const timer of this.#timers) {
      if (timer.dueAt <= until && (first === undefined || timer.dueAt < first.dueAt)) first = timer
    }
    return first
  }
}
