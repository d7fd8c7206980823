import { describe, expect, it } from 'vitest'

import { connect } from '../../src/index.ts'
import { subjectsOf } from '../../src/nats/subjects.ts'
import { testConnection } from '../contract/fixtures.ts'
import { until } from '../contract/until.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { tally } from '../support/workflows.ts'
import { crash, startTallyNode } from './tally-node.ts'

const count = 1_500

describe('a node killed while it parks what a paused instance is sent, and while it hands it over', () => {
  it('loses and doubles nothing, and keeps the order', { timeout: 120_000 }, async () => {
    const namespace = freshNamespace()
    let child = await startTallyNode(namespace)
    const connection = await testConnection()
    await using client = await connect({ servers: sharedServerUrl(), namespace })
    const parked = async () =>
      (await connection.jsm.streams.info(subjectsOf(namespace).parkedStream)).state.messages
    const handle = await client.start(tally, { id: 'one', input: undefined })
    await handle.pause({ timeout: '20s' })

    const sending = Promise.all(Array.from({ length: count }, (_, n) => handle.send({ type: 'ADD', n })))
    const seenParking: number[] = []
    for (const least of [1, count / 4, count / 2]) {
      await until(async () => (await parked()) >= least)
      await crash(child)
      seenParking.push(await parked())
      child = await startTallyNode(namespace)
    }
    await sending
    await until(async () => (await parked()) >= count)
    const whilePaused = await handle.get()
    await handle.resume({ timeout: '30s' })
    const seenDraining: number[] = []
    for (const most of [count - 1, count / 2, count / 4]) {
      await until(async () => (await parked()) <= most)
      await crash(child)
      seenDraining.push(await parked())
      child = await startTallyNode(namespace)
    }
    const { context } = await handle.waitFor(s => s.context.seen.length >= count, { timeout: '60s' })
    await until(async () => (await parked()) === 0)

    expect(whilePaused).toMatchObject({ status: 'paused', context: { seen: [] } })
    expect(context.seen).toEqual(Array.from({ length: count }, (_, n) => n))
    // It was killed in the middle at least once.
    expect(seenParking.some(left => left > 0 && left < count)).toBe(true)
    expect(seenDraining.some(left => left > 0 && left < count)).toBe(true)
  })
})
