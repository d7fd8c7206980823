import { perTurn } from '../../actors/persistence.ts'
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  and,
  assign,
  createActor,
  createMachine,
  fromPromise,
  not,
  or,
  raise,
  sendTo,
  setup,
  spawnChild,
  stateIn,
} from 'xstate'
import type { AnyStateMachine } from 'xstate'
import { activity, defineWorkflow } from '../../src/index.ts'
import type {
  ContextOf,
  EventOf,
  InputOf,
  OutputOf,
  SnapshotOf,
  StandardSchema,
  WorkflowOptions,
  WorkflowProblem,
} from '../../src/index.ts'
import { errorOf } from './error-of.ts'

/** A machine XState itself would take, however little of it makes sense. */
function machineOf(config: object, implementations: object = {}): AnyStateMachine {
  return createMachine({ id: 'm', ...config } as never, implementations as never) as AnyStateMachine
}

function problemsOf(machine: unknown, options?: unknown): readonly string[] {
  const error = errorOf(() =>
    defineWorkflow(machine as AnyStateMachine, options as WorkflowOptions<AnyStateMachine>),
  )
  expect(error.code).toBe('WORKFLOW_INVALID')
  const problems = error.fields['problems'] as readonly WorkflowProblem[]
  return problems.map(({ place, message }) => `${place}: ${message}`)
}

const anySchema: StandardSchema<never> = {
  '~standard': { version: 1, vendor: 'test', validate: value => ({ value: value as never }) },
}

describe('defineWorkflow', () => {
  it('takes name and version from the machine id and 1', () => {
    const machine = machineOf({ id: 'order' })

    expect(defineWorkflow(machine)).toEqual({
      name: 'order',
      version: 1,
      machine,
      inputSchema: undefined,
      eventSchemas: {},
      onError: 'suspend',
      persistence: perTurn,
    })
  })

  it('keeps what the options say, frozen', () => {
    const options = { name: 'order-v2', version: 3, input: anySchema, events: { PAY: anySchema } }

    const workflow = defineWorkflow(machineOf({}), options)
    options.events = {} as never

    expect(workflow).toMatchObject({ name: 'order-v2', version: 3, inputSchema: anySchema })
    expect(workflow.eventSchemas).toEqual({ PAY: anySchema })
    expect(Object.isFrozen(workflow) && Object.isFrozen(workflow.eventSchemas)).toBe(true)
  })

  it('takes a machine without an id when the workflow has a name', () => {
    expect(defineWorkflow(machineOf({ id: undefined }), { name: 'order' }).name).toBe('order')
  })

  it('leaves the machine as it was', () => {
    const machine = machineOf({
      initial: 'a',
      states: { a: { after: { 5: 'b' }, entry: () => {} }, b: {} },
    })
    const before = JSON.stringify(machine.definition)

    const workflow = defineWorkflow(machine)

    expect(workflow.machine).toBe(machine)
    expect(JSON.stringify(machine.definition)).toBe(before)
  })

  it('carries the types of the machine', () => {
    const machine = setup({
      types: {
        context: {} as { total: number },
        events: {} as { type: 'PAY'; cents: number } | { type: 'CANCEL' },
        input: {} as { orderId: string },
        output: {} as { paid: boolean },
      },
    }).createMachine({
      id: 'typed',
      context: { total: 0 },
      initial: 'open',
      states: { open: {}, closed: { type: 'final' } },
      output: { paid: true },
    })
    const workflow = defineWorkflow(machine, { events: { CANCEL: anySchema } })
    type W = typeof workflow

    expectTypeOf<InputOf<W>>().toEqualTypeOf<{ orderId: string }>()
    expectTypeOf<EventOf<W>>().toEqualTypeOf<{ type: 'PAY'; cents: number } | { type: 'CANCEL' }>()
    expectTypeOf<ContextOf<W>>().toEqualTypeOf<{ total: number }>()
    expectTypeOf<OutputOf<W>>().toEqualTypeOf<{ paid: boolean }>()
    expectTypeOf<SnapshotOf<W>['value']>().toEqualTypeOf<'open' | 'closed'>()
    const schema = anySchema as StandardSchema<number>
    // @ts-expect-error: the schema must produce the machine's input
    expect(defineWorkflow(machine, { input: schema }).inputSchema).toBe(schema)
    // @ts-expect-error: REFUND is not an event of the machine
    expect(defineWorkflow(machine, { events: { REFUND: anySchema } }).name).toBe('typed')
  })
})

