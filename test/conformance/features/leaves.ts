/** Promises, callbacks and observables that are left, ended, restarted, or fail. */
import {
  assign,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  sendTo,
  setup,
  type AnyEventObject,
} from 'xstate'

import { answer, outside, send, settle, type Answer, type Scenario } from '../scenario.ts'
import { Subject } from './subject.ts'

/** Leaving a state aborts the call made there, and its answer no longer counts. */
export function cancellationByCaller(): Scenario {
  const performed: string[] = []
  const call = answer<string>()
  const machine = setup({
    types: {} as { context: { result: string }; events: { type: 'cancel' } | { type: 'retry' } },
    actors: {
      call: fromPromise<string>(({ signal }) => {
        performed.push('called')
        signal.addEventListener('abort', () => performed.push('aborted'))
        return call.promise
      }),
    },
  }).createMachine({
    context: { result: 'none' },
    initial: 'calling',
    states: {
      calling: {
        invoke: {
          id: 'call',
          src: 'call',
          onDone: { target: 'called', actions: assign({ result: ({ event }) => event.output }) },
        },
        on: { cancel: 'cancelled' },
      },
      called: { type: 'final' },
      cancelled: { on: { retry: 'calling' } },
    },
  })
  return {
    machine,
    script: [send('cancel'), outside(() => call.resolve('too late')), send('retry'), send('cancel'), settle],
    ends: { status: 'active', value: 'cancelled', context: { result: 'none' } },
    performed,
  }
}

/** Entering a state anew makes a new call; the answer to the old one does not count. */
export function staleResultAfterReentry(): Scenario {
  const calls: Answer<string>[] = []
  const machine = setup({
    types: {} as { context: { round: number; results: string[] }; events: { type: 'again' } },
    actors: {
      call: fromPromise(() => {
        const next = answer<string>()
        calls.push(next)
        return next.promise
      }),
    },
  }).createMachine({
    context: { round: 0, results: [] },
    initial: 'calling',
    states: {
      calling: {
        entry: assign({ round: ({ context }) => context.round + 1 }),
        invoke: {
          id: 'call',
          src: 'call',
          onDone: {
            target: 'called',
            actions: assign({ results: ({ context, event }) => [...context.results, event.output] }),
          },
        },
        on: { again: { target: 'calling', reenter: true } },
      },
      called: { on: { again: 'calling' } },
    },
  })
  return {
    machine,
    script: [
      send('again'),
      send('again'),
      outside(() => calls[0]!.resolve('first')),
      outside(() => calls[2]!.resolve('third')),
      outside(() => calls[1]!.resolve('second')),
    ],
    ends: { value: 'called', context: { round: 3, results: ['third'] } },
  }
}

/** The values of an observable are seen in its snapshot; its end and its failure are told. */
export function observable(): Scenario {
  const temperatures = new Subject<number>()
  const machine = setup({
    types: {} as { context: { seen: (number | undefined)[]; ended: boolean }; events: { type: 'restart' } },
    actors: { thermometer: fromObservable<number, { unit: string }>(() => temperatures) },
  }).createMachine({
    context: { seen: [], ended: false },
    initial: 'measuring',
    states: {
      measuring: {
        invoke: {
          id: 'thermometer',
          src: 'thermometer',
          input: { unit: 'C' },
          onSnapshot: {
            actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.context] }),
          },
          onDone: { target: 'ended', actions: assign({ ended: true }) },
          onError: 'broken',
        },
      },
      ended: { on: { restart: 'measuring' } },
      broken: { type: 'final' },
    },
  })
  return {
    machine,
    script: [
      settle,
      outside(() => temperatures.next(20)),
      outside(() => temperatures.next(21)),
      outside(() => temperatures.complete()),
      outside(() => temperatures.next(99)),
      send('restart'),
      outside(() => temperatures.next(22)),
      outside(() => temperatures.error(new Error('cable cut'))),
    ],
    ends: { status: 'done', value: 'broken' },
  }
}

/** The values of an event observable are events of the machine, until it is left. */
export function eventObservable(): Scenario {
  const ticks = new Subject<{ type: 'tick'; by: number }>()
  const machine = setup({
    types: {} as { context: { count: number }; events: { type: 'tick'; by: number } | { type: 'stop' } },
    actors: { ticks: fromEventObservable(() => ticks) },
  }).createMachine({
    context: { count: 0 },
    initial: 'counting',
    states: {
      counting: {
        invoke: { src: 'ticks' },
        on: {
          tick: { actions: assign({ count: ({ context, event }) => context.count + event.by }) },
          stop: 'idle',
        },
      },
      idle: { on: { tick: { actions: assign({ count: -1 }) } } },
    },
  })
  return {
    machine,
    script: [
      settle,
      outside(() => ticks.next({ type: 'tick', by: 2 })),
      outside(() => ticks.next({ type: 'tick', by: 3 })),
      send('stop'),
      outside(() => ticks.next({ type: 'tick', by: 100 })),
    ],
    ends: { value: 'idle', context: { count: 5 } },
  }
}

