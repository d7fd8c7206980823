import { DueQueue } from '../../actors/due-queue.ts'
import type { Clock, TimerHandle } from '../../actors/ports.ts'

/** How often the wall clock is looked at while something is due later: it may jump, monotonic timers do not. */
const longestSleepMs = 60_000

/**
 * The moments at which instances of this node want to be woken: one clock timer for all of them, whatever their
 * number. Never early; late by as much as the event loop is busy.
 */
export class Wakeups {
  readonly #clock: Clock
  readonly #wake: (key: string) => void
  readonly #queue = new DueQueue<string>()
  #timer: { readonly dueAt: number; readonly handle: TimerHandle } | undefined

  constructor(clock: Clock, wake: (key: string) => void) {
    this.#clock = clock
    this.#wake = wake
  }

  /** Asks for a wake-up of the key at that moment, in place of an earlier wish; undefined for none. */
  set(key: string, dueAt: number | undefined): void {
    if (dueAt === undefined) this.#queue.delete(key)
    else this.#queue.set(key, dueAt)
    this.#arm()
  }

  /**
   * The same for a moment that may be out of date: one that is wished for already and comes sooner stands. To be woken for
   * nothing costs a read, to be woken late breaks a promise.
   */
  setAtLatest(key: string, dueAt: number | undefined): void {
    if (dueAt !== undefined && dueAt < (this.#queue.dueAtOf(key) ?? Infinity)) this.set(key, dueAt)
  }

  /** Forgets the wishes of all keys for which `isOf` is true. */
  clear(isOf: (key: string) => boolean): void {
    for (const key of this.#queue.keys()) if (isOf(key)) this.#queue.delete(key)
    this.#arm()
  }

  stop(): void {
    this.#timer?.handle.cancel()
    this.#timer = undefined
  }

  #arm(): void {
    const dueAt = this.#queue.nextDueAt
    if (dueAt === this.#timer?.dueAt) return
    this.stop()
    if (dueAt === undefined) return
    const delayMs = Math.min(Math.max(0, dueAt - this.#clock.now()), longestSleepMs)
    this.#timer = { dueAt, handle: this.#clock.setTimer(delayMs, () => this.#fire()) }
  }

  #fire(): void {
    this.#timer = undefined
    for (const key of this.#queue.takeDue(this.#clock.now())) this.#wake(key)
    this.#arm()
  }
}
