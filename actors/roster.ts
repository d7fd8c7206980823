import type { Avoided } from './assignment.ts'

/**
 * Who is alive, by what is heard. A node is gone when it says so, or when nothing of it has been heard for a time to
 * live by the local monotonic clock.
 *
 * A node hears itself too. One that does not, because its connection is down or it was paused, is deaf: it judges
 * nobody until it hears itself again, and then gives everyone a new time to live.
 */
export class Roster {
  readonly #self: string
  readonly #ttlMs: number
  /** When each of the others was heard last: monotonic milliseconds. */
  readonly #heard = new Map<string, number>()
  /** What each of the others has said last that it stays away from, if from anything. */
  readonly #avoided = new Map<string, ReadonlySet<number>>()
  #heardSelfAt: number | undefined

  /** @param ttlMs how long a node counts as alive after it was heard */
  constructor(self: string, ttlMs: number) {
    this.#self = self
    this.#ttlMs = ttlMs
  }

  /** The node has said that it is alive, so long ago, and which partitions it stays away from. */
  heard(name: string, now: number, agoMs = 0, avoided: readonly number[] = []): void {
    if (name !== this.#self) {
      // What was said before that is out of date.
      if (now - agoMs >= (this.#heard.get(name) ?? Number.NEGATIVE_INFINITY)) this.#avoids(name, avoided)
      this.#heard.set(name, Math.max(now - agoMs, this.#heard.get(name) ?? Number.NEGATIVE_INFINITY))
      return
    }
    // What an earlier run under our name has said is not heard by us.
    if (agoMs > 0) return
    if (this.#heardSelfAt !== undefined && this.#isDeaf(now)) {
      for (const other of this.#heard.keys()) this.#heard.set(other, now)
    }
    this.#heardSelfAt = now
  }

  /** The node has said that it leaves. */
  left(name: string): void {
    this.#forget(name)
  }

  /** What the others alive stay away from. */
  get avoided(): Avoided {
    return new Map(this.#avoided)
  }

  /** The names of the nodes alive, sorted; always with this one. */
  alive(now: number): readonly string[] {
    if (!this.#isDeaf(now)) {
      for (const [name, at] of this.#heard) if (now - at >= this.#ttlMs) this.#forget(name)
    }
    return [this.#self, ...this.#heard.keys()].toSorted()
  }

  /** When the next node has been silent for too long, unless it is heard before; undefined when alone or deaf. */
  nextSilence(now: number): number | undefined {
    if (this.#heard.size === 0 || this.#isDeaf(now)) return undefined
    return Math.min(...this.#heard.values()) + this.#ttlMs
  }

  #avoids(name: string, partitions: readonly number[]): void {
    if (partitions.length === 0) this.#avoided.delete(name)
    else this.#avoided.set(name, new Set(partitions))
  }

  #forget(name: string): void {
    this.#heard.delete(name)
    this.#avoided.delete(name)
  }

  /** Beats come three times in a time to live: half of one without our own means that we could hear nobody. */
  #isDeaf(now: number): boolean {
    return this.#heardSelfAt === undefined || now - this.#heardSelfAt > this.#ttlMs / 2
  }
}
