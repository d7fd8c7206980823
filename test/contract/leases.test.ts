import { randomUUID } from 'node:crypto'
import { systemClock } from '../../src/clock.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryLeases } from '../../src/memory/leases.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { readEntry } from '../../src/nats/entry.ts'
import { NatsLeases } from '../../src/nats/leases.ts'
import { pause } from '../../src/nats/wait.ts'
import { natsFixture } from './fixtures.ts'
import { describeLeases } from './leases.ts'
import { until } from './until.ts'

describeLeases('memory', async () => {
  const clock = new ManualClock()
  const namespace = new MemoryNamespace({ clock })
  return {
    clock,
    ttlMs: namespace.leaseTtlMs,
    leasesOf: (node, incarnation = randomUUID()) => new MemoryLeases(namespace, { node, incarnation }),
    expired: async () => clock.advance(namespace.leaseTtlMs),
    pass: async durationMs => clock.advance(durationMs),
  }
})

describeLeases('NATS', async () => {
  const { connection, namespace } = await natsFixture({ leaseTtlMs: 1_000 })
  return {
    clock: systemClock,
    ttlMs: namespace.leaseTtlMs,
    leasesOf: (node, incarnation = randomUUID()) =>
      new NatsLeases(connection, namespace, { node, incarnation }),
    expired: partition =>
      until(async () => {
        const { leaseStream, lease } = namespace.subjects
        return (await readEntry(connection, leaseStream, lease(partition))) === undefined
      }),
    pass: durationMs => pause(systemClock, durationMs),
  }
})
