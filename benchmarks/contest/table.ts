/** Tables of measurements, as Markdown. */
import { contestants, isScaled } from './contestants.ts'
import { merged, quantile } from './histogram.ts'
import { groupOf, type Measurement } from './measurement.ts'
import { plans, probes } from './plan.ts'
import type { Role } from './protocol.ts'

/** All repetitions of one workload at one concurrency by one contestant. */
export interface Group {
  readonly all: readonly Measurement[]
  /** Those that nothing disturbed; all of them when there are none. */
  readonly chosen: readonly Measurement[]
  readonly first: Measurement
  /** The median of what was chosen. */
  readonly perSecond: number
}

/** In the order of contestants, workloads and concurrencies. */
export function groupsOf(measurements: readonly Measurement[]): readonly Group[] {
  const byGroup = new Map<string, Measurement[]>()
  for (const measurement of measurements) {
    const key = groupOf(measurement)
    byGroup.set(key, [...(byGroup.get(key) ?? []), measurement])
  }
  const order = Object.keys(contestants)
  const groups = [...byGroup.values()].map((all): Group => {
    const quiet = all.filter(({ noisy }) => !noisy)
    const chosen = quiet.length > 0 ? quiet : all
    return { all, chosen, first: all[0]!, perSecond: median(chosen.map(({ perSecond }) => perSecond)) }
  })
  return groups.toSorted(({ first: a }, { first: b }) => {
    return order.indexOf(a.contestant) - order.indexOf(b.contestant) || a.concurrency - b.concurrency
  })
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** A table for each workload, and what was run with which settings on which machine. */
export function tablesOf(measurements: readonly Measurement[]): string {
  const groups = groupsOf(measurements)
  const table = (title: string, unit: string, rows: readonly Group[]) => {
    if (rows.length === 0) return ''
    const header = `| | c | ${unit}/s (least to most) | of Holdfast | of the limit | p50 ms | p99 ms | CPU s per 1,000: server + runtime + client | MiB | more |\n|---|---|---|---|---|---|---|---|---|---|\n`
    return `### ${title}\n\n${header}${rows.map(row => rowOf(row, groups)).join('')}\n`
  }
  const tables = Object.entries({ ...plans, ...probes }).map(([workload, { title, unit }]) => {
    const rows = groups.filter(({ first }) => first.workload === workload)
    const lone = rows.filter(({ first }) => !isScaled(first.contestant))
    const scaled = rows.filter(({ first }) => isScaled(first.contestant))
    const sizes = new Set(scaled.map(({ first }) => first.concurrency))
    const beside = lone.filter(({ first }) => first.contestant === 'holdfast' && sizes.has(first.concurrency))
    const larger = scaled.length === 0 ? [] : [...beside, ...scaled]
    return `${table(title, unit, lone)}${table(`W8, more nodes or replicas. ${title}`, unit, larger)}`
  })
  return `${surroundingsOf(measurements)}\n${tables.join('')}`
}

function rowOf({ all, chosen, first, perSecond }: Group, groups: readonly Group[]): string {
  const { concurrency, contestant, workload } = first
  const rates = chosen.map(({ perSecond: rate }) => rate)
  const latencies = merged(chosen.map(({ latencies: counts }) => counts))
  const ofHoldfast = groups.find(({ first: other }) => {
    return other.contestant === 'holdfast' && other.workload === workload && other.concurrency === concurrency
  })
  const noisy = all.length === chosen.length && first.noisy ? ' (noisy)' : ''
  const share = (group: Group | undefined) =>
    group === undefined ? '' : (perSecond / group.perSecond).toFixed(2)
  const cells = [
    contestant,
    concurrency,
    `${whole(perSecond)} (${whole(Math.min(...rates))} to ${whole(Math.max(...rates))})${noisy}`,
    share(ofHoldfast),
    contestant === 'holdfast' ? ofLimit(perSecond, first, groups) : '',
    latencies.length === 0 ? '' : milliseconds(quantile(latencies, 0.5)),
    latencies.length === 0 ? '' : milliseconds(quantile(latencies, 0.99)),
    byRole(chosen, ({ cpuSeconds }, { count }) => ((1000 * cpuSeconds) / count).toFixed(2)),
    byRole(chosen, ({ memoryMiB }) => memoryMiB.toFixed(0)),
    figuresOf(chosen),
  ]
  return `| ${cells.join(' | ')} |\n`
}

type ShareOf = Measurement['taken']['byRole'][Role] & {}

/** Of the repetition in the middle. */
function byRole(chosen: readonly Measurement[], show: (share: ShareOf, of: Measurement) => string): string {
  const middle = chosen.toSorted((a, b) => a.perSecond - b.perSecond)[chosen.length >> 1]!
  return (['server', 'runtime', 'client'] as const)
    .map(role => {
      const share = middle.taken.byRole[role]
      return share === undefined ? '–' : show(share, middle)
    })
    .join(' + ')
}

/** The median of each. */
function figuresOf(chosen: readonly Measurement[]): string {
  return Object.keys(chosen[0]!.figures ?? {})
    .map(name => `${name} ${whole(median(chosen.map(({ figures }) => figures?.[name] ?? 0)))}`)
    .join(', ')
}

/** What bounds a workload: a raw one of the probe, and how often that is done for each operation. */
function ofLimit(
  perSecond: number,
  { concurrency, workload }: Measurement,
  groups: readonly Group[],
): string {
  const limit = plans[workload]?.limit
  const raw = groups.find(({ first }) => first.workload === limit?.raw && first.concurrency === concurrency)
  return limit === undefined || raw === undefined ? '' : ((perSecond * limit.each) / raw.perSecond).toFixed(2)
}

function surroundingsOf(measurements: readonly Measurement[]): string {
  const last = measurements.at(-1)
  if (last === undefined) return 'Nothing was measured.\n'
  const versions = new Map(measurements.map(({ about, contestant }) => [contestant, about]))
  const lines = [...versions].map(([name, { durability, settings, versions: ran }]) => {
    const pairs = (of: Readonly<Record<string, unknown>>) =>
      Object.entries(of).map(([key, value]) => `${key} ${String(value)}`)
    return `- ${name}: ${[...pairs(ran), ...pairs(settings)].join(', ')}; survives: ${durability}\n`
  })
  return `${last.machine}; ${last.date.slice(0, 10)}; ${commitsOf(measurements)}\n\n${lines.join('')}`
}

/** The commit that was measured; of several, with which workloads. */
function commitsOf(measurements: readonly Measurement[]): string {
  const measured = new Map<string, Set<string>>()
  for (const { commit, workload } of measurements) {
    measured.set(commit, (measured.get(commit) ?? new Set()).add(workload))
  }
  if (measured.size === 1) return `commit ${[...measured.keys()].join()}`
  return Array.from(measured, ([commit, of]) => `commit ${commit}: ${[...of].join(', ')}`).join('; ')
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function milliseconds(microseconds: number): string {
  const ms = microseconds / 1000
  return ms < 10 ? ms.toFixed(2) : ms.toFixed(0)
}
