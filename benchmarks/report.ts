/** Writes what was measured into `benchmarks/README.md`, as tables, and beside it as plots. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { merged, quantile } from './contest/histogram.ts'
import type { Measurement } from './contest/measurement.ts'
import { plot, type Line } from './contest/plot.ts'
import { plans } from './contest/plan.ts'
import { groupsOf, tablesOf, type Group } from './contest/table.ts'

const help = `Writes what was measured into benchmarks/README.md and benchmarks/plots/.

  npm run bench:report -- <file>    that --out of npm run bench:peers has written
`

/** The sources are above the compiled. */
const folder = join(import.meta.dirname, '..', '..', 'benchmarks')
const begin = '<!-- measured: written by npm run bench:report -->\n'
const end = '<!-- /measured -->\n'

const { positionals, values } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean' } } })
const [file] = positionals
if (file === undefined || values.help === true) {
  process.stdout.write(help)
  process.exit(values.help === true ? 0 : 2)
}
const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
const measurements = lines.map(line => JSON.parse(line) as Measurement)
const groups = groupsOf(measurements)
mkdirSync(join(folder, 'plots'), { recursive: true })
const pictures = Object.entries(plans).flatMap(([workload, { title, unit }]) => {
  const chosen = groups.filter(({ first }) => first.workload === workload)
  const most = Math.max(...chosen.map(({ first }) => first.concurrency))
  const over = linesOf(chosen, ({ first, perSecond }) => [[first.concurrency, perSecond]])
  const latencies = linesOf(
    chosen.filter(({ first }) => first.concurrency === most),
    group => distribution(group),
  )
  return [
    ...draw(`${workload}-throughput`, plot({ title, x: 'operations in flight', y: `${unit}/s` }, over), over),
    ...draw(
      `${workload}-latency`,
      plot({ title: `${title}; ${most} in flight`, x: 'one in so many is slower', y: 'ms' }, latencies),
      latencies,
    ),
  ]
})
const readme = join(folder, 'README.md')
const before = readFileSync(readme, 'utf8')
const [above, rest] = before.split(begin)
const below = rest?.split(end)[1]
if (below === undefined) throw new Error(`${readme} has no place for what was measured`)
writeFileSync(readme, `${above}${begin}\n${tablesOf(measurements)}${pictures.join('')}\n${end}${below}`)
execFileSync(join(folder, '..', 'node_modules', '.bin', 'oxfmt'), [readme])
process.stderr.write(`${measurements.length} measurements are in ${readme}\n`)

/** A line for each contestant, through the points of its groups. */
function linesOf(of: readonly Group[], points: (group: Group) => Line['points']): readonly Line[] {
  const names = [...new Set(of.map(({ first }) => first.contestant))]
  return names.map(name => {
    return { name, points: of.filter(({ first }) => first.contestant === name).flatMap(points) }
  })
}

/** Latency in milliseconds over how rare it is. */
function distribution({ chosen }: Group): Line['points'] {
  const counts = merged(chosen.map(({ latencies }) => latencies))
  return [2, 5, 10, 20, 50, 100, 200, 500, 1000].map(
    rarity => [rarity, quantile(counts, 1 - 1 / rarity) / 1000] as const,
  )
}

/** Answers the reference to it; one point makes no line. */
function draw(name: string, picture: string, drawn: readonly Line[]): readonly string[] {
  if (!drawn.some(({ points }) => points.filter(([, y]) => y > 0).length > 1)) return []
  writeFileSync(join(folder, 'plots', `${name}.svg`), picture)
  return [`\n![${name}](plots/${name}.svg)\n`]
}
