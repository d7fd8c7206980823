import { assign, setup } from 'xstate'
import { expect, it } from 'vitest'

import { bulk, defineWorkflow } from '../../src/index.ts'
import { subjectsOf } from '../../src/nats/subjects.ts'
import { testConnection } from '../contract/fixtures.ts'
import { serverWithUsers, urlOf } from '../nats/accounts.ts'
import { startNode } from '../support/node.ts'
import { tally } from '../support/workflows.ts'

const wordy = defineWorkflow(
  setup({ types: { output: {} as string } }).createMachine({
    id: 'wordy',
    initial: 'done',
    states: { done: { type: 'final' } },
    output: 'x'.repeat(4_000),
  }),
)

/** Has more results than a record has room for, and takes notes. */
const gathering = defineWorkflow(
  setup({
    types: {
      context: {} as { readonly notes: readonly number[] },
      events: {} as { type: 'NOTE'; n: number },
    },
    actors: {
      all: bulk(wordy, { concurrency: 50, items: () => Array.from({ length: 100 }, () => undefined) }),
    },
  }).createMachine({
    id: 'gathering',
    context: { notes: [] },
    on: {
      NOTE: { actions: assign({ notes: ({ context, event }) => [...context.notes, event.n] }) },
    },
    initial: 'under way',
    states: { 'under way': { invoke: { src: 'all', onDone: 'gathered' } }, gathered: {} },
  }),
)

it(
  'an instance that is stuck, as its results cannot be kept, holds up no other of its partition',
  { timeout: 90_000 },
  async () => {
    const server = await serverWithUsers({ publish: { deny: ['$KV.hf_prod_blobs.>'] } })
    const workflows = [wordy, gathering, tally]
    const shared = { namespace: 'prod', partitions: 1, workflows }
    const hindered = await startNode({ ...shared, servers: urlOf(server, 'limited') })
    const connection = await testConnection(urlOf(server, 'admin'))
    const { parkedStream } = subjectsOf('prod')
    const parked = async () => (await connection.jsm.streams.info(parkedStream)).state.messages
    const stuck = await hindered.client.start(gathering, { id: 'stuck' })
    const other = await hindered.client.start(tally, { id: 'other', input: undefined })
    await expect
      .poll(async () => (await stuck.get())?.activities[0]?.bulk?.completed ?? 0, { timeout: 20_000 })
      .toBeGreaterThan(15)

    const numbers = Array.from({ length: 600 }, (_, n) => n)
    await Promise.all(numbers.map(n => stuck.send({ type: 'NOTE', n })))
    const outcome = await other.update({ type: 'ADD', n: 1 }, { timeout: '60s' })
    await stuck.pause({ timeout: '30s' })
    const paused = await stuck.get()
    await expect.poll(parked, { timeout: 20_000 }).toBeGreaterThanOrEqual(400)
    await hindered.stop()
    const free = await startNode({ ...shared, servers: urlOf(server, 'admin') })
    const again = free.client.instance(gathering, 'stuck')
    await again.resume({ timeout: '30s' })
    const { context } = await again.waitFor(s => s.value === 'gathered' && s.context.notes.length >= 600, {
      timeout: '60s',
    })

    expect(outcome).toMatchObject({ type: 'accepted' })
    expect(paused).toMatchObject({ status: 'paused' })
    expect(paused!.context.notes.length).toBeLessThan(600)
    expect(context.notes).toEqual(numbers)
    await expect.poll(parked, { timeout: 20_000 }).toBe(0)
  },
)
