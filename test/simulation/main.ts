/**
 * Runs the simulation under many seeds, or one seed again.
 *
 * Usage: npm run simulate -- [--seeds 1000] [--from 1] [--bail]
 *        npm run simulate -- --seed 17 [--trace]
 *
 * A run follows from its seed and the code alone, so a seed that fails does so again until the code changes. `--bail` stops
 * at the first that does, `--trace` prints everything that happens.
 */
import { parseArgs } from 'node:util'

import { describeRun, runSeeds } from './run-seeds.ts'
import { simulate } from './simulate.ts'
import { Stage } from './stage.ts'

const { values } = parseArgs({
  options: {
    bail: { type: 'boolean', default: false },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    trace: { type: 'boolean', default: false },
  },
})

const write = (line: string) => void process.stdout.write(`${line}\n`)

if (values.seed === undefined) {
  let [runs, failed, steps, simulatedMs] = [0, 0, 0, 0]
  const startedAt = performance.now()
  await runSeeds(Number(values.from), Number(values.seeds), run => {
    runs++
    steps += run.steps
    simulatedMs += run.simulatedMs
    if (run.violation === undefined) return true
    failed++
    write(describeRun(run))
    return !values.bail
  })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  const minutes = Math.round(simulatedMs / 60_000)
  write(`${runs} seeds, ${failed} failed: ${steps} steps, ${minutes} min simulated in ${seconds} s`)
  process.exitCode = failed === 0 ? 0 : 1
} else {
  const run = await simulate(Number(values.seed), new Stage(), values.trace ? write : undefined)
  write(describeRun(run))
  process.exitCode = run.violation === undefined ? 0 : 1
}
