import { describe, expect, it } from 'vitest'
import { assign, emit, sendParent, sendTo, setup, spawnChild, type AnyStateMachine } from 'xstate'

import { Draft } from '../../actors/draft.ts'
import { prepareWorkflow } from '../../actors/machine.ts'
import type { EventObject } from '../../actors/event.ts'
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts'

const address = { workflow: 'busy', id: 'b-1' }

/** No machine in here really goes on for ever: without the bound a test fails and does not hang. */
const farTooOften = 150_000

const types = {} as { context: { count: number }; events: EventObject }

const answering = setup({}).createMachine({
  id: 'answering',
  on: { PING: { actions: sendParent({ type: 'PONG' }) } },
})

const base = setup({
  types,
  actions: {
    count: assign({ count: ({ context }) => context.count + 1 }),
    goAgain: sendTo(({ self }) => self, { type: 'GO' }),
  },
  actors: { answering },
  guards: { isGoingOn: ({ context }) => context.count < farTooOften },
})

const toItself = base.createMachine({
  context: { count: 0 },
  on: { GO: { guard: 'isGoingOn', actions: ['count', emit({ type: 'round' }), 'goAgain'] } },
})

const fromTheStart = base.createMachine({
  context: { count: 0 },
  entry: 'goAgain',
  on: { GO: { guard: 'isGoingOn', actions: ['count', 'goAgain'] } },
})

const circle = {
  here: { always: { target: 'there', guard: 'isGoingOn', actions: 'count' } },
  there: { always: { target: 'here', guard: 'isGoingOn', actions: 'count' } },
} as const

const circling = base.createMachine({
  id: 'circling',
  context: { count: 0 },
  initial: 'idle',
  states: { idle: { on: { GO: 'here' } }, ...circle },
})

const circlingFromTheStart = base.createMachine({
  id: 'circling',
  context: { count: 0 },
  initial: 'here',
  states: circle,
})

const pingPong = base.createMachine({
  context: { count: 0 },
  invoke: { id: 'child', src: 'answering' },
  on: {
    GO: { actions: sendTo('child', { type: 'PING' }) },
    PONG: { guard: 'isGoingOn', actions: ['count', sendTo('child', { type: 'PING' })] },
  },
})

/** Takes every failure of its child for a reason to try again. */
const forgiving = setup({ types, actors: { fromTheStart } }).createMachine({
  context: { count: 0 },
  initial: 'idle',
  states: {
    idle: { on: { GO: 'trying' } },
    trying: { invoke: { id: 'child', src: 'fromTheStart', onError: { target: 'trying', reenter: true } } },
  },
})

/** Takes every failure of its child, which goes from state to state, for a reason to try again: up to five times. */
function forgivingOfCircles(made: () => number): AnyStateMachine {
  const guard = ({ context }: { context: { count: number } }) => context.count < 5
  const child = setup({ types }).createMachine({
    context: () => ({ count: made() }),
    initial: 'here',
    states: { here: { always: { target: 'there', guard } }, there: { always: { target: 'here', guard } } },
  })
  return setup({ types, actors: { child } }).createMachine({
    context: { count: 0 },
    initial: 'idle',
    states: {
      idle: { on: { GO: 'trying' } },
      trying: { invoke: { id: 'child', src: 'child', onError: { target: 'trying', reenter: true } } },
    },
  })
}

/** Sixty thousand rounds for each GO. */
const long = base.createMachine({
  context: { count: 0 },
  on: {
    GO: [
      { guard: ({ context }) => context.count % 60_000 === 59_999, actions: 'count' },
      { actions: ['count', 'goAgain'] },
    ],
  },
})

/** Asks a thousand children and hears each of them. */
const wide = base.createMachine({
  context: ({ spawn }) => {
    for (let index = 0; index < 1000; index++) spawn('answering', { id: `child-${index}` })
    return { count: 0 }
  },
  on: {
    GO: { actions: Array.from({ length: 1000 }, (_, index) => sendTo(`child-${index}`, { type: 'PING' })) },
    PONG: { actions: 'count' },
  },
})

/** Four thousand children more with each GO. */
const crowded = base.createMachine({
  context: { count: 0 },
  on: {
    GO: {
      actions: assign(({ context, spawn }) => {
        const first = context.count
        for (let index = first; index < first + 4000; index++) spawn('answering', { id: `child-${index}` })
        return { count: first + 4000 }
      }),
    },
  },
})

const late = base.createMachine({
  context: { count: 0 },
  initial: 'early',
  states: {
    early: { after: { 1000: 'late' } },
    late: { entry: 'goAgain', on: { GO: { guard: 'isGoingOn', actions: ['count', 'goAgain'] } } },
  },
})

const waiting = setup({ actors: { late } }).createMachine({ invoke: { id: 'child', src: 'late' } })

interface Height {
  readonly height: number
}

/** Every branch makes two, thirteen levels high. */
function growing(made: () => void): AnyStateMachine {
  const branch = setup({
    types: {} as { context: Height; input: Height | undefined },
    actors: {} as { branch: AnyStateMachine },
  }).createMachine({
    context: ({ input }) => {
      made()
      return { height: input?.height ?? 13 }
    },
    initial: 'bare',
    states: {
      bare: {
        always: {
          guard: ({ context }) => context.height > 0,
          target: 'forked',
          actions: (['left', 'right'] as const).map(id =>
            spawnChild('branch', {
              id,
              input: ({ context }: { context: Height }) => ({ height: context.height - 1 }),
            }),
          ),
        },
      },
      forked: {},
    },
  })
  branch.implementations.actors['branch'] = branch
  return branch
}

