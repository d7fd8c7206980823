/**
 * Values pushed from one side, iterated on the other. A reader that lags more than `capacity` values behind
 * misses the oldest of them and never the newest, so memory does not grow with a slow reader.
 */
export class Feed<T> implements AsyncIterableIterator<T> {
  readonly #capacity: number
  readonly #onReturn: () => void
  readonly #values: T[] = []
  #end: { readonly error?: unknown } | undefined
  /** Those that wait, in the order they came: whoever iterates by hand may ask again before the last answer. */
  readonly #readers: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }[] = []

  /** @param onReturn called once, when the reader stops or the values end */
  constructor(capacity: number, onReturn: () => void) {
    this.#capacity = capacity
    this.#onReturn = onReturn
  }

  /** Offers the next value. */
  push(value: T): void {
    if (this.#end !== undefined) return
    const reader = this.#readers.shift()
    if (reader !== undefined) {
      reader.resolve({ done: false, value })
      return
    }
    if (this.#values.length === this.#capacity) this.#values.shift()
    this.#values.push(value)
  }

  /** No more values: the reader gets those that wait, then the end. */
  end(): void {
    this.#finish({})
  }

  /** No more values: the reader gets those that wait, then the error. */
  fail(error: unknown): void {
    this.#finish({ error })
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#values.length > 0) return Promise.resolve({ done: false, value: this.#values.shift() as T })
    if (this.#end !== undefined) {
      return 'error' in this.#end
        ? Promise.reject(this.#end.error as Error)
        : Promise.resolve({ done: true, value: undefined })
    }
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject })
    })
  }

  return(): Promise<IteratorResult<T>> {
    this.#values.length = 0
    this.#finish({})
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #finish(end: { readonly error?: unknown }): void {
    if (this.#end !== undefined) return
    this.#end = end
    for (const reader of this.#readers.splice(0)) {
      if ('error' in end) reader.reject(end.error)
      else reader.resolve({ done: true, value: undefined })
    }
    this.#onReturn()
  }
}
