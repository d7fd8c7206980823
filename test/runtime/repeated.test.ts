import { describe, expect, it } from 'vitest'

import { connect, type InstanceHandle } from '../../src/index.ts'
import { fragile } from '../support/fragile.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { codeOf, collect, startNode } from '../support/node.ts'
import { tally } from '../support/workflows.ts'
import { crash, startTallyNode } from './tally-node.ts'

/** Longer than it takes to answer, or every test would end so. */
const soon = { timeout: '15s' } as const
const add = { type: 'ADD', n: 7 } as const

async function begun(): Promise<InstanceHandle<typeof tally>> {
  const { client } = await startNode()
  return client.start(tally, { id: 'one', input: undefined })
}

function seenBy(outcome: object): unknown {
  return (outcome as { readonly snapshot: { readonly context: { readonly seen: unknown } } }).snapshot.context
    .seen
}

describe('an update that is sent again under its id', { timeout: 60_000 }, () => {
  it('is answered, and applied once', async () => {
    const handle = await begun()
    const first = await handle.update(add, { id: 'a', ...soon })
    await handle.update({ type: 'ADD', n: 8 }, soon)

    const again = await handle.update(add, { id: 'a', ...soon })
    const third = await handle.update(add, { id: 'a', ...soon })

    expect([first.type, again.type, third.type]).toEqual(['accepted', 'accepted', 'accepted'])
    expect([first, again, third].map(seenBy)).toEqual([[7], [7, 8], [7, 8]])
  })

  it('is answered from another process after the first has waited in vain, though the node was killed in between', async () => {
    const namespace = freshNamespace()
    const node = await startTallyNode(namespace)
    await using client = await connect({ servers: sharedServerUrl(), namespace })
    const handle = await client.start(tally, { id: 'one', input: undefined })
    const applied = await handle.update(add, { id: 'applied', ...soon })
    await crash(node)
    const waiting = await codeOf(handle.update({ type: 'ADD', n: 8 }, { id: 'waiting', timeout: '50ms' }))
    await using other = await connect({ servers: sharedServerUrl(), namespace })
    const same = other.instance(tally, 'one')

    const again = Promise.all([
      same.update(add, { id: 'applied', ...soon }),
      same.update({ type: 'ADD', n: 8 }, { id: 'waiting', ...soon }),
      same.update({ type: 'ADD', n: 8 }, { id: 'waiting', ...soon }),
    ])
    await startTallyNode(namespace)

    expect([applied.type, waiting]).toEqual(['accepted', 'TIMEOUT'])
    expect((await again).map(({ type }) => type)).toEqual(['accepted', 'accepted', 'accepted'])
    expect((await same.get())?.context.seen).toEqual([7, 8])
  })

  it('is answered when many are sent again together', async () => {
    const { client } = await startNode()
    const ids = Array.from({ length: 40 }, (_, n) => `i-${n}`)
    const handles = await Promise.all(ids.map(id => client.start(tally, { id, input: undefined })))
    const updateAll = () =>
      Promise.all(handles.map(handle => handle.update(add, { id: `a-${handle.address.id}`, ...soon })))
    await updateAll()

    const outcomes = await updateAll()

    expect(outcomes.map(({ type }) => type)).toEqual(ids.map(() => 'accepted'))
    expect(outcomes.map(seenBy)).toEqual(ids.map(() => [7]))
  })

  it('is answered when it was sent without waiting the first time', async () => {
    const handle = await begun()
    await handle.send(add, { id: 'a' })

    const outcome = await handle.update(add, { id: 'a', ...soon })

    expect([outcome.type, seenBy(outcome)]).toEqual(['accepted', [7]])
  })

  it('is answered that it is a repetition when the instance may have forgotten its id, and not applied', async () => {
    const handle = await begun()
    await handle.update(add, { id: 'a', ...soon })
    for (let n = 0; n < 8; n++) await handle.update({ type: 'ADD', n }, soon)

    const again = await handle.update(add, { id: 'a', ...soon })

    expect([again.type, seenBy(again)]).toEqual(['repeated', [7, 0, 1, 2, 3, 4, 5, 6, 7]])
  })

  it('is applied when it was refused the first time, and kept once among the dead letters', async () => {
    const { client } = await startNode()
    const handle = client.instance(tally, 'one')
    const refused = await handle.update(add, { id: 'a', ...soon })
    const still = await handle.update(add, { id: 'a', ...soon })
    await client.start(tally, { id: 'one', input: undefined, until: 'accepted' })

    const again = await handle.update(add, { id: 'a', ...soon })

    const code = 'INSTANCE_NOT_FOUND'
    expect([refused, still]).toMatchObject([{ code }, { code }])
    expect([again.type, seenBy(again)]).toEqual(['accepted', [7]])
    expect(await collect(client.deadLetters.list())).toHaveLength(1)
  })

  it('waits with all else that a paused instance is sent, and is answered when that goes on', async () => {
    const handle = await begun()
    await handle.pause(soon)
    const waiting = await codeOf(handle.update(add, { id: 'a', timeout: '50ms' }))
    const again = handle.update(add, { id: 'a', ...soon })
    await handle.resume(soon)

    expect(waiting).toBe('TIMEOUT')
    expect([(await again).type, seenBy(await again)]).toEqual(['accepted', [7]])
  })
})

describe('a request to control an instance that is sent again under its id', { timeout: 60_000 }, () => {
  it('is done once', async () => {
    const handle = await begun()
    await handle.pause({ id: 'p', ...soon })
    await handle.pause({ id: 'p', ...soon })
    const paused = await handle.get()
    await handle.resume({ id: 'r', ...soon })
    await handle.pause({ id: 'p', ...soon })
    const resumed = await handle.get()
    const cancels = [await handle.cancel({ id: 'c', ...soon }), await handle.cancel({ id: 'c', ...soon })]

    expect([paused?.status, resumed?.status]).toEqual(['paused', 'running'])
    expect(cancels).toEqual(['cancelled', 'cancelled'])
  })

  it('fails like the first while the instance is suspended', async () => {
    const { client } = await startNode({ workflows: [fragile(false)] })
    const handle = await client.start(fragile(false), { id: 'one', input: undefined })
    await handle.update({ type: 'ADD', n: 13 }, soon)

    const first = await codeOf(handle.retry({ id: 'r', ...soon }))
    const again = await codeOf(handle.retry({ id: 'r', ...soon }))
    const { incident } = (await handle.get())!
    await handle.skip({ id: 's', ...soon })
    await handle.skip({ id: 's', ...soon })

    expect([first, again, incident?.tries]).toEqual(['STEP_FAILED', 'STEP_FAILED', 2])
    expect((await handle.get())?.status).toBe('running')
  })
})
