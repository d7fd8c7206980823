import { expect, it } from 'vitest'
import { assign, setup } from 'xstate'
import { defineWorkflow, type StandardSchema } from '../../src/index.ts'
import { collect, startNode } from '../support/node.ts'

type Add = { readonly type: 'ADD'; readonly ns: readonly unknown[] }
/** Says of each number what is wrong with it. */
const numbers: StandardSchema<Add> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: value => {
      const { ns } = value as Add
      const issues = ns.flatMap((n, index) =>
        typeof n === 'number' ? [] : [{ path: ['ns', index], message: 'must be a number' }],
      )
      return issues.length === 0 ? { value: value as Add } : { issues }
    },
  },
}
const strict = defineWorkflow(
  setup({ types: { context: {} as { n: number }, events: {} as Add } }).createMachine({
    id: 'strict',
    context: { n: 0 },
    on: { ADD: { actions: assign({ n: ({ context, event }) => context.n + event.ns.length }) } },
  }),
  { events: { ADD: numbers } },
)

it('an event of which more is wrong than an answer holds is refused like any other', async () => {
  const { client } = await startNode({ workflows: [strict], partitions: 1 })
  await client.start(strict, { id: 'one' })
  // Past the check of the client, as a client in another language is.
  const loose = client.instance('strict', 'one')

  const outcome = await loose.update({ type: 'ADD', ns: Array(60_000).fill('x') } as never, { timeout: '3s' })

  expect(outcome).toMatchObject({ type: 'rejected', code: 'EVENT_INVALID' })
  await expect.poll(async () => (await collect(client.deadLetters.list())).length).toBe(1)
})