describe('defineWorkflow accepts', () => {
  it('everything that resolves', () => {
    const leaf = fromPromise(async () => 1)
    const nested = machineOf({ id: 'nested', entry: 'note' }, { actions: { note() {} } })
    const machine = machineOf(
      {
        entry: ['note', { type: 'note', params: {} }, () => {}, assign({}), spawnChild('leaf'), 'forward'],
        exit: raise({ type: 'X' }, { delay: 'soon' as never }),
        invoke: [
          { src: 'leaf', onDone: { actions: 'note' }, onError: {} },
          { src: nested, onSnapshot: {} },
          { src: activity({ name: 'charge', run: async () => 1 }) },
        ],
        after: { 1000: { actions: 'note' }, soon: { guard: 'isOpen' }, '0.5': {} },
        always: { guard: and(['isOpen', not('isPaid'), or([{ type: 'isPaid', params: 1 }, stateIn('a')])]) },
        on: {
          GO: { guard: () => false },
          '*': {},
          'order.*': {},
          'xstate.done.actor.leaf': {},
          'xstate.done.state.m.a': {},
          'xstate.error.actor.*': {},
          'xstate.snapshot.leaf': {},
        },
        initial: 'a',
        states: {
          a: { initial: { target: 'x', actions: ['note'] }, states: { x: { type: 'final' } }, onDone: 'b' },
          b: {
            states: { past: { type: 'history', target: 'y.z' }, y: { initial: 'z', states: { z: {} } } },
            initial: 'y',
          },
          c: { type: 'history', target: '#m.b.y' },
          d: { type: 'parallel', states: { one: {}, two: {} } },
        },
      },
      {
        actions: { note() {}, forward: sendTo('leaf', { type: 'X' }, { delay: 'later' as never }) },
        actors: { leaf, nested },
        delays: { soon: 5, later: () => 10 },
        guards: { isOpen: () => true, isPaid: not('isOpen'), alias: 'isPaid' },
      },
    )

    expect(defineWorkflow(machine).machine).toBe(machine)
  })

  it('machines that invoke each other', () => {
    const actors: Record<string, AnyStateMachine> = {}
    const machine = createMachine({ id: 'a', invoke: { src: 'b' } }, { actors }) as AnyStateMachine
    actors['b'] = createMachine({ id: 'b', invoke: { src: 'a' } }, { actors }) as AnyStateMachine
    actors['a'] = machine

    expect(defineWorkflow(machine).name).toBe('a')
  })
})

