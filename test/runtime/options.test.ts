import { expect, it } from 'vitest'
import { createMachine, setup } from 'xstate'

import {
  connect,
  createNode,
  createWorker,
  defineWorkflow,
  startServer,
  type InstanceSnapshot,
  type RuntimeError,
} from '../../src/index.ts'
import { pool } from '../../src/workflow/pool.ts'
import { tally } from '../support/workflows.ts'

const turnstile = defineWorkflow(
  setup({}).createMachine({ id: 'turnstile', initial: 'locked', states: { locked: {}, open: {} } }),
)

async function problemsOf(promise: Promise<unknown>): Promise<unknown> {
  const error = (await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )) as RuntimeError
  expect(error).toMatchObject({ code: 'OPTIONS_INVALID' })
  return error.fields['problems']
}

it.each([
  ['createNode', () => createNode({ workflows: [tally], partition: 3 } as never), 'partition'],
  ['connect', () => connect({ server: 'nats://127.0.0.1:1' } as never), 'server'],
  ['createWorker', () => createWorker({ activities: { a: async () => {} }, limit: 1 } as never), 'limit'],
  ['startServer', () => startServer({ ports: 1 } as never), 'ports'],
])('%s refuses an option that it does not have, and says which there are', async (_, call, name) => {
  const known = expect.stringMatching(new RegExp(`^${name} is not an option; there are [a-zA-Z, ]+$`))
  expect(await problemsOf(call())).toEqual([known])
})

it('a node refuses a machine that is no workflow, and a log that is none', async () => {
  const workflows = [createMachine({ id: 'm' })] as never
  expect(await problemsOf(createNode({ workflows, log: 'loud' as never }))).toEqual([
    'log: must be a pino logger or trace, debug, info, warn, error, fatal, silent',
    'workflows[0]: must be what defineWorkflow() answers',
  ])
})

it('a pool says that it is its name that is wrong', () => {
  expect(() => pool({ permits: 1 } as never)).toThrow(
    'the name of a pool must be 1 to 256 bytes of UTF-8; got undefined',
  )
})

it('a snapshot can be asked only for states that its machine has', () => {
  const isOpen = (snapshot: InstanceSnapshot<typeof turnstile>) => [
    snapshot.matches('open'),
    // @ts-expect-error: there is no such state
    snapshot.matches('opne'),
  ]
  expect(isOpen).toBeTypeOf('function')
})
