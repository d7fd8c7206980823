import { describe, expect, it } from 'vitest'

import { serverBinary } from '../support/nats.ts'
import { runChaos } from './run.ts'

/** The short form of `npm run chaos`. */
const short = { instances: 60, leaseTtlMs: 2000, log: 'silent', nodes: 3, partitions: 6, rate: 100 } as const

describe('three nodes under load whose nodes and servers are killed and paused', () => {
  it.each([
    ['one server', 1, 4],
    ['a cluster of three servers', 3, 2],
  ] as const)(
    'lose, double and leave behind nothing on %s',
    { timeout: 300_000 },
    async (_, servers, faults) => {
      const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
      process.stderr.write(`test/chaos/chaos.test.ts SEED=${seed}\n`)
      const told: string[] = []

      const report = await runChaos({ ...short, faults, seed, servers, serverPath: serverBinary() }, line => {
        told.push(line)
      })

      expect(report.violations, told.join('\n')).toEqual([])
      expect(report.accepted).toBeGreaterThan(100)
    },
  )
})
