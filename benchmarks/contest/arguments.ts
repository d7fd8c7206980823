import { parseArgs } from 'node:util'

import { contestants, isScaled } from './contestants.ts'
import { plans } from './plan.ts'

export interface ContestOptions {
  /** Undefined: those of each workload. */
  readonly concurrencies: readonly number[] | undefined
  /** Of workloads with a fixed number of operations; undefined: theirs. */
  readonly count: number | undefined
  readonly json: boolean
  readonly names: readonly string[]
  /** A file that gets a line for each measurement. */
  readonly out: string | undefined
  readonly quietMs: number
  readonly retries: number
  readonly rounds: number
  readonly seconds: number
  readonly seed: number
  readonly workloads: readonly string[]
}

const help = `Measures Holdfast, and beside it what a user would pick instead.

  npm run bench -- [options]          Holdfast and the limits of its NATS
  npm run bench:peers -- [options]    beside all others
  npm run bench:scale -- [options]    Holdfast on one to four nodes, and on three servers with three replicas (W8)

  --only <names>         ${Object.keys(contestants).join(',')}
                         (default: all but those with a number in their name)
  --workload <names>     ${Object.keys(plans).join(',')} (default: all)
  --concurrency <list>   operations on their way; instances of W5, children of W6, watchers of W7
                         (default: those of each workload)
  --count <n>            operations of W3, W4 and W7 (default: those of each)
  --rounds <n>           (default 3)
  --seconds <n>          how long a repetition takes, about (default 8)
  --retries <n>          how often a noisy repetition is repeated (default 2)
  --quiet <n>            seconds that are waited for a quiet machine before each (default 20)
  --seed <n>             (default: another each time)
  --out <file>           appends each measurement as a line of JSON
  --json                 the measurements instead of tables
  --help

HOLDFAST_NATS_SERVER names the nats-server to use.
`

/** What was asked for. Ends the process after `--help` and for what is wrong. */
export function readArguments(): ContestOptions {
  const values = read()
  if (values['help'] === true) {
    process.stdout.write(help)
    process.exit()
  }
  const { only, workload, concurrency, count, out, json } = values
  return {
    concurrencies: concurrency?.split(',').map(text => whole('concurrency', text, 1)),
    count: count === undefined ? undefined : whole('count', count, 1),
    json: json === true,
    names: chosen('only', only, Object.keys(contestants), name => !isScaled(name)),
    out,
    quietMs: 1000 * whole('quiet', values.quiet ?? '20', 0),
    retries: whole('retries', values.retries ?? '2', 0),
    rounds: whole('rounds', values.rounds ?? '3', 1),
    seconds: whole('seconds', values.seconds ?? '8', 1),
    seed: whole('seed', values.seed ?? String(Date.now() % 2 ** 31), 0),
    workloads: chosen('workload', workload, Object.keys(plans)),
  }
}

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const

function read() {
  try {
    const options = {
      concurrency: text,
      count: text,
      help: flag,
      json: flag,
      only: text,
      out: text,
      quiet: text,
      retries: text,
      rounds: text,
      seconds: text,
      seed: text,
      workload: text,
    }
    return parseArgs({ options }).values
  } catch (error) {
    return refuse((error as Error).message)
  }
}

function chosen(
  option: string,
  given: string | undefined,
  all: readonly string[],
  isByDefault: (name: string) => boolean = () => true,
): readonly string[] {
  if (given === undefined) return all.filter(isByDefault)
  const names = given.split(',')
  const unknown = names.find(name => !all.includes(name))
  return unknown === undefined ? names : refuse(`--${option} knows ${all.join(', ')}; got '${unknown}'`)
}

function whole(option: string, given: string, least: number): number {
  const value = Number(given)
  if (Number.isSafeInteger(value) && value >= least) return value
  return refuse(`--${option} must be a whole number from ${least}; got '${given}'`)
}

function refuse(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}
