import { pino } from 'pino'
import { expect, it } from 'vitest'
import { createIds } from '../../src/client/ids.ts'
import { systemClock } from '../../src/clock.ts'
import { openTransport } from '../../src/nats/transport.ts'
import { Node } from '../../src/runtime/node.ts'
import { resolveNodeOptions } from '../../src/runtime/options.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { tally } from '../support/workflows.ts'

it('closes an inbox that was opened while its partition was being given up', async () => {
  const nextId = createIds()
  const options = {
    servers: sharedServerUrl(),
    namespace: freshNamespace(),
    partitions: 1,
    workflows: [tally],
  }
  const resolved = resolveNodeOptions({ ...options, log: 'silent' }, nextId().slice(0, 6))
  const transport = await openTransport({
    clock: systemClock,
    connection: resolved.connection,
    leaseTtlMs: resolved.leaseTtlMs,
    namespace: resolved.namespace,
    node: { name: resolved.name, incarnation: nextId() },
    partitions: resolved.partitions,
    replicas: resolved.replicas,
  })
  const gate = () => {
    let open = () => {}
    const passed = new Promise<void>(resolve => (open = resolve))
    return { open: () => open(), passed }
  }
  const opening = gate()
  const reading = gate()
  let isOpening = false
  let opened = 0
  let closed = 0
  const { inbox, parking } = transport
  const slow = {
    ...transport,
    inbox: {
      prefetch: inbox.prefetch,
      publish: inbox.publish.bind(inbox),
      open: async (...args: Parameters<typeof inbox.open>) => {
        isOpening = true
        await opening.passed
        const consumer = await inbox.open(...args)
        opened++
        return { close: () => (closed++, consumer.close()) }
      },
    },
    parking: {
      park: parking.park.bind(parking),
      last: parking.last.bind(parking),
      read: parking.read.bind(parking),
      instances: async (partition: number) => {
        await reading.passed
        return parking.instances(partition)
      },
    },
  }
  const node = new Node(resolved, slow as never, pino({ level: 'silent' }), { clock: systemClock, nextId })
  node.start().catch(() => {})
  await expect.poll(() => isOpening).toBe(true)

  // What is under way when the node stops: its partition is drained while its inbox opens.
  const stopping = node.stop()
  await new Promise(resolve => setTimeout(resolve, 300))
  opening.open()
  await expect.poll(() => opened).toBe(1)
  reading.open()
  await stopping

  expect(closed).toBe(1)
})
