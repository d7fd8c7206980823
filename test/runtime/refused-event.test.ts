import { expect, it } from 'vitest'
import { assign, setup } from 'xstate'
import { activity, defineWorkflow } from '../../src/index.ts'
import { startNode } from '../support/node.ts'

const attempts: number[] = []
const busy = (name: string, restart: 'temporary' | 'transient') =>
  defineWorkflow(
    setup({
      types: {
        context: {} as { text: string; failure?: unknown },
        events: {} as { type: 'BLOAT' } | { type: 'BREAK' } | { type: 'LOOK' },
      },
      actors: {
        work: activity({
          name: 'work',
          restart,
          run: async ({ attempt, signal }) => {
            attempts.push(attempt)
            await new Promise<void>(resolve => {
              setTimeout(resolve, 1_500)
              signal.addEventListener('abort', () => resolve())
            })
          },
        }),
      },
    }).createMachine({
      id: name,
      context: { text: '' },
      initial: 'working',
      on: {
        BLOAT: { actions: assign({ text: () => 'x'.repeat(2 * 1024 * 1024) }) },
        BREAK: {
          actions: assign(() => {
            throw new Error('broken on purpose')
          }),
        },
      },
      states: {
        working: { invoke: { src: 'work', onDone: 'done', onError: 'lost' } },
        done: { type: 'final' },
        lost: {},
      },
    }),
    { onError: 'deadLetter' },
  )
const all = [busy('lasting', 'transient'), busy('brief', 'temporary')]

for (const workflow of all) {
  for (const type of ['BLOAT', 'BREAK'] as const) {
    it(`a refused event interrupts no activity: ${workflow.name} ${type}`, async () => {
      attempts.length = 0
      const { client } = await startNode({ workflows: all, partitions: 1 })
      const handle = await client.start(workflow, { id: 'one' })
      await expect.poll(() => attempts.length).toBe(1)

      expect(await handle.update({ type })).toMatchObject({ type: 'rejected' })
      await expect.poll(async () => (await handle.get())?.value, { timeout: 4_000 }).not.toBe('working')

      expect((await handle.get())?.value).toBe('done')
      expect(attempts).toEqual([1])
    })
  }
}
