/** What was measured, as plots. */
import { contestants, isScaled, scales } from './contestants.ts'
import { merged, quantile } from './histogram.ts'
import { plans, type Plan } from './plan.ts'
import { plot, type Axis, type Line } from './plot.ts'
import { median, type Group } from './table.ts'

export interface Picture {
  readonly name: string
  readonly svg: string
}

/** Those for which enough was measured: one point makes no line. */
export function picturesOf(groups: readonly Group[]): readonly Picture[] {
  return Object.entries(plans).flatMap(([workload, plan]) => {
    const all = groups.filter(({ first }) => first.workload === workload)
    const lone = all.filter(({ first }) => !isScaled(first.contestant))
    const svgs = {
      [`${workload}-throughput`]: throughput(plan, lone),
      [`${workload}-latency`]: latency(plan, lone),
      [`${workload}-memory`]: workload === 'idle' ? idleMemory(plan, lone) : undefined,
      [`${workload}-nodes`]: overNodes(plan, all),
    }
    return Object.entries(svgs).flatMap(([name, svg]) => (svg === undefined ? [] : [{ name, svg }]))
  })
}

function throughput(plan: Plan, groups: readonly Group[]): string | undefined {
  const { title, unit } = plan
  const y: Axis = { label: `${unit} a second`, scale: 'log' }
  const lines = byContestant(groups, ({ first, perSecond }) => [[first.concurrency, perSecond]])
  return plot({ title, x: { label: whatIsMany(plan), scale: 'log' }, y }, lines)
}

/** At the highest concurrency of those at which most were measured. */
function latency(plan: Plan, groups: readonly Group[]): string | undefined {
  const byConcurrency = new Map<number, readonly Group[]>()
  for (const group of groups.toSorted((a, b) => b.first.concurrency - a.first.concurrency)) {
    const { concurrency } = group.first
    byConcurrency.set(concurrency, [...(byConcurrency.get(concurrency) ?? []), group])
  }
  const [[most, chosen] = [0, []]] = [...byConcurrency].toSorted(([, a], [, b]) => b.length - a.length)
  const share = (rarity: number) => `${Number((100 * (1 - 1 / rarity)).toPrecision(3))} %`
  const title = `${plan.title}; ${most.toLocaleString('en')} ${whatIsMany(plan)}`
  const x: Axis = { label: 'share that is not slower', scale: 'log', show: share }
  return plot({ title, x, y: { label: 'milliseconds', scale: 'log' } }, byContestant(chosen, distribution))
}

/** Latency in milliseconds over how rare it is, as far as there are enough of them. */
function distribution({ chosen }: Group): Line['points'] {
  const counts = merged(chosen.map(({ latencies }) => latencies))
  const total = counts.reduce((sum, [, count]) => sum + count, 0)
  return [2, 5, 10, 20, 50, 100, 200, 500, 1000]
    .filter(rarity => rarity <= total)
    .map(rarity => [rarity, quantile(counts, 1 - 1 / rarity) / 1000] as const)
}

/** Figures of `benchmarks/idle.ts`. */
const memories = {
  afterStartsMiB: 'right after the starts',
  idleMiB: 'idle, resident',
  restartedMiB: 'restarted, resident',
  programMiB: 'the program alone',
  idleHeapMiB: 'idle, heap',
}

/** What the node holds, by how many instances lie idle in its bucket. */
function idleMemory(plan: Plan, groups: readonly Group[]): string | undefined {
  const lines = Object.entries(memories).map(([figure, name], colour): Line => {
    const points = groups.map(({ chosen, first }) => {
      return [first.concurrency, median(chosen.map(({ figures }) => figures?.[figure] ?? 0))] as const
    })
    return { colour, name, points }
  })
  const x: Axis = { label: whatIsMany(plan), scale: 'log' }
  return plot({ title: 'W5: memory of a node', x, y: { label: 'MiB', scale: 'linear' } }, lines)
}

/** W8: a line for each concurrency. */
function overNodes({ title, unit }: Plan, groups: readonly Group[]): string | undefined {
  const ofOneServer = groups.filter(({ first }) => nodesOf(first.contestant) !== undefined)
  const larger = ofOneServer.filter(({ first }) => isScaled(first.contestant))
  const concurrencies = [...new Set(larger.map(({ first }) => first.concurrency))]
  const lines = concurrencies.map((concurrency, colour): Line => {
    const points = ofOneServer
      .filter(({ first }) => first.concurrency === concurrency)
      .map(({ first, perSecond }) => [nodesOf(first.contestant)!, perSecond] as const)
    return { colour, name: `${concurrency} in flight`, points }
  })
  const x: Axis = { label: 'nodes, on one machine and one server', scale: 'linear' }
  return plot(
    { title: `W8, more nodes. ${title}`, x, y: { label: `${unit} a second`, scale: 'linear' } },
    lines,
  )
}

/** Undefined for what is not Holdfast on one server. */
function nodesOf(contestant: string): number | undefined {
  if (contestant === 'holdfast') return 1
  const scale = scales[contestant]
  return scale?.servers === 1 ? scale.nodes : undefined
}

/** A line for each contestant, through the points of its groups, in the same colour everywhere. */
function byContestant(groups: readonly Group[], points: (group: Group) => Line['points']): readonly Line[] {
  const all = Object.keys(contestants).filter(name => !isScaled(name))
  return all
    .map((name, colour): Line => {
      return {
        colour,
        name,
        points: groups.filter(({ first }) => first.contestant === name).flatMap(points),
      }
    })
    .filter(line => line.points.length > 0)
}

function whatIsMany({ concurrentlyOf = 'operations in flight' }: Plan): string {
  return concurrentlyOf
}
