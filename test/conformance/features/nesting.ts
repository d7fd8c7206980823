/** Machines inside machines: three levels, shared snapshots, outputs and errors. */
import { assign, fromPromise, sendTo, setup } from 'xstate'

import { advance, answer, outside, send, settle, type Scenario } from '../scenario.ts'

/** A leaf in the innermost of three machines answers; its result rises through all of them. */
export function threeLevels(): Scenario {
  const call = answer<number>()
  const inner = setup({
    types: {} as { context: { result: number }; output: number; input: { add: number } },
    actors: { call: fromPromise(() => call.promise) },
  }).createMachine({
    context: ({ input }) => ({ result: input.add }),
    initial: 'waiting',
    states: {
      waiting: { after: { 100: 'calling' } },
      calling: {
        invoke: {
          id: 'call/with a slash',
          src: 'call',
          onDone: {
            target: 'called',
            actions: assign({ result: ({ context, event }) => context.result + event.output }),
          },
        },
      },
      called: { type: 'final' },
    },
    output: ({ context }) => context.result,
  })
  const middle = setup({
    types: {} as { context: { result: number }; events: { type: 'begin' }; output: number },
    actors: { inner },
  }).createMachine({
    context: { result: 0 },
    initial: 'idle',
    states: {
      idle: { on: { begin: 'running' } },
      running: {
        invoke: {
          id: 'inner',
          src: 'inner',
          input: { add: 1 },
          onDone: { target: 'ended', actions: assign({ result: ({ event }) => event.output * 10 }) },
        },
      },
      ended: { type: 'final' },
    },
    output: ({ context }) => context.result,
  })
  const machine = setup({
    types: {} as { context: { result: number }; events: { type: 'begin' } },
    actors: { middle },
  }).createMachine({
    context: { result: 0 },
    initial: 'running',
    states: {
      running: {
        invoke: {
          id: 'middle',
          src: 'middle',
          onDone: { target: 'ended', actions: assign({ result: ({ event }) => event.output + 3 }) },
        },
        on: { begin: { actions: sendTo('middle', { type: 'begin' }) } },
      },
      ended: { type: 'final' },
    },
    output: ({ context }) => context.result,
  })
  return {
    machine,
    script: [send('begin'), advance(99), advance(1), outside(() => call.resolve(4)), settle],
    ends: { status: 'done', output: 53 },
  }
}

/** A parent that asked for it sees every snapshot of its child machine, the first included. */
export function syncSnapshot(): Scenario {
  const child = setup({
    types: {} as { context: { n: number }; events: { type: 'up' } | { type: 'end' } },
  }).createMachine({
    context: { n: 0 },
    initial: 'counting',
    states: {
      counting: { on: { up: { actions: assign({ n: ({ context }) => context.n + 1 }) }, end: 'ended' } },
      ended: { type: 'final' },
    },
  })
  const machine = setup({
    types: {} as { context: { seen: number[] }; events: { type: 'up' } | { type: 'end' } },
    actors: { child },
  }).createMachine({
    context: { seen: [] },
    initial: 'watching',
    states: {
      watching: {
        invoke: {
          id: 'child',
          src: 'child',
          onSnapshot: {
            actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.context.n] }),
          },
          onDone: 'ended',
        },
        on: {
          up: { actions: sendTo('child', { type: 'up' }) },
          end: { actions: sendTo('child', { type: 'end' }) },
        },
      },
      ended: {},
    },
  })
  return {
    machine,
    script: [send('up'), send('up'), send('end')],
    ends: { value: 'ended', context: { seen: [0, 1, 2] } },
  }
}

function failingChild() {
  return setup({
    types: {} as { context: { n: number }; events: { type: 'break' } | { type: 'breakGuard' } },
    actions: {
      explode: assign(() => {
        throw new TypeError('child is broken')
      }),
    },
    guards: {
      explodes: () => {
        throw new TypeError('guard is broken')
      },
    },
  }).createMachine({
    id: 'child',
    context: { n: 1 },
    on: { break: { actions: 'explode' }, breakGuard: { guard: 'explodes', actions: 'explode' } },
  })
}

/** A child machine that fails tells its parent, which goes on. */
export function childErrorHandled(): Scenario {
  const machine = setup({
    types: {} as { context: { error: unknown }; events: { type: 'break' } | { type: 'retry' } },
    actors: { child: failingChild() },
  }).createMachine({
    context: { error: null },
    initial: 'running',
    states: {
      running: {
        invoke: {
          id: 'child',
          src: 'child',
          onError: { target: 'failed', actions: assign({ error: ({ event }) => event.error }) },
        },
        on: { break: { actions: sendTo('child', { type: 'break' }) } },
      },
      failed: { on: { retry: 'running' } },
    },
  })
  return {
    machine,
    script: [send('break'), send('retry'), send('break')],
    ends: { value: 'failed', context: { error: new TypeError('child is broken') } },
  }
}

/** A child machine that fails takes down a parent that does not handle it. */
export function childErrorUnhandled(): Scenario {
  const machine = setup({
    types: {} as { events: { type: 'break' } },
    actors: { child: failingChild() },
  }).createMachine({
    invoke: { id: 'child', src: 'child' },
    on: { break: { actions: sendTo('child', { type: 'break' }) } },
  })
  return {
    machine,
    script: [send('break'), send('break')],
    ends: { status: 'error', error: new TypeError('child is broken') },
  }
}

/** An assignment or guard that throws ends the machine with the error, in the state it was in. */
export function rootError(): Scenario {
  return {
    machine: failingChild(),
    script: [send('breakGuard'), send('break')],
    ends: { status: 'error', context: { n: 1 } },
  }
}

/** A machine whose context cannot be made ends at once. */
export function errorAtStart(): Scenario {
  const machine = setup({ types: {} as { context: { n: number } } }).createMachine({
    context: () => {
      throw new Error('no context')
    },
  })
  return { machine, script: [send('anything')], ends: { status: 'error', error: new Error('no context') } }
}
