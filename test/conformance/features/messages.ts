/** Events between actors of one instance: up, down, sideways, at once and later. */
import {
  assign,
  cancel,
  forwardTo,
  fromPromise,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  type AnyActorRef,
} from 'xstate'

import { advance, answer, outside, send, settle, type Scenario } from '../scenario.ts'

/** A child talks to its parent, which forwards what it receives to another child. */
export function parentAndForward(): Scenario {
  const speaker = setup({ types: {} as { events: { type: 'speak'; text: string } } }).createMachine({
    on: { speak: { actions: sendParent(({ event }) => ({ type: 'spoken', text: event.text })) } },
  })
  const recorder = setup({
    types: {} as { context: { heard: string[] }; events: { type: 'spoken'; text: string } },
  }).createMachine({
    context: { heard: [] },
    on: { spoken: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.text] }) } },
  })
  const machine = setup({
    types: {} as {
      context: { count: number }
      events: { type: 'speak'; text: string } | { type: 'spoken'; text: string }
    },
    actors: { speaker, recorder },
  }).createMachine({
    context: { count: 0 },
    invoke: [
      { id: 'speaker', src: 'speaker' },
      { id: 'recorder', src: 'recorder' },
    ],
    on: {
      speak: { actions: forwardTo('speaker') },
      spoken: { actions: [assign({ count: ({ context }) => context.count + 1 }), forwardTo('recorder')] },
    },
  })
  return {
    machine,
    script: [send('speak', { text: 'one' }), send('speak', { text: 'two' })],
    ends: { context: { count: 2 } },
  }
}

