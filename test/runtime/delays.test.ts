import { describe, expect, it } from 'vitest'
import { setup } from 'xstate'
import { defineWorkflow } from '../../src/index.ts'
import { startNode } from '../support/node.ts'
import { tally } from '../support/workflows.ts'

const sleeper = defineWorkflow(
  setup({
    types: { context: {} as object, events: {} as { type: 'WAIT'; ms: number } | { type: 'BACK' } },
    delays: { asked: ({ event }) => (event as { ms: number }).ms },
  }).createMachine({
    id: 'sleeper',
    context: {},
    initial: 'idle',
    states: {
      idle: { on: { WAIT: 'waiting' } },
      waiting: { after: { asked: 'over' }, on: { BACK: 'idle' } },
      over: { type: 'final' },
    },
  }),
)

describe('a delay', () => {
  it.each([Number.MAX_SAFE_INTEGER, 1e300])('of %s ms leaves a record that can be read', async ms => {
    const { client } = await startNode({ workflows: [sleeper], partitions: 1 })
    const handle = await client.start(sleeper, { id: 'one' })

    await handle.update({ type: 'WAIT', ms })

    expect(await handle.get()).toMatchObject({ status: 'running', value: 'waiting' })
    expect(await handle.update({ type: 'BACK' })).toMatchObject({ type: 'accepted' })
  })

  it('that is no number suspends its instance', async () => {
    const { client } = await startNode({ workflows: [sleeper], partitions: 1 })
    const handle = await client.start(sleeper, { id: 'one' })

    await handle.send({ type: 'WAIT', ms: NaN })

    await expect.poll(async () => (await handle.get())?.status).toBe('suspended')
  })

  it('that is no number keeps no timer of another instance from firing', async () => {
    const { client } = await startNode({ workflows: [sleeper, tally], partitions: 1 })
    const [first, second] = await Promise.all(
      ['a', 'b'].map(id => client.start(tally, { id, input: undefined })),
    )
    const handle = await client.start(sleeper, { id: 'one' })

    await first!.update({ type: 'WAIT', ms: 500 })
    await second!.update({ type: 'WAIT', ms: 800 })
    await handle.send({ type: 'WAIT', ms: NaN })

    expect(await first!.result({ timeout: '5s' })).toMatchObject({ count: 0 })
    expect(await second!.result({ timeout: '5s' })).toMatchObject({ count: 0 })
  })
})
