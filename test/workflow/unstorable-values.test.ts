import { describe, expect, it } from 'vitest'
import { assign, emit, fromPromise, raise, setup, type AnyActorRef } from 'xstate'

import type { EventObject } from '../../actors/event.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'
import { startNode } from '../support/node.ts'

const callback = () => {}

/** Each event puts something that cannot be stored in another place. */
const careless = defineWorkflow(
  setup({
    types: {
      context: {} as Record<string, unknown>,
      events: {} as EventObject,
      input: {} as unknown,
      output: {} as unknown,
    },
    actors: {
      work: fromPromise<unknown, unknown>(async ({ input }) => input),
      answer: fromPromise<unknown>(async () => ({ callback })),
    },
  }).createMachine({
    id: 'careless',
    context: {},
    initial: 'open',
    output: { report: { callback } },
    states: {
      open: {
        on: {
          CONTEXT: { actions: assign({ kept: { callback } }) },
          MAP: { actions: assign({ kept: ({ self }) => new Map([['me', self]]) }) },
          CIRCLE: { actions: assign({ kept: () => circle() }) },
          EMIT: { actions: emit(() => ({ type: 'told', callback })) },
          DELAY: { actions: raise({ type: 'later', callback }, { delay: 60_000 }) },
          INPUT: 'working',
          ANSWER: 'answering',
          OUTPUT: 'finished',
          FINE: { actions: assign({ fine: true }) },
        },
      },
      working: {
        invoke: {
          id: 'work',
          src: 'work',
          input: ({ self }: { self: AnyActorRef }) => ({ reply: { to: self } }),
        },
      },
      answering: {
        invoke: {
          id: 'answer',
          src: 'answer',
          onDone: { target: 'open', actions: assign({ kept: ({ event }) => event.output }) },
          onError: { target: 'open', actions: assign({ failure: ({ event }) => event.error }) },
        },
      },
      finished: { type: 'final' },
    },
  }),
)

function circle(): object {
  const parts = [{}, {}] as Record<string, unknown>[]
  for (const part of parts) Object.assign(part, { left: parts[0], right: parts[1] })
  return parts
}

async function start() {
  const { client } = await startNode({ workflows: [careless] })
  return client.start(careless, { id: 'one', input: undefined })
}

describe('a value that cannot be stored', () => {
  it.each([
    ['CONTEXT', 'snapshot.context.kept.callback is a function, which cannot be stored'],
    [
      'MAP',
      'snapshot.context.kept.get("me") is a reference to an actor, which only objects and lists in a context can ' +
        "hold: use its id 'careless/one' instead",
    ],
    ['CIRCLE', 'snapshot.context.kept[0].left refers back to snapshot.context.kept[0] that contains it'],
    ['EMIT', 'outbox[0].event.callback is a function, which cannot be stored'],
    ['DELAY', 'timers[0].event.callback is a function, which cannot be stored'],
    ['OUTPUT', 'snapshot.output.report.callback is a function, which cannot be stored'],
    [
      'INPUT',
      'activities.work.input.reply.to is a reference to an actor, which only objects and lists in a context can ' +
        "hold: use its id 'careless/one' instead",
    ],
  ])('is refused with its place when %s leads to it, and the instance goes on', async (type, message) => {
    const handle = await start()

    const outcome = await handle.update({ type })
    const next = await handle.update({ type: 'FINE' })

    expect(outcome).toMatchObject({ type: 'rejected', code: 'VALUE_UNSUPPORTED', message })
    expect(next).toMatchObject({ type: 'accepted', snapshot: { value: 'open', context: { fine: true } } })
  })

  it('fails the activity that answers it', async () => {
    const handle = await start()

    await handle.send({ type: 'ANSWER' })
    const { context } = await handle.waitFor(snapshot => 'failure' in snapshot.context, { timeout: '10s' })

    expect(context['failure']).toMatchObject({
      code: 'VALUE_UNSUPPORTED',
      message: 'snapshot.context.kept.callback is a function, which cannot be stored',
    })
  })

  it('is refused in an event and in an input before anything is sent', async () => {
    const { client } = await startNode({ workflows: [careless] })
    const handle = client.instance(careless, 'two')
    const message = (place: string) => `${place} is a function, which cannot be stored`

    await expect(handle.send({ type: 'FINE', items: [callback] })).rejects.toMatchObject({
      code: 'VALUE_UNSUPPORTED',
      message: message('event.items[0]'),
    })
    await expect(client.start(careless, { id: 'two', input: { items: [callback] } })).rejects.toMatchObject({
      code: 'VALUE_UNSUPPORTED',
      message: message('input.items[0]'),
    })
    await expect(client.start(careless, { id: 'two', input: callback })).rejects.toMatchObject({
      code: 'VALUE_UNSUPPORTED',
      message: message('input'),
    })
    expect(await handle.get()).toBeUndefined()
  })
})
