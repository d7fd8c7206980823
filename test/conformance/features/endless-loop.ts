import { setup } from 'xstate'

import { send, type Scenario } from '../scenario.ts'

/** A loop that never ends is an error, not a hang. */
export function endlessLoop(): Scenario {
  const machine = setup({ types: {} as { events: { type: 'go' } } }).createMachine({
    options: { maxIterations: 50 },
    initial: 'idle',
    states: { idle: { on: { go: 'ping' } }, ping: { always: 'pong' }, pong: { always: 'ping' } },
  })
  return { machine, script: [send('go'), send('go')], ends: { status: 'error' } }
}
