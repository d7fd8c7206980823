/**
 * Measures contestants side by side: rounds are interleaved, so that what the machine does in between meets all of
 * them. In each round each contestant is started for its turn, in a process of its own, and stopped after it: none
 * runs beside another. Every repetition is checked by the contestant: each instance came to what it should.
 */
import { setMaxListeners } from 'node:events'
import { appendFileSync } from 'node:fs'

import { readArguments } from './contest/arguments.ts'
import { ContestantProcess } from './contest/contestant-process.ts'
import { contestants } from './contest/contestants.ts'
import { commitName, machineName, untilQuiet } from './contest/machine.ts'
import type { Measurement } from './contest/measurement.ts'
import { isNoisy, plans, probes, type Plan } from './contest/plan.ts'
import { tablesOf } from './contest/table.ts'

const options = readArguments()
const { json, names, out, quietMs, retries, rounds, seconds, seed, workloads } = options
const interruption = new AbortController()
const interrupted = interruption.signal
setMaxListeners(0, interrupted)
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => interruption.abort(new Error('interrupted')))
}
const same = { commit: commitName(), machine: machineName(), seed }
const measurements: Measurement[] = []
const absent = new Map<string, string>()
let runs = 0

/** What is measured of a contestant: every workload that it takes part in, at every concurrency. */
interface Task {
  readonly concurrency: number
  readonly count: number | undefined
  readonly workload: string
}

function tasksOf({ workloads: known }: ContestantProcess): readonly Task[] {
  const all = { ...Object.fromEntries(workloads.map(name => [name, plans[name]!])), ...probes }
  return Object.entries(all).flatMap(([workload, { concurrencies, count }]) => {
    if (!known.includes(workload)) return []
    // What is not measured over concurrencies keeps its own.
    const isAsked = concurrencies.length > 1 || count === 'concurrency'
    const asked = isAsked ? options.concurrencies : undefined
    return (asked ?? concurrencies).map(concurrency => {
      const fixed = countOf(count, concurrency)
      return { concurrency, count: fixed, workload }
    })
  })
}

/** Undefined: as many as take as long as was asked for. */
function countOf(planned: Plan['count'], concurrency: number): number | undefined {
  if (planned === 'seconds') return undefined
  return planned === 'concurrency' ? concurrency : (options.count ?? planned)
}

/** A contestant that fails loses its turn and is named; the others go on, and the exit code tells. */
async function tryTurn(contestant: string, round: number): Promise<void> {
  try {
    await takeTurn(contestant, round)
  } catch (error) {
    interrupted.throwIfAborted()
    process.exitCode = 1
    const text = error instanceof Error ? error.message : String(error)
    process.stderr.write(`round ${round + 1} of ${rounds}: ${contestant} FAILED: ${text}\n`)
  }
}

async function takeTurn(contestant: string, round: number): Promise<void> {
  await using running = await start(contestant)
  if (running === undefined) return
  const order = (task: Task, count: number) => {
    const { concurrency, workload } = task
    return running.run({ concurrency, count, run: `${round}-${runs++}`, seed, workload })
  }
  for (const task of tasksOf(running)) {
    const { concurrency, workload } = task
    const rate = async (count: number) => count / (await order(task, count)).outcome.seconds
    const few = Math.max(20, 2 * concurrency)
    // The first are slow: they are only to tell how many are not.
    const many = async () => Math.max(few, Math.round((await rate(few)) * (seconds / 4)))
    const count = task.count ?? Math.max(few, Math.round((await rate(await many())) * seconds))
    for (let attempt = 0; attempt <= retries; attempt++) {
      await untilQuiet(quietMs, interrupted)
      const { outcome, taken } = await order(task, count)
      const noisy = isNoisy(taken.foreign)
      const perSecond = count / outcome.seconds
      const { about } = running
      const numbers = { concurrency, count, noisy, perSecond, round }
      const date = new Date().toISOString()
      keep({ ...same, about, contestant, date, ...numbers, ...outcome, taken, workload })
      if (!noisy) break
    }
  }
}

/** Undefined when it cannot take part on this machine. */
async function start(contestant: string): Promise<ContestantProcess | undefined> {
  if (absent.has(contestant)) return undefined
  const started = await ContestantProcess.start(contestants[contestant]!, interrupted)
  if (typeof started !== 'string') return started
  absent.set(contestant, started)
  process.stderr.write(`${contestant} does not take part: ${started}\n`)
  return undefined
}

function keep(measurement: Measurement): void {
  measurements.push(measurement)
  if (out !== undefined) appendFileSync(out, `${JSON.stringify(measurement)}\n`)
  const { contestant, round, workload, concurrency, count, noisy, perSecond, taken } = measurement
  const noise = `${(100 * taken.foreign).toFixed(0)} % foreign${noisy ? ': noisy' : ''}`
  process.stderr.write(
    `round ${round + 1} of ${rounds}: ${contestant} ${workload} at ${concurrency}: ${perSecond.toFixed(0)}/s (${count}, ${noise})\n`,
  )
}

try {
  process.stderr.write(`seed ${seed}\n`)
  for (let round = 0; round < rounds; round++) {
    // Each in turn begins: none is always measured after the same other.
    const first = round % names.length
    for (const name of [...names.slice(first), ...names.slice(0, first)]) await tryTurn(name, round)
  }
  process.stdout.write(json ? `${JSON.stringify({ measurements })}\n` : tablesOf(measurements))
} catch (error) {
  if (!interrupted.aborted) throw error
  process.exitCode = 130
}
