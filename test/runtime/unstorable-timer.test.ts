import { pino } from 'pino'
import { expect, it } from 'vitest'
import { assign, setup } from 'xstate'
import { defineWorkflow } from '../../src/index.ts'
import { startNode } from '../support/node.ts'
import { tally } from '../support/workflows.ts'

/** Comes to hold what cannot be stored when its time is up. */
const spoiled = defineWorkflow(
  setup({
    types: { context: {} as { n: number; undo?: () => void }, events: {} as { type: 'ADD' } },
  }).createMachine({
    id: 'spoiled',
    context: { n: 0 },
    initial: 'fresh',
    on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    states: {
      fresh: { after: { 300: { target: 'old', actions: assign({ undo: () => () => {} }) } } },
      old: {},
    },
  }),
)

it('an instance whose timer comes to nothing that can be stored is suspended, and its partition goes on', async () => {
  const lines: string[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) })
  const node = await startNode({ workflows: [spoiled, tally], partitions: 1, log })
  const handle = await node.client.start(spoiled, { id: 'one' })
  let isOver = false
  const sending = (async () => {
    while (!isOver) await handle.send({ type: 'ADD' })
  })()

  const suspended = await handle.waitFor(({ status }) => status === 'suspended', { timeout: '10s' })
  isOver = true
  await sending
  const other = await node.client.start(tally, { id: 'other', input: undefined })

  expect(await other.update({ type: 'ADD', n: 1 })).toMatchObject({ type: 'accepted' })
  expect(suspended.incident).toMatchObject({ code: 'STEP_FAILED', error: { code: 'VALUE_UNSUPPORTED' } })
  expect(lines.filter(line => line.includes('must be opened anew'))).toEqual([])
})
