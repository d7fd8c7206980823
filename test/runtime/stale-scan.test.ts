import { pino } from 'pino'
import { expect, it, onTestFinished } from 'vitest'
import { setup } from 'xstate'
import type { Store } from '../../actors/ports.ts'
import { createNode, defineWorkflow } from '../../src/index.ts'
import { createIds } from '../../src/client/ids.ts'
import { systemClock } from '../../src/clock.ts'
import { openTransport } from '../../src/nats/transport.ts'
import { Node } from '../../src/runtime/node.ts'
import { resolveNodeOptions } from '../../src/runtime/options.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'

const sleeper = defineWorkflow(
  setup({
    types: { context: {} as object, events: {} as { type: 'WAIT'; ms: number } },
    delays: { asked: ({ event }) => (event as { ms: number }).ms },
  }).createMachine({
    id: 'sleeper',
    context: {},
    initial: 'idle',
    on: { WAIT: '.waiting' },
    states: { idle: {}, waiting: { after: { asked: 'over' } }, over: { type: 'final' } },
  }),
)

it('a moment that a scan has read does not replace one that was set since', async () => {
  const options = {
    servers: sharedServerUrl(),
    namespace: freshNamespace(),
    partitions: 1,
    workflows: [sleeper],
  }
  const before = await createNode({ ...options, log: 'silent' })
  await (await before.client.start(sleeper, { id: 'one' })).update({ type: 'WAIT', ms: 3_600_000 })
  await before.stop()

  // A node whose scan has read the record, and is kept by others that are being loaded.
  const nextId = createIds()
  const resolved = resolveNodeOptions(
    { ...options, log: 'silent', passivateAfter: '100ms' },
    nextId().slice(0, 6),
  )
  const transport = await openTransport({
    clock: systemClock,
    connection: resolved.connection,
    leaseTtlMs: resolved.leaseTtlMs,
    namespace: resolved.namespace,
    node: { name: resolved.name, incarnation: nextId() },
    partitions: resolved.partitions,
    replicas: resolved.replicas,
  })
  let goOn = () => {}
  const gate = new Promise<void>(resolve => (goOn = resolve))
  let hasRead = false
  const { store } = transport
  const slow: Store = {
    capacity: store.capacity,
    load: (...args) => store.load(...args),
    commit: (...args) => store.commit(...args),
    async *scanOwing(...args) {
      for await (const scanned of store.scanOwing(...args)) {
        hasRead = true
        await gate
        yield scanned
      }
    },
  }
  const node = new Node(resolved, { ...transport, store: slow }, pino({ level: 'silent' }), {
    clock: systemClock,
    nextId,
  })
  onTestFinished(() => node.stop())
  await node.start()
  await expect.poll(() => hasRead).toBe(true)
  const handle = node.client.instance(sleeper, 'one')
  await handle.update({ type: 'WAIT', ms: 2_000 })
  await expect.poll(() => node.status().resident).toBe(0)

  goOn()

  await expect(handle.result({ timeout: '6s' })).resolves.toBeUndefined()
})
