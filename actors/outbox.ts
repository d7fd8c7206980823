import type { OutboxEntry } from './record.ts'

const none: readonly never[] = Object.freeze([])

/** What an instance has promised to deliver and not yet delivered, in the order it was promised. */
export class Outbox {
  #entries: readonly OutboxEntry[]
  /** Those delivered since the record that lists them was stored. */
  readonly #delivered = new Set<string>()

  constructor(entries: readonly OutboxEntry[]) {
    this.#entries = entries
  }

  /** How many entries are undelivered. */
  get owed(): number {
    return this.#entries.length - this.#delivered.size
  }

  /** True when the stored record lists entries that have been delivered since. */
  get hasDelivered(): boolean {
    return this.#delivered.size > 0
  }

  add(entry: OutboxEntry): void {
    this.#entries = [...this.#entries, entry]
  }

  /** Takes back what no stored record lists yet. */
  remove(effectId: string): void {
    this.#entries = this.#entries.filter(entry => entry.effectId !== effectId)
  }

  /** Notes that an entry has been delivered: the next record no longer lists it. */
  markDelivered(effectId: string): void {
    if (this.#entries.some(entry => entry.effectId === effectId)) this.#delivered.add(effectId)
  }

  /** The entries to be stored now. What has been delivered is forgotten. */
  entries(): readonly OutboxEntry[] {
    if (this.#delivered.size > 0) {
      this.#entries = this.#entries.filter(entry => !this.#delivered.has(entry.effectId))
      this.#delivered.clear()
    }
    return this.#entries.length === 0 ? none : this.#entries
  }
}
