interface Entry<K> {
  readonly key: K
  readonly dueAt: number
}

/**
 * Which key is due when, earliest first: a binary heap with one moment per key.
 *
 * Setting and clearing cost O(log n). An entry replaced or cleared stays in the heap until it surfaces or half
 * of the heap is stale, so memory stays within twice the keys.
 */
export class DueQueue<K> {
  readonly #current = new Map<K, Entry<K>>()
  #heap: Entry<K>[] = []

  /** How many keys have a moment set. */
  get size(): number {
    return this.#current.size
  }

  /** The moment of a key; undefined when none is set. */
  dueAtOf(key: K): number | undefined {
    return this.#current.get(key)?.dueAt
  }

  /** The keys that have a moment set, in no order. Deleting while iterating is allowed. */
  keys(): Iterable<K> {
    return this.#current.keys()
  }

  /** The earliest moment; undefined when the queue is empty. */
  get nextDueAt(): number | undefined {
    this.#dropStale()
    return this.#heap[0]?.dueAt
  }

  /** Sets the moment of a key, in place of an earlier one. */
  set(key: K, dueAt: number): void {
    const entry = { key, dueAt }
    this.#current.set(key, entry)
    this.#heap.push(entry)
    this.#rise(this.#heap.length - 1)
    this.#limitStale()
  }

  delete(key: K): void {
    if (this.#current.delete(key)) this.#limitStale()
  }

  /** Removes and answers the keys due at `now`, in the order they were due. */
  takeDue(now: number): K[] {
    const due: K[] = []
    for (let next = this.nextDueAt; next !== undefined && next <= now; next = this.nextDueAt) {
      const { key } = this.#pop()!
      this.#current.delete(key)
      due.push(key)
    }
    return due
  }

  #dropStale(): void {
    for (
      let top = this.#heap[0];
      top !== undefined && this.#current.get(top.key) !== top;
      top = this.#heap[0]
    ) {
      this.#pop()
    }
  }

  #pop(): Entry<K> | undefined {
    const top = this.#heap[0]
    const last = this.#heap.pop()
    if (this.#heap.length > 0 && last !== undefined) {
      this.#heap[0] = last
      this.#sink(0)
    }
    return top
  }

  /** A sorted array is a heap. */
  #limitStale(): void {
    if (this.#heap.length <= 2 * this.#current.size + 16) return
    this.#heap = [...this.#current.values()].toSorted((a, b) => a.dueAt - b.dueAt)
  }

  #rise(start: number): void {
    let index = start
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (this.#heap[parent]!.dueAt <= this.#heap[index]!.dueAt) return
      this.#swap(index, parent)
      index = parent
    }
  }

  #sink(start: number): void {
    let index = start
    for (;;) {
      const left = 2 * index + 1
      const right = left + 1
      let least = index
      if (left < this.#heap.length && this.#heap[left]!.dueAt < this.#heap[least]!.dueAt) least = left
      if (right < this.#heap.length && this.#heap[right]!.dueAt < this.#heap[least]!.dueAt) least = right
      if (least === index) return
      this.#swap(index, least)
      index = least
    }
  }

  #swap(a: number, b: number): void {
    const entry = this.#heap[a]!
    this.#heap[a] = this.#heap[b]!
    this.#heap[b] = entry
  }
}
