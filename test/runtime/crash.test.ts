import { describe, expect, it } from 'vitest'

import { connect } from '../../src/index.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { tally } from '../support/workflows.ts'
import { randomFrom } from '../support/random.ts'
import { crash, startTallyNode } from './tally-node.ts'

describe('a node killed again and again', () => {
  it('loses and doubles no event, timer or activity', { timeout: 120_000 }, async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
    process.stderr.write(`test/runtime/crash.test.ts SEED=${seed}\n`)
    const random = randomFrom(seed)
    const namespace = freshNamespace()
    let child = await startTallyNode(namespace)
    await using client = await connect({ servers: sharedServerUrl(), namespace })
    const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    const handles = await Promise.all(ids.map(id => client.start(tally, { id, input: undefined })))
    let sent = 0
    let isOver = false
    const sending = (async () => {
      while (!isOver) {
        await Promise.all(handles.map(handle => handle.send({ type: 'ADD', n: sent })))
        // What is sent here must be worked off before the end, however slow the machine is.
        await new Promise(resolve => setTimeout(resolve, 5))
        sent++
        if (sent % 20 === 10) await Promise.all(handles.map(handle => handle.send({ type: 'GREET' })))
      }
    })()

    for (let round = 0; round < 6; round++) {
      await new Promise(resolve => setTimeout(resolve, 20 + random() * 400))
      await crash(child)
      child = await startTallyNode(namespace)
    }
    isOver = true
    await sending
    await Promise.all(
      handles.map(async handle => {
        // The last greeting may still be under way: it is waited for, then asked again.
        let outcome
        do {
          await handle.waitFor(({ value }) => value === 'open', { timeout: '30s' })
          outcome = await handle.update({ type: 'WAIT', ms: 50 }, { timeout: '30s' })
        } while (outcome.type === 'ignored')
      }),
    )
    await crash(child)
    await startTallyNode(namespace)
    const results = await Promise.all(handles.map(handle => handle.result({ timeout: '30s' })))
    const snapshots = await Promise.all(handles.map(handle => handle.get()))

    const numbers = Array.from({ length: sent }, (_, index) => index)
    expect(sent).toBeGreaterThan(10)
    for (const [index, snapshot] of snapshots.entries()) {
      expect(snapshot?.context.seen).toEqual(numbers)
      expect(results[index]?.count).toBe((sent * (sent - 1)) / 2)
    }
  })
})
