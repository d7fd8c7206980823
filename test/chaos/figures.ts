/** Times, in milliseconds. */
export class Times {
  readonly #values: number[] = []

  add(ms: number): void {
    this.#values.push(ms)
  }

  get count(): number {
    return this.#values.length
  }

  /** The value that a share of all does not exceed; 0 when there is none. */
  quantile(share: number): number {
    const sorted = this.#values.toSorted((a, b) => a - b)
    return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
  }
}
