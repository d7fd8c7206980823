/** Which transitions are taken, and in what order. */
import { and, assign, emit, enqueueActions, log, not, or, raise, setup, stateIn } from 'xstate'

import { advance, send, type Scenario } from '../scenario.ts'

/** A parallel state is done when all regions are, with nested regions counting as a whole. */
export function parallelDone(): Scenario {
  const leg = (event: string) =>
    ({ initial: 'open', states: { open: { on: { [event]: 'closed' } }, closed: { type: 'final' } } }) as const
  const machine = setup({
    types: {} as { context: { done: string[] }; events: { type: 'a' | 'b' | 'c' | 'd' } },
    actions: { note: assign({ done: ({ context }, what: string) => [...context.done, what] }) },
  }).createMachine({
    context: { done: [] },
    initial: 'both',
    states: {
      both: {
        type: 'parallel',
        states: {
          outer: leg('a'),
          nested: {
            initial: 'pair',
            states: {
              pair: {
                type: 'parallel',
                states: { left: leg('b'), right: leg('c') },
                onDone: { target: 'after', actions: { type: 'note', params: 'pair' } },
              },
              after: { type: 'final' },
            },
            onDone: { actions: { type: 'note', params: 'nested' } },
          },
        },
        onDone: { target: 'joined', actions: { type: 'note', params: 'both' } },
      },
      joined: {},
    },
  })
  return {
    machine,
    script: [send('b'), send('a'), send('a'), send('c')],
    ends: { value: 'joined', context: { done: ['pair', 'nested', 'both'] } },
  }
}

/** Eventless transitions run until none is enabled, interleaved with raised events. */
export function alwaysLoop(): Scenario {
  const machine = setup({
    types: {} as {
      context: { n: number; trace: string[] }
      events: { type: 'run'; to: number } | { type: 'raised' }
    },
  }).createMachine({
    context: { n: 0, trace: [] },
    initial: 'idle',
    states: {
      idle: { on: { run: { target: 'looping', actions: assign({ n: ({ event }) => event.to }) } } },
      looping: {
        entry: raise({ type: 'raised' }),
        always: [
          {
            guard: ({ context }) => context.n > 0,
            actions: assign(({ context }) => ({
              n: context.n - 1,
              trace: [...context.trace, `n${context.n}`],
            })),
            target: 'looping',
            reenter: true,
          },
          { target: 'idle', guard: ({ context }) => context.trace.at(-1) === 'raised' },
        ],
        on: { raised: { actions: assign({ trace: ({ context }) => [...context.trace, 'raised'] }) } },
      },
    },
  })
  return { machine, script: [send('run', { to: 3 }), send('run', { to: 1 })], ends: { value: 'idle' } }
}

/** A transition that re-enters runs exit and entry and restarts its timers; one that does not, does not. */
export function internalAndReenter(): Scenario {
  const machine = setup({
    types: {} as { context: { trace: string[] }; events: { type: 'stay' | 'reenter' | 'inner' } },
    actions: { note: assign({ trace: ({ context }, what: string) => [...context.trace, what] }) },
  }).createMachine({
    context: { trace: [] },
    initial: 'outer',
    states: {
      outer: {
        entry: { type: 'note', params: 'enter outer' },
        exit: { type: 'note', params: 'exit outer' },
        initial: 'a',
        after: { 1_000: { actions: { type: 'note', params: 'timer' } } },
        on: {
          stay: { target: '.b', actions: { type: 'note', params: 'stay' } },
          reenter: { target: 'outer', reenter: true },
        },
        states: {
          a: { exit: { type: 'note', params: 'exit a' } },
          b: { entry: { type: 'note', params: 'enter b' }, on: { inner: { target: 'b' } } },
        },
      },
    },
  })
  return {
    machine,
    script: [
      send('stay'),
      advance(600),
      send('inner'),
      send('stay'),
      send('reenter'),
      advance(600),
      advance(400),
      advance(5_000),
    ],
    ends: { value: { outer: 'a' } },
  }
}

/** Wildcards, partial wildcards, forbidden and unknown events. */
export function wildcards(): Scenario {
  const machine = setup({
    types: {} as { context: { taken: string[] }; events: { type: string } },
    actions: { note: assign({ taken: ({ context }, what: string) => [...context.taken, what] }) },
  }).createMachine({
    context: { taken: [] },
    initial: 'open',
    on: { '*': { actions: { type: 'note', params: 'root' } } },
    states: {
      open: {
        on: {
          'mouse.*': { actions: { type: 'note', params: 'mouse' } },
          'mouse.click.*': { actions: { type: 'note', params: 'click' } },
          'mouse.click.left': { guard: () => false, actions: { type: 'note', params: 'never' } },
          forbidden: undefined,
        },
      },
    },
  })
  return {
    machine,
    script: [send('mouse.move'), send('mouse.click.left'), send('forbidden'), send('unknown')],
    ends: { context: { taken: ['mouse', 'click', 'root'] } },
  }
}

