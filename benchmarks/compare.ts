/**
 * Compares two commits of Holdfast: both are built in work trees of their own, and run in turns on this machine by the
 * runner and the contestant that stand here, which use what is public only. Each round gives one ratio; the interval is
 * a bootstrap of their median. The packages are those of this checkout.
 */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'

import { randomFrom } from '../test/support/random.ts'
import { ContestantProcess } from './contest/contestant-process.ts'
import { untilQuiet } from './contest/machine.ts'
import { isNoisy, plans } from './contest/plan.ts'
import { median } from './contest/table.ts'

const help = `Compares two commits of Holdfast: rates of the second by those of the first.

  npm run bench:compare -- <commit-a> <commit-b> [options]

  --workload <name>      ${Object.keys(plans).join(', ')} (default steps)
  --concurrency <n>      (default 64)
  --rounds <n>           (default 10)
  --seconds <n>          of a repetition, about (default 5)
  --quiet <n>            seconds that are waited for a quiet machine before each (default 20)
  --json
  --help
`

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    concurrency: text,
    help: flag,
    json: flag,
    quiet: text,
    rounds: text,
    seconds: text,
    workload: text,
  },
})
if (values.help === true || positionals.length !== 2) {
  process.stdout.write(help)
  process.exit(values.help === true ? 0 : 2)
}
const commits = positionals as [string, string]
const workload = values.workload ?? 'steps'
const concurrency = whole('concurrency', 64)
const rounds = whole('rounds', 10)
const seconds = whole('seconds', 5)
const quietMs = 1000 * whole('quiet', 20, 0)
if (!Object.hasOwn(plans, workload)) {
  process.stderr.write(`--workload knows ${Object.keys(plans).join(', ')}; got '${workload}'\n`)
  process.exit(2)
}
const repository = join(import.meta.dirname, '..', '..')
const run = promisify(execFile)
const interruption = new AbortController()
const interrupted = interruption.signal
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => interruption.abort(new Error('interrupted')))
}

/** Builds a commit, with the benchmarks of this checkout; answers the program of its contestant. */
async function build(folder: string, commit: string, name: string): Promise<string> {
  const tree = join(folder, name)
  await run('git', ['-C', repository, 'worktree', 'add', '--detach', tree, commit], { signal: interrupted })
  await symlink(join(repository, 'node_modules'), join(tree, 'node_modules'))
  const benchmarks = join(tree, 'benchmarks')
  const peers = join(repository, 'benchmarks', 'peers')
  await rm(benchmarks, { recursive: true, force: true })
  await cp(join(repository, 'benchmarks'), benchmarks, { recursive: true, filter: path => path !== peers })
  const include = ['contestants/holdfast.ts', 'contestants/holdfast-node.ts', '../src/**/*.d.ts']
  const config = join(benchmarks, 'tsconfig.compare.json')
  await writeFile(config, JSON.stringify({ extends: './tsconfig.json', include }))
  const compiler = join(repository, 'node_modules', '.bin', 'tsc')
  await run(compiler, ['-p', config], { signal: interrupted })
  process.stderr.write(`${commit} is built\n`)
  return join(tree, '.build', 'benchmarks', 'contestants', 'holdfast.js')
}

let runs = 0
const counts = new Map<string, number>()

/** One repetition; the first of a program also finds out how many operations it takes. */
async function measure(program: string): Promise<{ perSecond: number; noisy: boolean }> {
  const started = await ContestantProcess.start({ script: program }, interrupted)
  if (typeof started === 'string') throw new Error(started)
  await using contestant = started
  const order = (count: number) =>
    contestant.run({ concurrency, count, run: `c${runs++}`, seed: 0, workload })
  const few = Math.max(20, 2 * concurrency)
  const warm = counts.get(program) ?? few
  const rate = warm / (await order(Math.max(few, Math.round(warm / 4)))).outcome.seconds
  const planned = plans[workload]!.count
  const sized = planned === 'seconds' ? Math.max(few, Math.round(rate * seconds)) : undefined
  const count = counts.get(program) ?? sized ?? (planned === 'concurrency' ? concurrency : Number(planned))
  counts.set(program, count)
  await untilQuiet(quietMs, interrupted)
  const { outcome, taken } = await order(count)
  return { noisy: isNoisy(taken.foreign), perSecond: count / outcome.seconds }
}

async function compare(): Promise<readonly number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-compare-'))
  try {
    const programs = [await build(folder, commits[0], 'a'), await build(folder, commits[1], 'b')] as const
    const ratios: number[] = []
    for (let round = 0; round < rounds; round++) {
      // The other one begins each time, so that neither gains by its place.
      const isTurned = round % 2 === 1
      const first = await measure(programs[isTurned ? 1 : 0])
      const second = await measure(programs[isTurned ? 0 : 1])
      const [a, b] = isTurned ? [second, first] : [first, second]
      ratios.push(b.perSecond / a.perSecond)
      process.stderr.write(
        `round ${round + 1} of ${rounds}: ${a.perSecond.toFixed(0)}/s, ${b.perSecond.toFixed(0)}/s: ${ratios.at(-1)!.toFixed(3)}${a.noisy || b.noisy ? ' (noisy)' : ''}\n`,
      )
    }
    return ratios
  } finally {
    for (const name of ['a', 'b']) {
      // What was never added cannot be removed; the rest goes with the folder.
      await run('git', ['-C', repository, 'worktree', 'remove', '--force', join(folder, name)]).catch(
        () => {},
      )
    }
    await rm(folder, { recursive: true, force: true })
  }
}

/** The range in which 95 of 100 medians of samples like this one lie. */
function intervalOf(ratios: readonly number[]): readonly [number, number] {
  const random = randomFrom(1)
  const medians = Array.from({ length: 2000 }, () =>
    median(ratios.map(() => ratios[Math.floor(random() * ratios.length)]!)),
  ).toSorted((a, b) => a - b)
  return [medians[50]!, medians[1949]!]
}

function whole(name: 'concurrency' | 'quiet' | 'rounds' | 'seconds', byDefault: number, least = 1): number {
  const value = Number(values[name] ?? byDefault)
  if (Number.isSafeInteger(value) && value >= least) return value
  process.stderr.write(`--${name} must be a whole number from ${least}; got '${values[name]}'\n`)
  process.exit(2)
}

try {
  const ratios = await compare()
  const [low, high] = intervalOf(ratios)
  const result = { commits, workload, concurrency, ratio: median(ratios), low, high, ratios }
  process.stdout.write(
    values.json === true
      ? `${JSON.stringify(result)}\n`
      : `${workload} at ${concurrency}: ${commits[1]} is ${result.ratio.toFixed(3)} × ${commits[0]} (95 %: ${low.toFixed(3)} to ${high.toFixed(3)}, ${ratios.length} rounds)\n`,
  )
} catch (error) {
  if (!interrupted.aborted) throw error
  process.exitCode = 130
}