/** A callback answers what it is sent, is cleaned up when left, and starts anew when entered again. */
export function callback(): Scenario {
  const performed: string[] = []
  const machine = setup({
    types: {} as {
      context: { echoes: number[] }
      events: { type: 'ask'; n: number } | { type: 'echo'; n: number } | { type: 'leave' } | { type: 'enter' }
    },
    actors: {
      echo: fromCallback<AnyEventObject, { factor: number }>(({ input, receive, sendBack }) => {
        performed.push('started')
        receive(event => sendBack({ type: 'echo', n: (event['n'] as number) * input.factor }))
        return () => performed.push('cleaned up')
      }),
    },
  }).createMachine({
    context: { echoes: [] },
    initial: 'open',
    states: {
      open: {
        invoke: { id: 'echo', src: 'echo', input: { factor: 10 } },
        on: {
          ask: { actions: sendTo('echo', ({ event }) => event) },
          echo: { actions: assign({ echoes: ({ context, event }) => [...context.echoes, event.n] }) },
          leave: 'closed',
        },
      },
      closed: { on: { enter: 'open' } },
    },
  })
  return {
    machine,
    script: [
      send('ask', { n: 1 }),
      settle,
      send('leave'),
      send('ask', { n: 2 }),
      send('enter'),
      send('ask', { n: 3 }),
      settle,
    ],
    ends: { value: 'open', context: { echoes: [10, 30] } },
    performed,
  }
}

/** A callback that sends and throws as it starts, in a state that is left by what it sends. */
export function eagerCallback(): Scenario {
  const machine = setup({
    types: {} as { context: { error: unknown }; events: { type: 'ready' } | { type: 'next' } },
    actors: {
      eager: fromCallback(({ sendBack }) => sendBack({ type: 'ready' })),
      broken: fromCallback(() => {
        throw new RangeError('broken from the start')
      }),
    },
  }).createMachine({
    context: { error: null },
    initial: 'idle',
    states: {
      idle: { on: { next: 'starting' } },
      starting: { invoke: { src: 'eager' }, on: { ready: 'ready' } },
      ready: { on: { next: 'breaking' } },
      breaking: {
        invoke: {
          src: 'broken',
          onError: { target: 'broken', actions: assign({ error: ({ event }) => event.error }) },
        },
      },
      broken: {},
    },
  })
  return {
    machine,
    script: [send('next'), settle, send('next'), settle],
    ends: { value: 'broken', context: { error: new RangeError('broken from the start') } },
  }
}

/** The values of an observable that nobody watches are no events, not even for a handler of all events. */
export function unwatchedObservable(): Scenario {
  const values = new Subject<number>()
  const machine = setup({
    types: {} as { context: { heard: string[] }; events: AnyEventObject },
    actors: { values: fromObservable(() => values) },
  }).createMachine({
    context: { heard: [] },
    invoke: { id: 'values', src: 'values' },
    on: { '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, event.type] }) } },
  })
  return {
    machine,
    script: [outside(() => values.next(1)), outside(() => values.next(2)), send('go')],
    ends: { context: { heard: ['go'] } },
  }
}

/** An outcome says whose it is. */
export function outcomesNameTheirActor(): Scenario {
  const machine = setup({
    types: {} as { context: { ids: string[] } },
    actors: {
      good: fromPromise(async () => 'done'),
      bad: fromPromise(() => Promise.reject(new Error('bad'))),
    },
    actions: {
      note: assign({ ids: ({ context }, { actorId }: { actorId: string }) => [...context.ids, actorId] }),
    },
  }).createMachine({
    context: { ids: [] },
    initial: 'first',
    states: {
      first: {
        invoke: {
          id: 'one',
          src: 'good',
          onDone: { target: 'second', actions: { type: 'note', params: ({ event }) => event } },
        },
      },
      second: {
        invoke: {
          id: 'two',
          src: 'bad',
          onError: { target: 'third', actions: { type: 'note', params: ({ event }) => event } },
        },
      },
      third: {},
    },
  })
  return { machine, script: [settle], ends: { value: 'third', context: { ids: ['one', 'two'] } } }
}

/** A rejection that nobody handles ends the machine with that error. */
export function unhandledRejection(): Scenario {
  const machine = setup({
    types: {} as { events: { type: 'go' } },
    actors: {
      fail: fromPromise(() => Promise.reject(new Error('unhandled', { cause: new Error('root cause') }))),
    },
  }).createMachine({
    initial: 'idle',
    states: {
      idle: { on: { go: 'failing' } },
      failing: { invoke: { src: 'fail' }, after: { 1000: 'idle' } },
    },
  })
  return {
    machine,
    script: [send('go'), settle, { type: 'advance', ms: 5000 }, send('go')],
    ends: { status: 'error', error: new Error('unhandled', { cause: new Error('root cause') }) },
  }
}
