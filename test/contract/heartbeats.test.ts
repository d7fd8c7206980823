import { describe, expect, it } from 'vitest'

import { systemClock } from '../../src/clock.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryHeartbeats } from '../../src/memory/heartbeats.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { readEntry } from '../../src/nats/entry.ts'
import { NatsHeartbeats } from '../../src/nats/heartbeats.ts'
import { isAtLeast } from '../../src/nats/server-version.ts'
import { pause } from '../../src/nats/wait.ts'
import { serverVersion } from '../support/nats.ts'
import { natsFixture, testConnection } from './fixtures.ts'
import { describeHeartbeats } from './heartbeats.ts'
import { until } from './until.ts'

describe('heartbeats in NATS', () => {
  it.each(['01JABC', '17', '{"avoided":7}', '{"avoided":["3",3.5]}', 'null'])(
    'of an older node, or of somebody else, say that it stays away from nothing: %s',
    async value => {
      const { connection, namespace } = await natsFixture()
      const heartbeats = new NatsHeartbeats(connection, namespace, { name: 'b', incarnation: '1' })
      await connection.publish(namespace.subjects.heartbeat('a'), new TextEncoder().encode(value))
      const heard: unknown[] = []

      await heartbeats.listen({
        alive: (name, _agoMs, avoided) => heard.push(name, avoided),
        left: () => {},
      })

      expect(heard).toEqual(['a', []])
    },
  )
})

describeHeartbeats('memory', async () => {
  const clock = new ManualClock()
  const namespace = new MemoryNamespace({ clock })
  return {
    ttlMs: namespace.leaseTtlMs,
    heartbeatsOf: async node => new MemoryHeartbeats(namespace, node),
    forgotten: async () => clock.advance(namespace.leaseTtlMs),
    pass: async durationMs => clock.advance(durationMs),
    knowsAges: true,
  }
})

describeHeartbeats('NATS', async () => {
  const { connection, namespace } = await natsFixture({ leaseTtlMs: 1_000 })
  return {
    ttlMs: namespace.leaseTtlMs,
    heartbeatsOf: async name =>
      new NatsHeartbeats(await testConnection(), namespace, { name, incarnation: '1' }),
    forgotten: node =>
      until(async () => {
        const { heartbeat, leaseStream } = namespace.subjects
        return (await readEntry(connection, leaseStream, heartbeat(node))) === undefined
      }),
    pass: durationMs => pause(systemClock, durationMs),
    knowsAges: isAtLeast(serverVersion(), [2, 10, 0]),
  }
})
