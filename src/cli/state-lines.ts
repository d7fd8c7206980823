/**
 * A state value as lines: nested states joined by dots, what is active in parallel below each other.
 *
 *     tracked
 *       facts
 *       lifecycle.open
 */
export function stateLines(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  const regions = Object.entries((value ?? {}) as object)
  const [only] = regions
  if (regions.length === 1) return joined(only![0], only![1])
  return regions.flatMap(([name, child]) => joined(name, child))
}

function joined(name: string, child: unknown): string[] {
  const regions = typeof child === 'object' && child !== null ? Object.keys(child).length : 1
  const lines = stateLines(child)
  if (regions > 1) return [name, ...lines.map(line => `  ${line}`)]
  const [first, ...rest] = lines
  return first === undefined ? [name] : [`${name}.${first}`, ...rest]
}