/** An actor with a system id is found from anywhere in the instance, before and after it is replaced. */
export function systemId(): Scenario {
  const counter = setup({
    types: {} as { context: { count: number }; events: { type: 'count' } },
  }).createMachine({
    context: { count: 0 },
    on: { count: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
  })
  const clicker = setup({ types: {} as { events: { type: 'click' } } }).createMachine({
    on: {
      click: { actions: sendTo(({ system }) => system.get('counter') as AnyActorRef, { type: 'count' }) },
    },
  })
  const machine = setup({
    types: {} as { events: { type: 'click' } | { type: 'replace' } | { type: 'remove' } },
    actors: { counter, clicker },
  }).createMachine({
    invoke: { id: 'clicker', src: 'clicker' },
    initial: 'counting',
    states: {
      counting: {
        invoke: { id: 'a', src: 'counter', systemId: 'counter' },
        on: { click: { actions: sendTo('clicker', { type: 'click' }) }, replace: 'countingAnew' },
      },
      countingAnew: {
        invoke: { id: 'b', src: 'counter', systemId: 'counter' },
        on: { click: { actions: sendTo('clicker', { type: 'click' }) }, replace: 'counting' },
      },
    },
  })
  return {
    machine,
    script: [send('click'), send('click'), send('replace'), send('click'), send('replace'), send('click')],
    ends: { value: 'counting' },
  }
}

/** A system id is free again once its actor has ended. */
export function systemIdOfSettled(): Scenario {
  const performed: string[] = []
  const calls = [answer<string>(), answer<string>()]
  const machine = setup({
    types: {} as {
      context: { results: unknown[] }
      events: { type: 'call' } | { type: 'look' } | { type: 'xstate.done.actor.call'; output: unknown }
    },
    actors: { call: fromPromise(() => calls.shift()!.promise) },
  }).createMachine({
    context: { results: [] },
    on: {
      call: { actions: spawnChild('call', { id: 'call', systemId: 'the call' }) },
      look: { actions: ({ system }) => performed.push(`actors: ${Object.keys(system.getAll()).join()}`) },
      'xstate.done.actor.call': {
        actions: assign({ results: ({ context, event }) => [...context.results, event.output] }),
      },
    },
  })
  const [first, second] = calls
  return {
    machine,
    script: [
      send('call'),
      send('look'),
      outside(() => first!.resolve('one')),
      send('look'),
      send('call'),
      outside(() => second!.resolve('two')),
    ],
    ends: { status: 'active', context: { results: ['one', 'two'] } },
    performed,
  }
}

/** A system id that is taken is not given to another actor. */
export function systemIdTaken(): Scenario {
  const idle = setup({}).createMachine({})
  const machine = setup({
    types: {} as { events: { type: 'spawn'; id: string } },
    actors: { idle },
  }).createMachine({
    on: { spawn: { actions: spawnChild('idle', { id: ({ event }) => event.id, systemId: 'taken' }) } },
  })
  return {
    machine,
    script: [send('spawn', { id: 'a' }), send('spawn', { id: 'b' }), settle],
    ends: { status: 'error', error: new Error("Actor with system ID 'taken' already exists.") },
  }
}

/** Delayed events cross between parent and child, and those of an actor that ends are dropped. */
export function delayedSendTo(): Scenario {
  const child = setup({
    types: {} as { context: { asked: number }; events: { type: 'ask' } | { type: 'end' } },
    delays: { thinking: ({ context }) => context.asked * 1_000 },
  }).createMachine({
    context: { asked: 0 },
    initial: 'listening',
    states: {
      listening: {
        on: {
          ask: {
            actions: [
              assign({ asked: ({ context }) => context.asked + 1 }),
              sendParent(({ context }) => ({ type: 'answer', n: context.asked }), { delay: 'thinking' }),
            ],
          },
          end: 'ended',
        },
      },
      ended: { type: 'final' },
    },
  })
  const machine = setup({
    types: {} as {
      context: { answers: number[] }
      events: { type: 'start' } | { type: 'answer'; n: number } | { type: 'end' }
    },
    actors: { child },
  }).createMachine({
    context: { answers: [] },
    invoke: { id: 'child', src: 'child' },
    on: {
      start: {
        actions: [
          sendTo('child', { type: 'ask' }, { delay: 500 }),
          sendTo('child', { type: 'ask' }, { delay: 600 }),
          sendTo('child', { type: 'ask' }, { delay: 500 }),
        ],
      },
      answer: { actions: assign({ answers: ({ context, event }) => [...context.answers, event.n] }) },
      end: { actions: sendTo('child', { type: 'end' }) },
    },
  })
  return {
    machine,
    script: [
      send('start'),
      advance(499),
      advance(1),
      advance(100),
      advance(1_500),
      send('start'),
      advance(2_000),
      send('end'),
      // The rest would have come from an actor that no longer exists.
      advance(60_000),
    ],
    ends: { status: 'active', context: { answers: [1, 2, 3] } },
  }
}

/** Two named timers, one of which is cancelled in time and the other too late. */
export function cancelDelayed(): Scenario {
  const machine = setup({
    types: {} as {
      context: { rung: string[] }
      events: { type: 'arm' | 'early' | 'late' } | { type: 'cancelAll'; ids: [string, string] }
    },
  }).createMachine({
    context: { rung: [] },
    on: {
      arm: {
        actions: [
          raise({ type: 'early' }, { id: 'early', delay: 100 }),
          raise({ type: 'late' }, { id: 'late', delay: 200 }),
        ],
      },
      early: { actions: assign({ rung: ({ context }) => [...context.rung, 'early'] }) },
      late: { actions: assign({ rung: ({ context }) => [...context.rung, 'late'] }) },
      cancelAll: {
        actions: [cancel(({ event }) => event.ids[0]), cancel(({ event }) => event.ids[1]), cancel('never')],
      },
    },
  })
  return {
    machine,
    script: [
      send('arm'),
      advance(150),
      send('cancelAll', { ids: ['early', 'late'] }),
      advance(1_000),
      send('arm'),
      advance(1_000),
    ],
    ends: { context: { rung: ['early', 'early', 'late'] } },
  }
}

/** What is due at the same moment comes in the order it was set, whoever set it. */
export function dueTogether(): Scenario {
  const machine = setup({
    types: {} as {
      context: { rung: string[] }
      events: { type: 'arm'; first: number } | { type: 'a' | 'b' | 'c' }
    },
    actions: { note: assign({ rung: ({ context, event }) => [...context.rung, event.type] }) },
  }).createMachine({
    context: { rung: [] },
    on: {
      arm: {
        actions: [
          raise({ type: 'a' }, { id: 'z', delay: ({ event }) => event.first }),
          raise({ type: 'b' }, { delay: 100 }),
          raise({ type: 'c' }, { id: 'a', delay: 100 }),
        ],
      },
      '*': { actions: 'note' },
    },
  })
  return {
    machine,
    script: [send('arm', { first: 100 }), advance(100), send('arm', { first: 101 }), advance(1_000)],
    ends: { context: { rung: ['a', 'b', 'c', 'b', 'c', 'a'] } },
  }
}

/** What an action sends to its own actor is handled after the step, like any event. */
export function selfSendInAction(): Scenario {
  const machine = setup({
    types: {} as { context: { steps: string[] }; events: { type: 'go' } | { type: 'sent'; n: number } },
    actions: { note: assign({ steps: ({ context, event }) => [...context.steps, event.type] }) },
  }).createMachine({
    context: { steps: [] },
    on: {
      go: {
        actions: [
          'note',
          ({ self }) => self.send({ type: 'sent', n: 1 }),
          ({ self }) => self.send({ type: 'sent', n: 2 }),
        ],
      },
      sent: { actions: 'note' },
    },
  })
  return {
    machine,
    script: [send('go'), send('go')],
    ends: { context: { steps: ['go', 'sent', 'sent', 'go', 'sent', 'sent'] } },
  }
}