/** Guards that look at other regions and at each other. */
export function composedGuards(): Scenario {
  const machine = setup({
    types: {} as {
      context: { n: number }
      events: { type: 'open' } | { type: 'count'; by: number } | { type: 'go' }
    },
    guards: {
      isMany: ({ context }, limit: number) => context.n > limit,
      isEven: ({ context }) => context.n % 2 === 0,
    },
  }).createMachine({
    context: { n: 0 },
    type: 'parallel',
    states: {
      door: { initial: 'shut', states: { shut: { on: { open: 'ajar' } }, ajar: { id: 'ajar' } } },
      counter: {
        initial: 'counting',
        on: { count: { actions: assign({ n: ({ context, event }) => context.n + event.by }) } },
        states: {
          counting: {
            on: {
              go: {
                guard: and([stateIn('#ajar'), or([{ type: 'isMany', params: 10 }, not('isEven')])]),
                target: 'gone',
              },
            },
          },
          gone: {},
        },
      },
    },
  })
  return {
    machine,
    script: [
      send('count', { by: 3 }),
      send('go'),
      send('open'),
      send('count', { by: 1 }),
      send('go'),
      send('count', { by: 8 }),
      send('go'),
    ],
    ends: { value: { door: 'ajar', counter: 'gone' } },
  }
}

/** Actions decided while stepping: enqueued, emitted, logged, raised. */
export function enqueuedActions(): Scenario {
  const performed: string[] = []
  const machine = setup({
    types: {} as {
      context: { n: number }
      events: { type: 'go'; times: number } | { type: 'extra' }
      emitted: { type: 'gone'; n: number }
    },
    guards: { isLarge: ({ context }) => context.n >= 2 },
    actions: {
      note: ({ context }, params: { at: number }) => performed.push(`${params.at} of ${context.n}`),
    },
  }).createMachine({
    context: { n: 0 },
    on: {
      go: {
        actions: [
          log(({ event }) => event.times),
          enqueueActions(({ enqueue, event, check }) => {
            for (let at = 1; at <= event.times; at++) {
              enqueue.assign({ n: ({ context }) => context.n + 1 })
              enqueue({ type: 'note', params: { at } })
            }
            if (check('isLarge')) enqueue.raise({ type: 'extra' })
          }),
          emit(({ context }) => ({ type: 'gone', n: context.n })),
        ],
      },
      extra: { actions: [assign({ n: 100 }), emit({ type: 'gone', n: -1 })] },
    },
  })
  return {
    machine,
    script: [send('go', { times: 2 }), send('go', { times: 1 })],
    ends: { context: { n: 100 } },
    performed,
  }
}

/** What is enqueued by a name that nothing stands behind does nothing. */
export function enqueuedUnimplemented(): Scenario {
  const machine = setup({
    types: {} as { context: { enqueued: number }; events: { type: 'go' } },
  }).createMachine({
    context: { enqueued: 0 },
    on: {
      go: {
        actions: enqueueActions(({ context, enqueue }) => {
          enqueue('unheardOf' as never)
          enqueue.assign({ enqueued: context.enqueued + 1 })
        }),
      },
    },
  })
  return { machine, script: [send('go'), send('go')], ends: { status: 'active', context: { enqueued: 2 } } }
}

/** Values that JSON would lose stay what they are in context, events and output. */
export function richContext(): Scenario {
  const machine = setup({
    types: {} as {
      context: {
        at: Date
        seen: Map<string, Set<number>>
        big: bigint
        bytes: Uint8Array
        nothing: undefined
        error: Error | null
      }
      events: { type: 'see'; who: string; n: number } | { type: 'fail'; error: Error } | { type: 'end' }
    },
  }).createMachine({
    context: () => ({
      at: new Date(Date.UTC(2030, 0, 2)),
      seen: new Map(),
      big: 2n ** 70n,
      bytes: Uint8Array.of(0, 255, 7),
      nothing: undefined,
      error: null,
    }),
    initial: 'open',
    states: {
      open: {
        on: {
          see: {
            actions: assign(({ context, event }) => ({
              at: new Date(context.at.getTime() + 1),
              seen: new Map([
                ...context.seen,
                [event.who, new Set([...(context.seen.get(event.who) ?? []), event.n])],
              ]),
              big: context.big + BigInt(event.n),
              bytes: Uint8Array.from(context.bytes, byte => byte ^ 255),
            })),
          },
          fail: { actions: assign({ error: ({ event }) => event.error }) },
          end: 'ended',
        },
      },
      ended: { type: 'final' },
    },
    output: ({ context }) => ({ ...context }),
  })
  return {
    machine,
    script: [
      send('see', { who: 'x', n: 1 }),
      send('see', { who: 'x', n: 2 }),
      send('fail', { error: new RangeError('out of range', { cause: 'a string' }) }),
      send('end'),
    ],
    ends: { status: 'done' },
  }
}
