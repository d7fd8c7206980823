/** Writes what was measured into `benchmarks/README.md`, as tables, and beside it as plots. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import type { Measurement } from './contest/measurement.ts'
import { picturesOf } from './contest/pictures.ts'
import { groupsOf, tablesOf } from './contest/table.ts'

const help = `Writes what was measured into benchmarks/README.md and benchmarks/plots/.

  npm run bench:report -- <files>    that --out of npm run bench:peers and the like have written
`

/** The sources are above the compiled. */
const folder = join(import.meta.dirname, '..', '..', 'benchmarks')
const begin = '<!-- measured: written by npm run bench:report -->\n'
const end = '<!-- /measured -->\n'

const { positionals: files, values } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean' } },
})
if (files.length === 0 || values.help === true) {
  process.stdout.write(help)
  process.exit(values.help === true ? 0 : 2)
}
const lines = files.flatMap(file => readFileSync(file, 'utf8').split('\n').filter(Boolean))
const measurements = lines.map(line => JSON.parse(line) as Measurement)
mkdirSync(join(folder, 'plots'), { recursive: true })
const references = picturesOf(groupsOf(measurements)).map(({ name, svg }) => {
  writeFileSync(join(folder, 'plots', `${name}.svg`), svg)
  return `\n![${name}](plots/${name}.svg)\n`
})
const readme = join(folder, 'README.md')
const before = readFileSync(readme, 'utf8')
const [above, rest] = before.split(begin)
const below = rest?.split(end)[1]
if (below === undefined) throw new Error(`${readme} has no place for what was measured`)
writeFileSync(readme, `${above}${begin}\n${tablesOf(measurements)}${references.join('')}\n${end}${below}`)
execFileSync(join(folder, '..', 'node_modules', '.bin', 'oxfmt'), [readme])
process.stderr.write(`${measurements.length} measurements are in ${readme}\n`)
