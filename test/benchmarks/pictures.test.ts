import { expect, it } from 'vitest'

import type { Measurement } from '../../benchmarks/contest/measurement.ts'
import { picturesOf } from '../../benchmarks/contest/pictures.ts'
import { groupsOf } from '../../benchmarks/contest/table.ts'

function measured(contestant: string, concurrency: number): Measurement {
  return {
    about: { durability: 'none', settings: {}, versions: {} },
    checked: 100,
    commit: 'c0ffee',
    concurrency,
    contestant,
    count: 100,
    date: '2026-01-01T00:00:00.000Z',
    latencies: [
      [100, 50],
      [200, 50],
    ],
    machine: 'a machine',
    noisy: false,
    perSecond: 1000,
    round: 0,
    seconds: 1,
    seed: 1,
    taken: { byRole: {}, foreign: 0 },
    workload: 'steps',
  }
}

it('compares latencies where most were measured, though one was measured at a higher concurrency', () => {
  const measurements = [
    measured('holdfast', 64),
    measured('restate', 64),
    measured('holdfast', 512),
    measured('restate', 512),
    measured('holdfast', 2048),
  ]

  const pictures = picturesOf(groupsOf(measurements))

  const latency = pictures.find(({ name }) => name === 'steps-latency')?.svg
  expect(latency).toContain('512 operations in flight')
  expect(latency).toContain('restate')
})
