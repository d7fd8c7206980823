import { describe, expect, it } from 'vitest'

import { systemClock } from '../../src/clock.ts'
import type { Hint } from '../../actors/ports.ts'
import { MemoryHints } from '../../src/memory/hints.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { NatsHints } from '../../src/nats/hints.ts'
import { natsFixture, testConnection } from './fixtures.ts'
import { describeHints } from './hints.ts'
import { until } from './until.ts'

describeHints('memory', async () => {
  const namespace = new MemoryNamespace({ clock: systemClock })
  return { hintsOf: async () => new MemoryHints(namespace) }
})

describeHints('NATS', async () => {
  const { namespace } = await natsFixture()
  return { hintsOf: async () => new NatsHints(await testConnection(), namespace) }
})

describe('hints over NATS', () => {
  it('that make no sense are passed over, and those of other namespaces are not heard', async () => {
    const { connection, namespace } = await natsFixture()
    const other = await natsFixture()
    const hints = new NatsHints(connection, namespace)
    const heard: Hint[] = []
    await hints.listen(hint => heard.push(hint))

    const target = { workflow: 'order', id: 'o-1' }
    connection.send(namespace.subjects.allHints.replace('>', 'x'), new Uint8Array(0))
    connection.send(namespace.subjects.allHints.replace('>', '3.order.=zz'), new Uint8Array(0))
    new NatsHints(connection, other.namespace).send({ target, isForced: true })
    hints.send({ target, isForced: false })
    await until(() => heard.length > 0)

    expect(heard).toEqual([{ target, isForced: false }])
  })
})
