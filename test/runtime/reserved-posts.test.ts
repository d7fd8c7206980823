import { describe, expect, it } from 'vitest'
import { assign, sendTo, setup } from 'xstate'
import { defineWorkflow, instanceRef } from '../../src/index.ts'
import { startNode } from '../support/node.ts'
import { noteUnhandled } from '../support/unhandled.ts'
import { tally } from '../support/workflows.ts'

const types = {
  context: {} as { readonly count: number },
  events: {} as { type: 'ADD' } | { type: 'FORWARD'; as: string; delay?: number },
}
/** Hands on whatever it is told to, as one that forwards the event that has led it into a state does. */
const forwarder = defineWorkflow(
  setup({ types, delays: { asked: ({ event }) => (event as { delay: number }).delay } }).createMachine({
    id: 'forwarder',
    context: { count: 0 },
    on: {
      ADD: { actions: assign({ count: ({ context }) => context.count + 1 }) },
      FORWARD: [
        {
          guard: ({ event }) => event.delay === undefined,
          actions: sendTo(
            () => instanceRef(tally, 'other'),
            ({ event }) => ({ type: event.as }) as never,
          ),
        },
        {
          actions: sendTo(
            () => instanceRef(tally, 'other'),
            ({ event }) => ({ type: event.as }) as never,
            {
              delay: 'asked',
            },
          ),
        },
      ],
    },
  }),
)

describe('a machine that sends another instance an event nobody may send', () => {
  it.each([undefined, 50])('is suspended, and its node lives (delay %s)', async delay => {
    const unhandled = noteUnhandled()
    const { client } = await startNode({ workflows: [forwarder, tally], partitions: 1 })
    const handle = await client.start(forwarder, { id: 'one' })

    await handle.send({ type: 'FORWARD', as: 'workflow.granted', ...(delay !== undefined && { delay }) })
    await expect.poll(async () => (await handle.get())?.status, { timeout: 3_000 }).toBe('suspended')

    expect(unhandled).toEqual([])
  })
})
