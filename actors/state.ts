/**
 * A state value as people read it: nested states joined by dots, parallel regions by bars, e.g.
 * `paying.authorising` or `packing.label|notifying`. Empty for logic without states.
 */
export function formatState(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return ''
  return Object.entries(value)
    .map(([key, child]) => {
      const inner = formatState(child)
      return inner === '' ? key : `${key}.${inner}`
    })
    .join('|')
}
