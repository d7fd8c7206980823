/** How often values fell into buckets that grow by two per cent: number of the bucket, count. */
export type Counts = readonly (readonly [bucket: number, count: number])[]

const growth = Math.log(1.02)

/** Counts values above 0, whatever their number, to within two per cent. */
export class Histogram {
  readonly #counts = new Map<number, number>()

  add(value: number): void {
    const bucket = value < 1 ? 0 : Math.floor(Math.log(value) / growth)
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1)
  }

  counts(): Counts {
    return [...this.#counts].toSorted(([a], [b]) => a - b)
  }
}

/** The histogram of all of them together. */
export function merged(all: readonly Counts[]): Counts {
  const sum = new Map<number, number>()
  for (const [bucket, count] of all.flat()) sum.set(bucket, (sum.get(bucket) ?? 0) + count)
  return [...sum].toSorted(([a], [b]) => a - b)
}

/** The value that so large a share of all does not exceed; 0 when there is none. */
export function quantile(counts: Counts, share: number): number {
  const total = counts.reduce((sum, [, count]) => sum + count, 0)
  let seen = 0
  for (const [bucket, count] of counts) {
    seen += count
    if (seen >= total * share) return Math.exp((bucket + 0.5) * growth)
  }
  return 0
}
