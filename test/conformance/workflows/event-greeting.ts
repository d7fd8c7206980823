import { assign, fromPromise, setup } from 'xstate'

import { send, settle, type Scenario } from '../scenario.ts'

interface Person {
  readonly name: string
  readonly language: 'en' | 'fr'
}

/** Waits for someone to arrive, greets in their language, and waits for the next. */
export function eventGreeting(): Scenario {
  const machine = setup({
    types: {} as {
      context: { person: Person | null; greeted: string[] }
      events: { type: 'arrived'; person: Person } | { type: 'closed' }
    },
    actors: {
      greet: fromPromise(({ input }: { input: Person }) =>
        Promise.resolve(`${input.language === 'fr' ? 'Bonjour' : 'Hello'} ${input.name}`),
      ),
    },
  }).createMachine({
    id: 'eventGreeting',
    context: { person: null, greeted: [] },
    initial: 'waiting',
    on: { closed: '.closed' },
    states: {
      waiting: {
        on: { arrived: { target: 'greeting', actions: assign({ person: ({ event }) => event.person }) } },
      },
      greeting: {
        invoke: {
          src: 'greet',
          input: ({ context }) => context.person!,
          onDone: {
            target: 'waiting',
            actions: assign({
              person: null,
              greeted: ({ context, event }) => [...context.greeted, event.output],
            }),
          },
        },
      },
      closed: { type: 'final' },
    },
    output: ({ context }) => context.greeted,
  })
  return {
    machine,
    script: [
      send('arrived', { person: { name: 'Grace', language: 'en' } }),
      settle,
      send('arrived', { person: { name: 'Blaise', language: 'fr' } }),
      // Nobody listens for a second arrival while greeting.
      send('arrived', { person: { name: 'Nobody', language: 'en' } }),
      settle,
      send('closed'),
    ],
    ends: { status: 'done', output: ['Hello Grace', 'Bonjour Blaise'] },
  }
}
