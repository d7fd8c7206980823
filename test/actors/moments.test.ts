import { expect, it } from 'vitest'
import { setup, type AnyActorLogic } from 'xstate'

import { Draft } from '../../actors/draft.ts'
import { prepareWorkflow } from '../../actors/machine.ts'
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts'
import { pool } from '../../src/workflow/pool.ts'
import { remoteActivity } from '../../src/workflow/remote-activity.ts'

const never = Number.MAX_SAFE_INTEGER
const target = { workflow: 'patient', id: 'one' }

it.each<[string, AnyActorLogic, unknown]>([
  ['pool()', pool({ name: 'doors', permits: 1 }) as never, { timeout: never }],
  ['a remote activity', remoteActivity({ name: 'far', timeout: { attempt: never } }) as never, undefined],
])('a record can be read in which %s may take as long as a timeout can say', (_, logic, input) => {
  const machine = setup({ actors: { waits: logic } }).createMachine({
    invoke: { id: 'waits', src: 'waits', input: input as never },
  })
  const workflow = prepareWorkflow({ name: 'patient', version: 1, machine })
  const start = { type: 'start', id: 'start', target, time: 0, input: undefined, inputDigest: '' } as const

  const record = Draft.start(workflow, start, 1, Date.UTC(2026, 0, 1)).record(0)

  expect(() => decodeRecord(encodeRecord(record))).not.toThrow()
})
