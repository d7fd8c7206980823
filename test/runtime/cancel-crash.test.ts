import { describe, expect, it } from 'vitest'

import { connect, type Client, type InstanceHandle } from '../../src/index.ts'
import { until } from '../contract/until.ts'
import { bookingOf } from '../support/cancelling.ts'
import { child, parent } from '../support/families.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { codeOf, collect } from '../support/node.ts'
import { crash, startTallyNode } from './tally-node.ts'

const booking = bookingOf()

async function begin(client: Client, type: 'BOOK' | 'WORK'): Promise<InstanceHandle<typeof booking>> {
  const handle = await client.start(booking, { id: type, input: type })
  await handle.update({ type }, { timeout: '20s' })
  return handle
}

describe('a node killed right after a cancel is durable', () => {
  it('leaves an instance that is cancelled by the next', { timeout: 60_000 }, async () => {
    const namespace = freshNamespace()
    const first = await startTallyNode(namespace)
    await using client = await connect({ servers: sharedServerUrl(), namespace })
    const handle = await begin(client, 'WORK')

    // Stopped, it cannot take the cancel before it dies.
    first.kill('SIGSTOP')
    const outcome = await codeOf(handle.cancel({ timeout: '200ms', reason: 'rain' }))
    await crash(first)
    const before = await handle.get()
    await startTallyNode(namespace)
    const after = await handle.waitFor(s => s.status === 'cancelled', { timeout: '20s' })

    expect([outcome, before?.status]).toEqual(['TIMEOUT', 'running'])
    expect(after).toMatchObject({ stopReason: 'rain', activities: [], running: [] })
  })

  it('leaves children that are cancelled with it', { timeout: 60_000 }, async () => {
    const namespace = freshNamespace()
    const first = await startTallyNode(namespace)
    await using client = await connect({ servers: sharedServerUrl(), namespace })
    const handle = await client.start(parent, { id: 'p' })
    await handle.update({ type: 'RUN', n: 2, waits: true }, { timeout: '20s' })
    await until(async () => (await collect(client.list({ workflow: child }))).length === 1)

    const cancelling = handle.cancel({ force: true, timeout: '30s' })
    // Whether the record is stored when it dies, and the child told, is as it happens.
    await crash(first)
    await startTallyNode(namespace)
    await cancelling.catch(() => {})
    await handle.waitFor(s => s.status === 'cancelled', { timeout: '20s' })

    await expect
      .poll(async () => (await collect(client.list({ workflow: child }))).map(({ status }) => status), {
        timeout: 20_000,
      })
      .toEqual(['cancelled'])
  })
})

describe('an instance whose deadline passes while no node lives', () => {
  it('is cancelled when one comes back', { timeout: 60_000 }, async () => {
    const namespace = freshNamespace()
    const first = await startTallyNode(namespace)
    await using client = await connect({ servers: sharedServerUrl(), namespace })
    const handle = await begin(client, 'BOOK')

    const outcome = await handle.cancel({ grace: '500ms', timeout: '20s' })
    await crash(first)
    const before = (await handle.get())!
    const deadline = before.cancelling?.deadline.getTime() ?? Number.POSITIVE_INFINITY
    await until(() => Date.now() > deadline)
    await startTallyNode(namespace)
    const after = await handle.waitFor(s => s.status === 'cancelled', { timeout: '20s' })

    expect([outcome, before.status]).toEqual(['cancelling', 'cancelling'])
    expect(after).toMatchObject({ output: undefined, activities: [] })
  })

  it('still runs what undoes it when one comes back in time', { timeout: 60_000 }, async () => {
    const namespace = freshNamespace()
    const first = await startTallyNode(namespace)
    await using client = await connect({ servers: sharedServerUrl(), namespace })
    const handle = await begin(client, 'BOOK')

    await handle.cancel({ grace: '1h', timeout: '20s' })
    await crash(first)
    await startTallyNode(namespace)
    const { output } = await handle.waitFor(s => s.status === 'cancelled', { timeout: '20s' })

    expect(output).toBe('undone by the next')
  })
})
