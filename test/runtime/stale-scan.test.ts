import { expect, it } from 'vitest'
import { setup } from 'xstate'

import type { Store } from '../../actors/ports.ts'
import { createNode, defineWorkflow } from '../../src/index.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { gate, wiredNode } from '../support/wired-node.ts'

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
  const scanning = gate()
  let hasRead = false
  const slowStore = (store: Store): Store => ({
    capacity: store.capacity,
    load: (...args) => store.load(...args),
    commit: (...args) => store.commit(...args),
    async *scanOwing(...args) {
      for await (const scanned of store.scanOwing(...args)) {
        hasRead = true
        await scanning.passed
        yield scanned
      }
    },
  })
  const node = await wiredNode({ ...options, passivateAfter: '100ms' }, transport => ({
    ...transport,
    store: slowStore(transport.store),
  }))
  await node.start()
  await expect.poll(() => hasRead).toBe(true)
  const handle = node.client.instance(sleeper, 'one')
  await handle.update({ type: 'WAIT', ms: 2_000 })
  await expect.poll(() => node.status().resident).toBe(0)

  scanning.open()

  await expect(handle.result({ timeout: '6s' })).resolves.toBeUndefined()
})
