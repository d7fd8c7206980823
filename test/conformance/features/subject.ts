interface Observer<T> {
  next?: (value: T) => void
  error?: (error: unknown) => void
  complete?: () => void
}

/** A source of values that a scenario moves by hand, in the shape XState subscribes to. */
export class Subject<T> {
  readonly #observers = new Set<Observer<T>>()

  subscribe(observer: Observer<T>): { unsubscribe(): void }
  subscribe(next: (value: T) => void): { unsubscribe(): void }
  subscribe(given: Observer<T> | ((value: T) => void)): { unsubscribe(): void } {
    const observer = typeof given === 'function' ? { next: given } : given
    this.#observers.add(observer)
    return { unsubscribe: () => this.#observers.delete(observer) }
  }

  next(value: T): void {
    for (const observer of this.#observers) observer.next?.(value)
  }

  error(error: unknown): void {
    for (const observer of this.#release()) observer.error?.(error)
  }

  complete(): void {
    for (const observer of this.#release()) observer.complete?.()
  }

  /** Whoever was told the end is told no more. */
  #release(): readonly Observer<T>[] {
    const observers = [...this.#observers]
    this.#observers.clear()
    return observers
  }
}
