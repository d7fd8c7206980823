/** The candidate that was probably meant, if one is close enough to what was typed. */
export function nearest(typed: string, candidates: readonly string[]): string | undefined {
  const starting = candidates.filter(candidate => typed.length >= 2 && candidate.startsWith(typed))
  if (starting.length === 1) return starting[0]
  const [best] = candidates
    .map(candidate => ({ candidate, edits: editsBetween(typed.toLowerCase(), candidate) }))
    .toSorted((a, b) => a.edits - b.edits)
  return best !== undefined && best.edits <= Math.max(1, Math.floor(typed.length / 3))
    ? best.candidate
    : undefined
}

/** How many letters have to be added, removed, replaced or swapped with their neighbour. */
function editsBetween(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1]
      const isSwapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      current.push(
        Math.min(
          rows[row - 1]![column]! + 1,
          current[column - 1]! + 1,
          rows[row - 1]![column - 1]! + (same ? 0 : 1),
          row > 1 && column > 1 && isSwapped ? rows[row - 2]![column - 2]! + 1 : Infinity,
        ),
      )
    }
    rows.push(current)
  }
  return rows[from.length]![to.length]!
}
