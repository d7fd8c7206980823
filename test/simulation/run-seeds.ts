import { simulate, type Run } from './simulate.ts'
import { Stage } from './stage.ts'

/** So many runs take turns: a step of one is often waiting for nothing but the event loop. */
const together = 8

/**
 * Runs seeds one after the other, several at a time.
 *
 * @param ran told of each run; answers whether to go on
 */
export async function runSeeds(from: number, count: number, ran: (run: Run) => boolean): Promise<void> {
  const stage = new Stage()
  let next = from
  let goesOn = true
  const lane = async () => {
    while (goesOn && next < from + count) goesOn = ran(await simulate(next++, stage)) && goesOn
  }
  await Promise.all(Array.from({ length: together }, lane))
}

/** What a person wants to know of a run. */
export function describeRun({ seed, hash, steps, simulatedMs, violation }: Run): string {
  const figures = `${steps} steps, ${Math.round(simulatedMs / 1000)} s simulated, hash ${hash.toString(16)}`
  if (violation === undefined) return `seed ${seed}: nothing wrong, ${figures}`
  return `seed ${seed}: ${violation.message}\n  ${figures}; again: npm run simulate -- --seed ${seed} --trace`
}
