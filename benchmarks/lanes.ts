/** Runs `work` for 0 … count-1, at most `concurrency` at a time; answers how many a second. */
export async function inLanes(
  count: number,
  concurrency: number,
  work: (index: number) => Promise<unknown>,
): Promise<number> {
  let next = 0
  const startedAt = performance.now()
  const lane = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, lane))
  return count / ((performance.now() - startedAt) / 1000)
}
