/** Actors that are no invocations: spawned in actions and assignments, stopped, found again. */
import {
  assign,
  fromPromise,
  fromTransition,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type ActorLogic,
  type ActorRefFrom,
  type AnyActorRef,
  type Snapshot,
} from 'xstate'

import { expect } from 'vitest'

import { advance, answer, outside, send, settle, type Answer, type Scenario } from '../scenario.ts'

const ponger = () =>
  setup({
    types: {} as {
      context: { name: string; pings: number }
      events: { type: 'ping' } | { type: 'finish' }
      input: { name: string }
    },
  }).createMachine({
    id: 'ponger',
    context: ({ input }) => ({ name: input.name, pings: 0 }),
    initial: 'listening',
    states: {
      listening: {
        on: {
          ping: {
            actions: [
              assign({ pings: ({ context }) => context.pings + 1 }),
              sendParent(({ context }) => ({ type: 'pong', from: context.name, pings: context.pings })),
            ],
          },
          finish: 'finished',
        },
        after: { 10_000: 'finished' },
      },
      finished: { type: 'final' },
    },
    output: ({ context }) => ({ pings: context.pings }),
  })

/** References kept in the context lead to the same actors after every restore. */
export function spawnInAssign(): Scenario {
  const child = ponger()
  const machine = setup({
    types: {} as {
      context: {
        refs: ActorRefFrom<typeof child>[]
        byName: Record<string, ActorRefFrom<typeof child>>
        log: string[]
      }
      events:
        | { type: 'add'; name: string }
        | { type: 'pingAll' }
        | { type: 'pong'; from: string; pings: number }
        | { type: 'remove'; name: string }
    },
    actors: { child },
  }).createMachine({
    context: ({ spawn }) => {
      const first = spawn('child', { id: 'child-first', input: { name: 'first' } })
      return { refs: [first], byName: { first }, log: [] }
    },
    on: {
      add: {
        actions: assign(({ context, event, spawn }) => {
          const ref = spawn('child', { id: `child-${event.name}`, input: { name: event.name } })
          return { refs: [...context.refs, ref], byName: { ...context.byName, [event.name]: ref } }
        }),
      },
      pingAll: {
        actions: [
          sendTo(({ context }) => context.refs[0]!, { type: 'ping' }),
          sendTo(({ context }) => context.refs.at(-1)!, { type: 'ping' }),
        ],
      },
      pong: {
        actions: assign({ log: ({ context, event }) => [...context.log, `${event.from}:${event.pings}`] }),
      },
      remove: {
        actions: [
          stopChild(({ context, event }) => context.byName[event.name]!),
          assign(({ context, event }) => {
            const { [event.name]: _, ...byName } = context.byName
            return { refs: context.refs.filter(({ id }) => id !== `child-${event.name}`), byName }
          }),
        ],
      },
    },
  })
  return {
    machine,
    script: [
      send('pingAll'),
      send('add', { name: 'second' }),
      send('pingAll'),
      send('remove', { name: 'first' }),
      send('pingAll'),
      // The timer of the removed child is gone; the other's ends it.
      advance(10_000),
    ],
    ends: {
      status: 'active',
      context: expect.objectContaining({
        log: ['first:1', 'first:2', 'first:3', 'second:1', 'second:2', 'second:3'],
      }),
    },
  }
}

/** Spawned as an action and stopped by id. */
export function spawnChildAndStop(): Scenario {
  const performed: string[] = []
  const call = answer<string>()
  const machine = setup({
    types: {} as {
      context: { results: unknown[] }
      events: { type: 'spawn' } | { type: 'stop' } | { type: 'xstate.done.actor.named'; output: string }
    },
    actors: {
      call: fromPromise(({ signal }) => {
        signal.addEventListener('abort', () => performed.push('aborted'))
        return call.promise
      }),
    },
  }).createMachine({
    context: { results: [] },
    on: {
      spawn: { actions: spawnChild('call', { id: 'named' }) },
      stop: { actions: stopChild('named') },
      'xstate.done.actor.named': {
        actions: assign({ results: ({ context, event }) => [...context.results, event.output] }),
      },
    },
  })
  return {
    machine,
    script: [send('spawn'), send('stop'), send('spawn'), outside(() => call.resolve('ok')), settle],
    ends: { status: 'active', context: { results: ['ok'] } },
    performed,
  }
}

