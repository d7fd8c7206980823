/** A straight line through measurements: least squares. */
export interface Trend {
  /** By how much it rises from the first to the last. */
  readonly growth: number
  /** The standard error of the growth, if what is off the line is off by chance. */
  readonly error: number
  /** By how much it rises with each unit. */
  readonly slope: number
}

/** @param points three at least, at two places at least */
export function trendOf(points: readonly (readonly [x: number, y: number])[]): Trend {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const meanX = mean(points.map(([x]) => x))
  const meanY = mean(points.map(([, y]) => y))
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  const slope = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread
  const off = points.reduce((sum, [x, y]) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0)
  const range = points.at(-1)![0] - points[0]![0]
  return { growth: slope * range, error: Math.sqrt(off / (points.length - 2) / spread) * range, slope }
}
