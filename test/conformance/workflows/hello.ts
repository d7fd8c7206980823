import { createMachine } from 'xstate'

import type { Scenario } from '../scenario.ts'

/** Injects a greeting and ends. */
export function hello(): Scenario {
  const machine = createMachine({
    id: 'hello',
    initial: 'greeting',
    output: { result: 'Hello World!' },
    states: { greeting: { type: 'final' } },
  })
  return { machine, script: [], ends: { status: 'done', output: { result: 'Hello World!' } } }
}
