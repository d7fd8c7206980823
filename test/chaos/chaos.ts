/**
 * Breaks nodes and servers under load and checks that nothing was lost, doubled or left behind. See `--help`.
 */
import { parseArgs } from 'node:util'

import type { Times } from './figures.ts'
import { runChaos, type ChaosReport, type ChaosSettings } from './run.ts'

const help = `Breaks nodes and nats-servers under load, and checks every instance in the end.

  npm run chaos -- [options]

  --cluster           three nats-servers and three replicas instead of one server
  --faults <n>        how many (default 50)
  --instances <n>     (default 1000)
  --nodes <n>         (default 3)
  --partitions <n>    (default 12)
  --rate <n>          events a second (default 400)
  --ttl <ms>          how long a lease lasts (default 2000)
  --log <level>       what the nodes write to standard error (default error)
  --seed <n>          repeats the choice of faults and victims (default: the time)
  --help

Nodes are killed, restarted, paused past their lease; servers are killed and started again. Ends with exit code 1 when
anything is wrong. HOLDFAST_NATS_SERVER names the nats-server to use.
`

const { values } = parseArgs({
  options: {
    cluster: { type: 'boolean', default: false },
    faults: { type: 'string', default: '50' },
    instances: { type: 'string', default: '1000' },
    nodes: { type: 'string', default: '3' },
    partitions: { type: 'string', default: '12' },
    rate: { type: 'string', default: '400' },
    ttl: { type: 'string', default: '2000' },
    log: { type: 'string', default: 'error' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) {
  process.stdout.write(help)
} else {
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort())
  const settings: ChaosSettings = {
    faults: whole('faults'),
    instances: whole('instances'),
    leaseTtlMs: whole('ttl'),
    log: values.log as ChaosSettings['log'],
    nodes: whole('nodes'),
    partitions: whole('partitions'),
    rate: whole('rate'),
    seed: whole('seed'),
    servers: values.cluster ? 3 : 1,
    serverPath: process.env['HOLDFAST_NATS_SERVER'],
  }
  process.stdout.write(`seed ${settings.seed}\n`)
  const startedAt = performance.now()
  const report = await runChaos(settings, line => process.stdout.write(`${line}\n`), interrupted.signal)
  process.stdout.write(summary(report, performance.now() - startedAt))
  process.exit(report.violations.length === 0 ? 0 : 1)
}

function whole(name: 'faults' | 'instances' | 'nodes' | 'partitions' | 'rate' | 'ttl' | 'seed'): number {
  const value = Number(values[name])
  if (Number.isSafeInteger(value) && value >= 0) return value
  process.stderr.write(`--${name} must be a whole number; got '${values[name]}'\n`)
  process.exit(2)
}

function summary(report: ChaosReport, ms: number): string {
  const { accepted, gaps, instances, outage, repeated, restart, takeOver, violations } = report
  return [
    '',
    `events accepted and applied   ${accepted}, in ${instances} instances, in ${Math.round(ms / 1000)} s`,
    `sent again, outcome unknown   ${repeated}`,
    `node lost: served again       ${spread(takeOver)}`,
    `node restarted: served again  ${spread(restart)}`,
    `server lost: served again     ${spread(outage)}`,
    `longest gap of a partition    ${gaps.quantile(1)} ms`,
    violations.length === 0
      ? 'violations                    none'
      : `violations                    ${violations.length}\n${violations.slice(0, 50).join('\n')}`,
    '',
  ].join('\n')
}

function spread(times: Times): string {
  if (times.count === 0) return 'did not happen'
  return `p50 ${times.quantile(0.5)} ms, p99 ${times.quantile(0.99)} ms, of ${times.count}`
}
