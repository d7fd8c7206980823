/**
 * What one event costs before NATS sees it: step, persist and encode, beside `actor.send` of plain XState, which
 * stores nothing. `npm run bench:step`
 */
import { bench, describe } from 'vitest'
import { createActor, type AnyStateMachine } from 'xstate'

import { Draft } from '../actors/draft.ts'
import { prepareWorkflow } from '../actors/machine.ts'
import { decodeRecord, encodeRecord } from '../src/codec/record.ts'
import { flat, nested } from './machines.ts'

const target = { workflow: 'bench', id: 'instance-1' }

function started(machine: AnyStateMachine): { draft: Draft; workflow: ReturnType<typeof prepareWorkflow> } {
  const workflow = prepareWorkflow({ name: 'bench', version: 1, machine })
  const start = {
    type: 'start',
    id: 'start',
    target,
    time: 0,
    input: undefined,
    inputDigest: 'digest',
  } as const
  return { workflow, draft: Draft.start(workflow, start, 1, 0) }
}

for (const [name, machine] of Object.entries({ flat, nested })) {
  describe(`${name}: one event`, () => {
    const actor = createActor(machine as AnyStateMachine).start()
    bench('plain actor.send, nothing stored', () => {
      actor.send({ type: 'FLIP' })
    })

    let seq = 1
    const next = () =>
      ({ type: 'send', id: `client.${++seq}`, target, time: 0, event: { type: 'FLIP' } }) as const

    const { draft: stepped } = started(machine)
    bench('step', () => {
      stepped.deliver(next(), seq, seq)
      stepped.takeEffects()
    })

    const { draft: encoded } = started(machine)
    bench('step + persist + encode', () => {
      encoded.deliver(next(), seq, seq)
      encoded.takeEffects()
      encodeRecord(encoded.record(seq))
    })

    const { draft, workflow } = started(machine)
    let bytes = encodeRecord(draft.record(0))
    bench('decode + restore + step + persist + encode', () => {
      const loaded = Draft.from(workflow, decodeRecord(bytes))
      loaded.deliver(next(), seq, seq)
      loaded.takeEffects()
      bytes = encodeRecord(loaded.record(seq))
    })
  })
}
