/** What processes take, as /proc tells: proc(5). */
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'

import type { Role } from './protocol.ts'

/** What somebody and all processes below took: processor time in between, memory at the end. */
export interface Share {
  readonly cpuSeconds: number
  /** Proportional: what processes have in common counts once. */
  readonly memoryMiB: number
}

export interface Taken {
  readonly byRole: Readonly<Partial<Record<Role, Share>>>
  /** The share of the machine that others took: processes of nobody here, and other virtual machines. */
  readonly foreign: number
}

/** The processes at the root of each role. Those below belong to the nearest root above. */
export type Roots = Readonly<Partial<Record<Role, number | readonly number[]>>>

/** Clock ticks a second, everywhere on Linux. */
const ticks = 100

interface Reading {
  readonly at: number
  readonly busy: number
  readonly byRole: ReadonlyMap<Role, number>
  readonly members: ReadonlyMap<Role, readonly number[]>
  readonly steal: number
}

/** Takes what is taken while the work lasts. The roots are asked for twice: a role may have another process by then. */
export async function metered<T>(roots: () => Roots, work: () => Promise<T>): Promise<readonly [T, Taken]> {
  const before = read(roots())
  const result = await work()
  const after = read(roots())
  return [result, difference(before, after)]
}

function difference(before: Reading, after: Reading): Taken {
  const byRole: Partial<Record<Role, Share>> = {}
  let own = 0
  for (const [role, cpu] of after.byRole) {
    // Less than before: its process was killed and another began from nothing.
    const had = before.byRole.get(role) ?? 0
    const cpuSeconds = cpu < had ? cpu : cpu - had
    own += cpuSeconds
    byRole[role] = { cpuSeconds, memoryMiB: memoryOf(after.members.get(role) ?? []) }
  }
  const foreignSeconds = Math.max(0, after.busy - before.busy - own) + after.steal - before.steal
  return { byRole, foreign: foreignSeconds / ((after.at - before.at) * cpus().length) }
}

function read(roots: Roots): Reading {
  const roleOf = new Map<number, Role>()
  for (const [role, pids] of Object.entries(roots)) {
    for (const pid of [pids].flat()) roleOf.set(pid, role as Role)
  }
  const processes = readProcesses()
  const byRole = new Map<Role, number>()
  const members = new Map<Role, number[]>()
  for (const [pid, { cpuSeconds }] of processes) {
    let ancestor = pid
    while (!roleOf.has(ancestor) && processes.has(ancestor)) ancestor = processes.get(ancestor)!.parent
    const role = roleOf.get(ancestor)
    if (role === undefined) continue
    byRole.set(role, (byRole.get(role) ?? 0) + cpuSeconds)
    members.set(role, [...(members.get(role) ?? []), pid])
  }
  // The first line: user nice system idle iowait irq softirq steal …
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]!
    .split(/\s+/)
    .slice(1)
    .map(value => Number(value) / ticks)
  const busy = user! + nice! + system! + irq! + softirq!
  return { at: performance.now() / 1000, busy, byRole, members, steal: steal! }
}

interface OneProcess {
  /** Its own, and that of its children that have ended. */
  readonly cpuSeconds: number
  readonly parent: number
}

function readProcesses(): ReadonlyMap<number, OneProcess> {
  const processes = new Map<number, OneProcess>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const stat = readIfThere(`/proc/${pid}/stat`)
    if (stat === undefined) continue
    // After the name in parentheses: state, parent, …, utime, stime, cutime, cstime.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const spent = fields[11]! + fields[12]! + fields[13]! + fields[14]!
    processes.set(pid, { cpuSeconds: spent / ticks, parent: fields[1]! })
  }
  return processes
}

function memoryOf(pids: readonly number[]): number {
  let kibibytes = 0
  for (const pid of pids) {
    const text = readIfThere(`/proc/${pid}/smaps_rollup`) ?? ''
    kibibytes += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0)
  }
  return kibibytes / 1024
}

/** Undefined when the process has ended since it was listed. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