/** Children spawned without an id get one; each is told apart from the others. */
export function spawnWithoutId(): Scenario {
  const calls: Answer<string>[] = []
  const machine = setup({
    types: {} as {
      context: { results: unknown[] }
      events: { type: 'spawn' } | { type: string; output?: unknown }
    },
    actors: {
      call: fromPromise(() => {
        const next = answer<string>()
        calls.push(next)
        return next.promise
      }),
    },
  }).createMachine({
    context: { results: [] },
    on: {
      spawn: {
        actions: assign(({ context, spawn }) => {
          spawn('call')
          return context
        }),
      },
      'xstate.done.actor.*': {
        actions: assign({
          results: ({ context, event }) => [...context.results, 'output' in event ? event.output : 'none'],
        }),
      },
    },
  })
  return {
    machine,
    script: [
      send('spawn'),
      send('spawn'),
      settle,
      outside(() => calls[1]!.resolve('second')),
      outside(() => calls[0]!.resolve('first')),
    ],
    ends: { context: { results: ['second', 'first'] } },
  }
}

/** A nameless child, of which nothing is kept but that it runs, still takes its parent down when it fails. */
export function namelessSpawnChild(): Scenario {
  const call = answer<string>()
  const machine = setup({
    types: {} as { events: { type: 'spawn' } },
    actors: { call: fromPromise(() => call.promise) },
  }).createMachine({ on: { spawn: { actions: spawnChild('call') } } })
  return {
    machine,
    script: [send('spawn'), settle, outside(() => call.reject(new Error('nameless failure')))],
    ends: { status: 'error', error: new Error('nameless failure') },
  }
}

/** What is sent to an actor that was stopped is dropped, however the reference was kept. */
export function referenceToStopped(): Scenario {
  const child = ponger()
  const machine = setup({
    types: {} as {
      context: { ref: ActorRefFrom<typeof child>; pongs: number; strays: number; looks: number }
      events: { type: 'ask' | 'look' | 'ping' | 'pong' | 'stop' | 'stopAgain' }
    },
    actors: { child },
  }).createMachine({
    context: ({ spawn }) => ({
      ref: spawn('child', { id: 'child', input: { name: 'x' } }),
      pongs: 0,
      strays: 0,
      looks: 0,
    }),
    on: {
      look: {
        guard: ({ context }) => context.ref.getSnapshot().status === 'stopped',
        actions: assign({ looks: ({ context }) => context.looks + 1 }),
      },
      stopAgain: { actions: stopChild(({ context }) => context.ref) },
      ask: { actions: sendTo(({ context }) => context.ref, { type: 'ping' }) },
      stop: { actions: stopChild('child') },
      pong: { actions: assign({ pongs: ({ context }) => context.pongs + 1 }) },
      // XState sends to the machine itself what it is told to send to nobody.
      ping: { actions: assign({ strays: ({ context }) => context.strays + 1 }) },
    },
  })
  return {
    machine,
    script: [send('ask'), send('look'), send('stop'), send('ask'), send('look'), send('stopAgain')],
    ends: { status: 'active', context: expect.objectContaining({ pongs: 1, strays: 0, looks: 1 }) },
  }
}

/** References to the parent and to the machine itself lead there for as long as they are kept. */
export function referencesToOthers(): Scenario {
  const child = setup({
    types: {} as {
      context: { parent: AnyActorRef; strays: number }
      events: { type: 'hello' } | { type: 'hi' }
      input: { parent: AnyActorRef }
    },
  }).createMachine({
    context: ({ input }) => ({ parent: input.parent, strays: 0 }),
    on: {
      hello: { actions: sendTo(({ context }) => context.parent, { type: 'hi' }) },
      hi: { actions: assign({ strays: ({ context }) => context.strays + 1 }) },
    },
  })
  const machine = setup({
    types: {} as {
      context: { known: { myself: AnyActorRef }[]; hellos: number }
      events: { type: 'greet' } | { type: 'remind' } | { type: 'hi' }
    },
    actors: { child },
  }).createMachine({
    context: ({ self }) => ({ known: [{ myself: self }], hellos: 0 }),
    invoke: { id: 'child', src: 'child', input: ({ self }) => ({ parent: self }) },
    on: {
      greet: { actions: sendTo('child', { type: 'hello' }) },
      remind: { actions: sendTo(({ context }) => context.known[0]!.myself, { type: 'hi' }) },
      hi: { actions: assign({ hellos: ({ context }) => context.hellos + 1 }) },
    },
  })
  return {
    machine,
    script: [send('greet'), send('remind'), send('greet')],
    ends: { context: expect.objectContaining({ hellos: 3 }) },
  }
}

