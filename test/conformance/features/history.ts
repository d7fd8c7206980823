/** History states: what was left is found again after any number of stored steps. */
import { setup } from 'xstate'

import { send, type Scenario } from '../scenario.ts'

function player() {
  return setup({
    types: {} as {
      events: { type: 'next' | 'inner' | 'powerOff' | 'shallow' | 'deep' | 'reset' }
    },
  }).createMachine({
    initial: 'on',
    states: {
      on: {
        initial: 'radio',
        on: { powerOff: 'off' },
        states: {
          radio: { on: { next: 'disc' } },
          disc: {
            initial: 'first',
            on: { next: 'both' },
            states: { first: { on: { inner: 'second' } }, second: {} },
          },
          both: {
            type: 'parallel',
            states: {
              left: { initial: 'quiet', states: { quiet: { on: { inner: 'loud' } }, loud: {} } },
              right: { initial: 'quiet', states: { quiet: {}, loud: {} } },
            },
          },
          shallow: { type: 'history', target: 'disc' },
          deep: { type: 'history', history: 'deep', target: 'disc' },
        },
      },
      off: { on: { shallow: 'on.shallow', deep: 'on.deep', reset: 'on' } },
    },
  })
}

/** Shallow history goes back to the child that was left, and enters it from its start. */
export function shallowHistory(): Scenario {
  return {
    machine: player(),
    script: [send('next'), send('inner'), send('powerOff'), send('shallow')],
    ends: { value: { on: { disc: 'first' } } },
  }
}

/** Deep history goes back to every state that was left, in all regions. */
export function deepHistory(): Scenario {
  return {
    machine: player(),
    script: [
      send('next'),
      send('inner'),
      send('powerOff'),
      send('deep'),
      send('next'),
      send('inner'),
      send('powerOff'),
      send('deep'),
    ],
    ends: { value: { on: { both: { left: 'loud', right: 'quiet' } } } },
  }
}

/** Without anything to go back to, the default target is entered. */
export function historyDefault(): Scenario {
  const machine = setup({ types: {} as { events: { type: 'open' | 'close' } } }).createMachine({
    initial: 'closed',
    states: {
      closed: { on: { open: 'opened.last' } },
      opened: {
        initial: 'a',
        states: { a: {}, b: { on: { close: '#gone' } }, last: { type: 'history', target: 'b' } },
      },
      gone: { id: 'gone', on: { open: 'opened.last' } },
    },
  })
  return {
    machine,
    script: [send('open'), send('close'), send('open')],
    ends: { value: { opened: 'b' } },
  }
}
