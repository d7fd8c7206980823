import { expect, it } from 'vitest'

import type { Clock, Inbox, Parking } from '../../actors/ports.ts'
import { systemClock } from '../../src/clock.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { gate, wiredNode } from '../support/wired-node.ts'
import { tally } from '../support/workflows.ts'

it('closes an inbox that was opened while its partition was being given up', async () => {
  const [opening, reading] = [gate(), gate()]
  const seen = { opening: false, draining: false, opened: 0, closed: 0 }
  const slowInbox = (inbox: Inbox): Inbox => ({
    prefetch: inbox.prefetch,
    publish: (...args) => inbox.publish(...args),
    async open(...args) {
      seen.opening = true
      await opening.passed
      const consumer = await inbox.open(...args)
      seen.opened++
      return {
        close() {
          seen.closed++
          return consumer.close()
        },
      }
    },
  })
  // While it is read what is parked, the partition is not drained.
  const slowParking = (parking: Parking): Parking => ({
    park: (...args) => parking.park(...args),
    last: (...args) => parking.last(...args),
    read: (...args) => parking.read(...args),
    async instances(partition) {
      await reading.passed
      return parking.instances(partition)
    },
  })
  // The drain of a partition begins with the timer that ends it.
  const drainTimeout = 29_000
  const clock: Clock = {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic(),
    setTimer(delayMs, callback) {
      seen.draining ||= delayMs === drainTimeout
      return systemClock.setTimer(delayMs, callback)
    },
  }
  const node = await wiredNode(
    {
      servers: sharedServerUrl(),
      namespace: freshNamespace(),
      partitions: 1,
      workflows: [tally],
      drainTimeout,
    },
    transport => ({
      ...transport,
      inbox: slowInbox(transport.inbox),
      parking: slowParking(transport.parking),
    }),
    clock,
  )
  node.start().catch(() => {})
  await expect.poll(() => seen.opening).toBe(true)

  const stopping = node.stop()
  await expect.poll(() => seen.draining).toBe(true)
  opening.open()
  await expect.poll(() => seen.opened).toBe(1)
  reading.open()
  await stopping

  expect(seen.closed).toBe(1)
})
