/** How values spread. */
export interface Spread {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) =>
    rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!)
  return { count: values.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}

/** One spread a line, in milliseconds. */
export function printSpreads(spreads: Readonly<Record<string, Spread>>): string {
  const width = Math.max(...Object.keys(spreads).map(name => name.length))
  const lines = [`${''.padEnd(width)}    count      p50      p99      max (ms)\n`]
  for (const [name, { count, p50, p99, max }] of Object.entries(spreads)) {
    const columns = [count, p50, p99, max].map(value => String(value).padStart(8)).join(' ')
    lines.push(`${name.padEnd(width)} ${columns}\n`)
  }
  return lines.join('')
}

/** To one decimal. */
export function rounded(value: number): number {
  return Math.round(value * 10) / 10
}
