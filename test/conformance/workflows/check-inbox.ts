import { assign, fromCallback, setup, type EventObject } from 'xstate'

import { outside, send, type Scenario } from '../scenario.ts'

type Message = { readonly priority: 'high' | 'low'; readonly subject: string }

/** A mailbox reports new mail for as long as it is watched; what is urgent becomes a text message. */
export function checkInbox(): Scenario {
  const performed: string[] = []
  let deliver: (messages: readonly Message[]) => void = () => {}
  const machine = setup({
    types: {} as {
      context: { texted: string[]; checks: number }
      events: { type: 'mail'; messages: readonly Message[] } | { type: 'recheck' } | { type: 'holiday' }
    },
    actors: {
      watchInbox: fromCallback<EventObject, { folder: string }>(({ input, receive, sendBack }) => {
        performed.push(`watching ${input.folder}`)
        deliver = messages => sendBack({ type: 'mail', messages })
        receive(event => performed.push(`told to ${event.type}`))
        return () => performed.push('stopped watching')
      }),
    },
  }).createMachine({
    id: 'checkInbox',
    context: { texted: [], checks: 0 },
    initial: 'watching',
    states: {
      watching: {
        invoke: { id: 'inbox', src: 'watchInbox', input: { folder: 'in' } },
        on: {
          mail: {
            actions: assign(({ context, event }) => ({
              checks: context.checks + 1,
              texted: [
                ...context.texted,
                ...event.messages.filter(({ priority }) => priority === 'high').map(({ subject }) => subject),
              ],
            })),
          },
          recheck: { actions: ({ self }) => self.getSnapshot().children['inbox']?.send({ type: 'recheck' }) },
          holiday: 'away',
        },
      },
      away: { type: 'final' },
    },
    output: ({ context }) => context.texted,
  })
  return {
    machine,
    script: [
      outside(() => deliver([{ priority: 'high', subject: 'server down' }])),
      send('recheck'),
      outside(() => deliver([{ priority: 'low', subject: 'newsletter' }])),
      send('holiday'),
      outside(() => deliver([{ priority: 'high', subject: 'too late' }])),
    ],
    ends: { status: 'done', output: ['server down'] },
    performed,
  }
}
