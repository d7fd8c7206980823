import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

import { isNoisy } from './plan.ts'

/** What it was measured on, for people. */
export function machineName(): string {
  const processors = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${processors.length} × ${processors[0]?.model}, ${memory} GiB, Linux ${release()}`
}

/** The commit that was measured; with `+` when there are changes. */
export function commitName(): string {
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', import.meta.dirname, ...args], { encoding: 'utf8' }).trim()
  const changes = git('status', '--porcelain', '--untracked-files=no')
  return `${git('rev-parse', '--short', 'HEAD')}${changes === '' ? '' : '+'}`
}

const lookMs = 500

/** Waits until nothing else runs, or until it has waited so long. */
export async function untilQuiet(mostMs: number, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + mostMs
  while (performance.now() < giveUpAt) {
    const before = readBusy()
    await pause(lookMs, undefined, { signal })
    if (!isNoisy((readBusy() - before) / ((lookMs / 1000) * cpus().length))) return
  }
}

/** Seconds in which a processor was not idle: proc(5), `/proc/stat`. */
function readBusy(): number {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!.split(/\s+/).slice(1, 9).map(Number)
  const [user, nice, system, , , irq, softirq, steal] = fields
  return (user! + nice! + system! + irq! + softirq! + steal!) / 100
}