const workflowOf = (machine: AnyStateMachine) =>
  prepareWorkflow({ name: 'busy', version: 1, machine, onError: 'fail' })

function started(machine: AnyStateMachine): Draft {
  const start = {
    type: 'start',
    id: 'start',
    target: address,
    time: 0,
    input: undefined,
    inputDigest: '',
  } as const
  return Draft.start(workflowOf(machine), start, 1, 0)
}

/** Starts an instance and sends it GO, so often. */
function play(machine: AnyStateMachine, times = 1): Draft {
  const draft = started(machine)
  for (let seq = 2; seq < 2 + times && draft.status === 'running'; seq++) {
    const event = { type: 'GO' }
    draft.deliver({ type: 'send', id: `go-${seq}`, target: address, time: 0, event }, seq, 0)
  }
  return draft
}

describe('S16: a step that does not end', () => {
  it.each([
    ['goes from state to state', circling],
    ['does so from the start', circlingFromTheStart],
  ])('fails the instance whose machine %s without any event', (_, machine) => {
    const { snapshot, status } = decodeRecord(encodeRecord(play(machine).record(0)))

    expect(status).toBe('failed')
    expect(snapshot.error).toMatchObject({
      code: 'STEP_ENDLESS',
      fields: { actor: 'busy/b-1', limit: 10_000 },
    })
    expect((snapshot.error as Error).message).toContain(
      "'busy/b-1' had not come to rest after 10000 transitions",
    )
  })

  it('fails the instance although it would forgive a child that goes from state to state', () => {
    let made = 0
    const { snapshot, status } = play(forgivingOfCircles(() => ++made)).record(0)

    expect(status).toBe('failed')
    expect(snapshot.error).toMatchObject({ code: 'STEP_ENDLESS', fields: { actor: 'busy/b-1/child' } })
    expect(made).toBe(1)
  })

  it('suspends the instance as any other that does not end, and names the actor', () => {
    const suspending = prepareWorkflow({ name: 'busy', version: 1, machine: circling })
    const start = {
      type: 'start',
      id: 's',
      target: address,
      time: 0,
      input: undefined,
      inputDigest: '',
    } as const
    const draft = Draft.start(suspending, start, 1, 0)
    const go = { type: 'send', id: 'go', target: address, time: 0, event: { type: 'GO' } } as const

    expect(() => draft.deliver(go, 2, 0)).toThrow(
      expect.objectContaining({ incident: expect.objectContaining({ code: 'STEP_ENDLESS', actor: '' }) }),
    )
  })

  it.each([
    ['sends to itself', toItself, 'busy/b-1', 'GO'],
    ['sends to itself from the start', fromTheStart, 'busy/b-1', 'GO'],
    ['and its child answer each other', pingPong, 'busy/b-1/child', 'PING'],
    ['forgives a child that sends to itself', forgiving, 'busy/b-1/child', 'GO'],
  ])('fails the instance whose machine %s, naming the actor and the event', (_, machine, actor, event) => {
    const { snapshot, status } = decodeRecord(encodeRecord(play(machine).record(0)))

    expect(status).toBe('failed')
    expect(snapshot.error).toMatchObject({ code: 'STEP_ENDLESS', fields: { actor, event } })
    expect((snapshot.error as Error).message).toContain(`'${event}' to deliver to '${actor}'`)
  })

  it('fails the instance whose child sends to itself when its own timer fires', () => {
    const draft = started(waiting)

    draft.fireDue(1000)

    expect(draft.record(0)).toMatchObject({
      status: 'failed',
      snapshot: { error: { code: 'STEP_ENDLESS', fields: { actor: 'busy/b-1/child', event: 'GO' } } },
    })
  })

  it('fails the instance whose actors make actors that make actors, before they are too many', () => {
    let made = 0
    const { snapshot, status } = started(growing(() => made++)).record(0)

    expect(status).toBe('failed')
    expect(snapshot.error).toMatchObject({ code: 'STEP_ENDLESS', fields: { event: 'xstate.init' } })
    expect(made).toBe(10_000)
  })

  it('leaves no effect behind', () => {
    const draft = play(toItself)

    expect(draft.takeEffects()).toEqual([])
    expect(draft.record(0).outbox).toEqual([])
  })

  it('is not one with a thousand children to ask and to hear', () => {
    expect(play(wide).record(0)).toMatchObject({ status: 'running', snapshot: { context: { count: 1000 } } })
  })

  it('is measured by itself, whatever came before it', () => {
    expect(play(long, 3).record(0)).toMatchObject({
      status: 'running',
      snapshot: { context: { count: 180_000 } },
    })
  })

  it('is none that brings back more actors than one step may make', () => {
    const record = play(crowded, 3).record(0)

    expect(Object.keys(record.snapshot.children!)).toHaveLength(12_000)
    expect(Draft.from(workflowOf(crowded), record).status).toBe('running')
  })
})
