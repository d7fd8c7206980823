/**
 * Runs the simulation under many seeds, or one seed again.
 *
 * Usage: npm run simulate -- [--seeds 1000] [--from 1] [--jobs 1] [--bail]
 *        npm run simulate -- --seed 17 [--trace]
 *
 * A run follows from its seed and the code alone, so a seed that fails does so again until the code changes. `--bail` stops
 * at the first that does, `--trace` prints everything that happens, `--jobs` shares the seeds among that many processes.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'

import { describeRun, runSeeds } from './run-seeds.ts'
import { simulate } from './simulate.ts'
import { Stage } from './stage.ts'

const { values } = parseArgs({
  options: {
    bail: { type: 'boolean', default: false },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    trace: { type: 'boolean', default: false },
  },
})

const write = (line: string) => void process.stdout.write(`${line}\n`)

if (values.seed !== undefined) {
  const run = await simulate(Number(values.seed), new Stage(), values.trace ? write : undefined)
  write(describeRun(run))
  process.exitCode = run.violation === undefined ? 0 : 1
} else if (Number(values.jobs) > 1) {
  process.exitCode = await runInProcesses(Number(values.jobs))
} else {
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
}

/** Each says itself what it has found. Answers 0 when none has found anything. */
async function runInProcesses(jobs: number): Promise<number> {
  const first = Number(values.from)
  const seeds = Number(values.seeds)
  const startOf = (job: number) => first + Math.floor((seeds * job) / jobs)
  const children: ChildProcess[] = []
  const codes = Array.from({ length: jobs }, async (_, job) => {
    const share = ['--from', String(startOf(job)), '--seeds', String(startOf(job + 1) - startOf(job))]
    const child = fork(import.meta.filename, values.bail ? [...share, '--bail'] : share)
    children.push(child)
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code === 1 && values.bail) for (const other of children) other.kill()
    return code
  })
  return (await Promise.all(codes)).every(code => code === 0) ? 0 : 1
}