/** A child spawned and stopped within one step never runs. */
export function spawnAndStopAtOnce(): Scenario {
  const performed: string[] = []
  const machine = setup({
    types: {} as { events: { type: 'go' } | { type: 'pass' } },
    actors: {
      call: fromPromise(() => {
        performed.push('called')
        return Promise.resolve()
      }),
      child: ponger(),
    },
  }).createMachine({
    initial: 'idle',
    states: {
      idle: { on: { go: 'passing', pass: 'spawning' } },
      // Left by an eventless transition as soon as it is entered.
      passing: { invoke: [{ src: 'call' }, { src: 'child', input: { name: 'x' } }], always: 'idle' },
      spawning: { entry: [spawnChild('call', { id: 'call' }), stopChild('call')] },
    },
  })
  return {
    machine,
    script: [send('go'), settle, send('pass'), settle],
    ends: { value: 'spawning' },
    performed,
  }
}

/** Logic of one's own making keeps what it likes in its snapshot, and knows who it is. */
export function customLogicChild(): Scenario {
  type Tally = Snapshot<string> & { total: number; name: string }
  const tally: ActorLogic<Tally, { type: 'add'; by: number } | { type: 'end' }> = {
    getInitialSnapshot: ({ id, self, sessionId }) => ({
      status: 'active',
      output: undefined,
      error: undefined,
      total: 0,
      name: `${id}, ${sessionId === self.sessionId}`,
    }),
    transition(snapshot, event) {
      if (event.type === 'add') return { ...snapshot, total: snapshot.total + event.by }
      if (event.type !== 'end') return snapshot
      const output = `${snapshot.name}, ${snapshot.total}`
      return { ...snapshot, status: 'done', output, error: undefined }
    },
    getPersistedSnapshot: snapshot => snapshot,
  }
  const machine = setup({
    types: {} as {
      context: { output: string }
      events: { type: 'add'; by: number } | { type: 'end' }
    },
    actors: { tally },
  }).createMachine({
    context: { output: '' },
    invoke: {
      id: 'tally',
      src: 'tally',
      onDone: { actions: assign({ output: ({ event }) => String(event.output) }) },
    },
    on: {
      add: { actions: sendTo('tally', ({ event }) => event) },
      end: { actions: sendTo('tally', { type: 'end' }) },
    },
  })
  return {
    machine,
    script: [send('add', { by: 2 }), send('add', { by: 3 }), send('end')],
    ends: { context: { output: 'tally, true, 5' } },
  }
}

/** Transition logic is kept and stepped like a machine. */
export function transitionChild(): Scenario {
  const machine = setup({
    types: {} as {
      context: { doubled: number }
      events: { type: 'add'; by: number } | { type: 'read' } | { type: 'reset' }
    },
    actors: {
      sum: fromTransition(
        (total: { sum: number }, event: { type: 'add'; by: number }) => ({ sum: total.sum + event.by }),
        ({ input }: { input: { from: number } }) => ({ sum: input.from }),
      ),
    },
  }).createMachine({
    context: { doubled: 0 },
    initial: 'summing',
    states: {
      summing: {
        invoke: {
          id: 'sum',
          src: 'sum',
          input: { from: 5 },
          onSnapshot: { actions: assign({ doubled: ({ event }) => event.snapshot.context.sum * 2 }) },
        },
        on: {
          add: { actions: sendTo('sum', ({ event }) => event) },
          reset: { target: 'summing', reenter: true },
        },
      },
    },
  })
  return {
    machine,
    script: [send('add', { by: 1 }), send('add', { by: 2 }), send('reset'), send('add', { by: 10 })],
    ends: { context: { doubled: 30 } },
  }
}
