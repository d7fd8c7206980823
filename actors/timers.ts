import type { ActorPath } from './address.ts'
import type { Timer } from './record.ts'

const none: readonly never[] = Object.freeze([])

/** The delayed events of an instance, one for each owner and id. */
export class Timers {
  readonly #byKey = new Map<string, Timer>()

  constructor(timers: readonly Timer[]) {
    for (const timer of timers) this.set(timer)
  }

  /** When the earliest is due; Infinity when there is none. */
  get dueAt(): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { dueAt } of this.#byKey.values()) earliest = Math.min(earliest, dueAt)
    return earliest
  }

  set(timer: Timer): void {
    const key = keyOf(timer.owner, timer.id)
    // An infinite delay means never; what never comes due need not be kept.
    if (timer.dueAt === Number.POSITIVE_INFINITY) this.#byKey.delete(key)
    else this.#byKey.set(key, timer)
  }

  cancel(owner: ActorPath, id: string): void {
    this.#byKey.delete(keyOf(owner, id))
  }

  cancelAllOf(owner: ActorPath): void {
    for (const [key, timer] of this.#byKey) if (timer.owner === owner) this.#byKey.delete(key)
  }

  clear(): void {
    this.#byKey.clear()
  }

  /** Those that are due, in the order they were due. */
  due(now: number): readonly Timer[] {
    return [...this.#byKey.values()].filter(timer => timer.dueAt <= now).toSorted(byDueTime)
  }

  /** Takes it out; false when it has been cancelled or replaced since. */
  take(timer: Timer): boolean {
    const key = keyOf(timer.owner, timer.id)
    return this.#byKey.get(key)?.seq === timer.seq && this.#byKey.delete(key)
  }

  /** All of them, to be stored. */
  list(): readonly Timer[] {
    return this.#byKey.size === 0 ? none : [...this.#byKey.values()]
  }
}

function keyOf(owner: ActorPath, id: string): string {
  return `${owner}\n${id}`
}

function byDueTime(a: Timer, b: Timer): number {
  return a.dueAt - b.dueAt || a.seq - b.seq
}
