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
  /** When each was heard last: monotonic milliseconds. */
  readonly #heard = new Map<string, number>()

  /** @param ttlMs how long a node counts as alive after it was heard */
  constructor(self: string, ttlMs: number) {
    this.#self = self
    this.#ttlMs = ttlMs
  }

  /** The node has said that it is alive. */
  heard(name: string, now: number): void {
    if (name === this.#self && this.#wasDeaf(now)) {
      for (const other of this.#heard.keys()) this.#heard.set(other, now)
    }
    this.#heard.set(name, now)
  }

  /** The node has said that it leaves. */
  left(name: string): void {
    this.#heard.delete(name)
  }

  /** The names of the nodes alive, sorted; always with this one. */
  alive(now: number): readonly string[] {
    if (!this.#wasDeaf(now)) {
      for (const [name, at] of this.#heard) if (now - at >= this.#ttlMs) this.#heard.delete(name)
    }
    return [...new Set([this.#self, ...this.#heard.keys()])].toSorted()
  }

  /** When the next node has been silent for too long, unless it is heard before; undefined when alone or deaf. */
  nextSilence(now: number): number | undefined {
    if (this.#wasDeaf(now)) return undefined
    let earliest = Number.POSITIVE_INFINITY
    for (const [name, at] of this.#heard) if (name !== this.#self) earliest = Math.min(earliest, at)
    return earliest === Number.POSITIVE_INFINITY ? undefined : earliest + this.#ttlMs
  }

  /** Beats come three times in a time to live: half of one without our own means that we could hear nobody. */
  #wasDeaf(now: number): boolean {
    const heardSelf = this.#heard.get(this.#self)
    return heardSelf === undefined || now - heardSelf > this.#ttlMs / 2
  }
}
