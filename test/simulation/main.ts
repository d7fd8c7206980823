/**
 * Runs the simulation under many seeds, or one seed again. See `--help`.
 *
 * A run follows from its seed and the code alone, so a seed that fails does so again until the code changes.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'

import { describeRun, runSeeds } from './run-seeds.ts'
import { simulate } from './simulate.ts'
import { Stage } from './stage.ts'

const help = `Runs the actors over ports in memory, under a scheduler that reorders, delays, duplicates and crashes.

  npm run simulate -- [options]

  --seeds <n>         how many runs (default 1000)
  --from <n>          the first seed (default 1)
  --jobs <n>          processes that share the seeds (default: as many as there are processors)
  --bail              stops at the first seed that fails
  --seed <n>          this one alone
  --trace             with --seed: prints everything that happens
  --help

Prints each seed that breaks a promise, which one and how, and ends with exit code 1.
`

const { values } = read()

const write = (line: string) => void process.stdout.write(`${line}\n`)

if (values.help) {
  process.stdout.write(help)
} else if (values.seed !== undefined) {
  const run = await simulate(whole('seed'), new Stage(), values.trace ? write : undefined)
  write(describeRun(run))
  process.exitCode = run.violation === undefined ? 0 : 1
} else if (whole('jobs') > 1) {
  process.exitCode = await runInProcesses(whole('jobs'))
} else {
  let [runs, failed, steps, simulatedMs] = [0, 0, 0, 0]
  const startedAt = performance.now()
  await runSeeds(whole('from'), whole('seeds'), run => {
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

/** Ends the process when it does not know an option. */
function read() {
  try {
    return parseArgs({
      options: {
        bail: { type: 'boolean', default: false },
        from: { type: 'string', default: '1' },
        help: { type: 'boolean', default: false },
        jobs: { type: 'string', default: String(availableParallelism()) },
        seed: { type: 'string' },
        seeds: { type: 'string', default: '1000' },
        trace: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(2)
  }
}

/** Ends the process when the option is no whole number. */
function whole(name: 'from' | 'jobs' | 'seed' | 'seeds'): number {
  const value = Number(values[name])
  if (Number.isSafeInteger(value) && value > 0) return value
  process.stderr.write(`--${name} must be a whole number from 1; got '${values[name]}'\n`)
  process.exit(2)
}

/** Each says itself what it has found. Answers 0 when none has found anything. */
async function runInProcesses(jobs: number): Promise<number> {
  const first = whole('from')
  const seeds = whole('seeds')
  const startOf = (job: number) => first + Math.floor((seeds * job) / jobs)
  const children: ChildProcess[] = []
  const codes = Array.from({ length: jobs }, async (_, job) => {
    const share = ['--from', String(startOf(job)), '--seeds', String(startOf(job + 1) - startOf(job))]
    const child = fork(import.meta.filename, [...share, '--jobs', '1', ...(values.bail ? ['--bail'] : [])])
    children.push(child)
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code === 1 && values.bail) for (const other of children) other.kill()
    return code
  })
  return (await Promise.all(codes)).every(code => code === 0) ? 0 : 1
}