describe('defineWorkflow refuses', () => {
  const missing = (kind: string, name: string) =>
    `${kind} '${name}' is not implemented: add it to setup({ ${kind}s })`

  it.each([
    ['entry', { entry: ['a', 'lost'] }, 'm, entry[1]'],
    ['exit', { exit: { type: 'lost' } }, 'm, exit[0]'],
    ['transitions', { on: { GO: { actions: 'lost' } } }, 'm, on GO actions[0]'],
    [
      'one of several transitions',
      { on: { GO: [{}, { actions: ['a', 'lost'] }] } },
      'm, on GO[1] actions[1]',
    ],
    ['always', { always: [{ actions: 'lost', guard: () => false }] }, 'm, always actions[0]'],
    ['after', { after: { 10: { actions: 'lost' } } }, 'm, on xstate.after.10.m actions[0]'],
    [
      'onDone',
      { invoke: { id: 'i', src: fromPromise(async () => 1), onDone: { actions: 'lost' } } },
      'm, on xstate.done.actor.i actions[0]',
    ],
    [
      'initial transitions',
      { initial: { target: 's', actions: 'lost' }, states: { s: {} } },
      'm, initial actions[0]',
    ],
    [
      'nested states',
      { initial: 's', states: { s: { initial: 't', states: { t: { entry: 'lost' } } } } },
      'm.s.t, entry[0]',
    ],
    [
      'states with an id of their own',
      { initial: 's', states: { s: { id: 'own', entry: 'lost' } } },
      'own, entry[0]',
    ],
  ])('an action that is not implemented, in %s', (_where, config, place) => {
    expect(problemsOf(machineOf(config, { actions: { a() {} } }))).toEqual([
      `${place}: ${missing('action', 'lost')}`,
    ])
  })

  it.each([
    ['a name', 'lost'],
    ['an object', { type: 'lost' }],
    ['not', not('lost')],
    ['and', and(['isOpen', 'lost'])],
    ['or inside not', not(or(['isOpen', { type: 'lost', params: 1 }]))],
  ])('a guard that is not implemented, given as %s', (_form, guard) => {
    const machine = machineOf({ on: { GO: { guard } } }, { guards: { isOpen: () => true } })

    expect(problemsOf(machine)).toEqual([`m, on GO: ${missing('guard', 'lost')}`])
  })

  it.each([
    ['after', { after: { lost: {} } }, 'm, after lost'],
    ['raise', { entry: raise({ type: 'X' }, { delay: 'lost' as never }) }, 'm, entry[0]'],
    ['sendTo', { exit: sendTo('x', { type: 'X' }, { delay: 'lost' as never }) }, 'm, exit[0]'],
  ])('a delay that is not implemented, in %s', (_where, config, place) => {
    expect(problemsOf(machineOf(config))).toEqual([`${place}: ${missing('delay', 'lost')}`])
  })

  it.each([
    ['invoke', { invoke: { src: 'lost' } }, 'm, invoke[0]'],
    ['spawnChild', { entry: spawnChild('lost' as never) }, 'm, entry[0]'],
  ])('an actor that is not implemented, in %s', (_where, config, place) => {
    expect(problemsOf(machineOf(config))).toEqual([`${place}: ${missing('actor', 'lost')}`])
  })

  it('a context that no instance could have a copy of', () => {
    expect(problemsOf(machineOf({ context: { notify: () => 1 } }))).toEqual([
      'm, context: cannot be copied for each instance: () => 1 could not be cloned.',
    ])
  })

  it('names that only look implemented', () => {
    const machine = machineOf({ entry: ['toString', 'empty'] }, { actions: { empty: undefined } })

    expect(problemsOf(machine)).toEqual([
      `m, entry[0]: ${missing('action', 'toString')}`,
      `m, entry[1]: ${missing('action', 'empty')}`,
    ])
  })

  it('what a named implementation refers to', () => {
    const machine = machineOf(
      {},
      {
        actions: {
          start: spawnChild('lost' as never),
          remind: raise({ type: 'X' }, { delay: 'lost' as never }),
        },
        guards: { isReady: and(['lost']), alias: 'lost' },
      },
    )

    expect(problemsOf(machine)).toEqual([
      `actions.start: ${missing('actor', 'lost')}`,
      `actions.remind: ${missing('delay', 'lost')}`,
      `guards.isReady: ${missing('guard', 'lost')}`,
      `guards.alias: ${missing('guard', 'lost')}`,
    ])
  })

  it('what machines inside it refer to, once each, with the way to it', () => {
    const inner = machineOf({ id: 'inner', entry: 'lost' })
    const middle = machineOf({ id: 'middle', invoke: { src: inner } })
    const named = machineOf({}, { actors: { middle, again: inner } })
    const inline = machineOf({
      initial: 's',
      states: { s: { invoke: [{ src: fromPromise(async () => 1) }, { src: inner }] } },
    })

    expect(problemsOf(named)).toEqual([
      `actors.middle > middle, invoke[0] > inner, entry[0]: ${missing('action', 'lost')}`,
    ])
    expect(problemsOf(inline)).toEqual([`m.s, invoke[1] > inner, entry[0]: ${missing('action', 'lost')}`])
  })

  it('logic spawned without a name', () => {
    const machine = machineOf({ entry: spawnChild(fromPromise(async () => 1)) })

    expect(problemsOf(machine)).toEqual([
      'm, entry[0]: spawned logic needs a name, or it cannot be found again: list it in setup({ actors }) and spawn that',
    ])
  })

  it.each([
    'xstate.stop',
    'xstate.init',
    'xstate.*',
    'xstate.after.5.m',
    'xstate.done.*',
    'xstate.error.*',
    'xstate.mine',
  ])('a handler of the reserved event %s', type => {
    expect(problemsOf(machineOf({ initial: 's', states: { s: { on: { [type]: {} } } } }))).toEqual([
      `m.s, on ${type}: event types starting 'xstate.' are reserved; choose another`,
    ])
  })

  it('actions named like those of XState', () => {
    const inline = { 'xstate.inline'() {} }['xstate.inline']
    const machine = machineOf({ entry: ['xstate.mine', inline] }, { actions: { 'xstate.mine'() {} } })

    expect(problemsOf(machine)).toEqual([
      "actions.xstate.mine: action 'xstate.mine' is named like XState's own; choose another name",
      "m, entry[0]: action 'xstate.mine' is named like XState's own; choose another name",
      "m, entry[1]: action 'xstate.inline' is named like XState's own; choose another name",
    ])
  })

  it('initial states and history targets that do not exist', () => {
    const machine = machineOf({
      initial: 'a',
      states: {
        a: { initial: 'lost', states: { x: {} } },
        b: { initial: { target: 'gone' }, states: { x: {} } },
        c: { type: 'history', target: 'a.y' },
        d: { type: 'history', target: '#nowhere' },
      },
    })

    expect(problemsOf(machine)).toEqual([
      "m.a, initial: initial state 'lost' does not exist",
      "m.b, initial: initial state 'gone' does not exist",
      "m.c, target: history target 'a.y' does not exist",
      "m.d, target: history target '#nowhere' does not exist",
    ])
  })

  it('references and implementations of the wrong kind', () => {
    const machine = machineOf(
      { entry: [5, null], always: { guard: 7 }, invoke: [{ src: {} }, {}] },
      { actions: { a: 'b' }, actors: { c: () => {} }, delays: { d: '5s', e: -1 }, guards: { f: 1 } },
    )
    const logicForm = 'must be actor logic, such as a machine or the result of activity() or fromPromise()'

    expect(problemsOf(machine)).toEqual([
      'actions.a: must be a function',
      `actors.c: ${logicForm}`,
      'delays.d: must be milliseconds from 0, or a function that returns them',
      'delays.e: must be milliseconds from 0, or a function that returns them',
      'guards.f: a guard must be a name, an object with a type, or a function',
      'm, entry[0]: an action must be a name, an object with a type, or a function',
      'm, entry[1]: an action must be a name, an object with a type, or a function',
      'm, always: a guard must be a name, an object with a type, or a function',
      `m, invoke[0]: ${logicForm}`,
      `m, invoke[1]: ${logicForm}`,
    ])
  })

  it.each([undefined, null, {}, 'order', setup({}), createActor(createMachine({}))])(
    'what is not a machine',
    value => {
      expect(problemsOf(value)).toEqual(['machine: must be what createMachine() returns'])
    },
  )

  it('a machine without a name', () => {
    expect(problemsOf(createMachine({}))).toEqual([
      'machine.id: is missing; give the machine an id or the workflow a name',
    ])
  })

  it.each(['', 'my order', 'a.b', '-a', 'ą', 'a'.repeat(65)])('%j as a name', name => {
    const form = '1 to 64 of A-Z, a-z, 0-9, underscore and hyphen, the first of them a letter or a digit'

    expect(problemsOf(machineOf({}), { name })).toEqual([`options.name: must be ${form}; got '${name}'`])
    expect(problemsOf(machineOf({ id: name || ' ' }))).toEqual([
      `machine.id: cannot name the workflow: names are ${form}; got '${name || ' '}'`,
    ])
  })

  it('options out of range', () => {
    const options = {
      version: 0,
      input: {},
      events: { PAY: 'text', 'xstate.stop': anySchema, '*': anySchema },
      onError: 'retry',
      perist: 'turn',
      persist: 'sometimes',
    } as never

    expect(problemsOf(machineOf({}), options)).toEqual([
      'options.perist: is not an option; there are events, input, name, onError, persist, version',
      'options.version: must be a whole number from 1',
      'options.input: must be a Standard Schema v1 validator',
      "options.onError: must be 'suspend', 'fail' or 'deadLetter'",
      "options.persist: must be 'turn', 'transition', 'rest', 'none', { every, events } or a function",
      'options.events.PAY: must be a Standard Schema v1 validator',
      'options.events.xstate.stop: is a reserved event type',
      'options.events.*: is a reserved event type',
    ])
    for (const version of [1.5, -1, NaN, '2', null]) {
      expect(problemsOf(machineOf({}), { version })).toEqual([
        'options.version: must be a whole number from 1',
      ])
    }
    expect(problemsOf(machineOf({}), { events: 5 })).toEqual([
      'options.events: must be an object of schemas by event type',
    ])
  })

  it('everything at once, in one error that says where', () => {
    const machine = machineOf({
      id: 'bad id',
      entry: 'a',
      always: { guard: 'g' },
      invoke: { src: 'i' },
      after: { d: {} },
    })

    const error = errorOf(() => defineWorkflow(machine, { version: -1 }))

    expect(error.message).toBe(
      [
        "workflow 'bad id' is invalid:",
        "- machine.id: cannot name the workflow: names are 1 to 64 of A-Z, a-z, 0-9, underscore and hyphen, the first of them a letter or a digit; got 'bad id'",
        '- options.version: must be a whole number from 1',
        `- bad id, entry[0]: ${missing('action', 'a')}`,
        `- bad id, always: ${missing('guard', 'g')}`,
        `- bad id, after d: ${missing('delay', 'd')}`,
        `- bad id, invoke[0]: ${missing('actor', 'i')}`,
      ].join('\n'),
    )
    expect(error.fields).toMatchObject({ workflow: 'bad id' })
  })
})
