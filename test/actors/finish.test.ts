import { expect, it } from 'vitest'
import { fromPromise, setup } from 'xstate'

import type { Delivery, Envelope } from '../../actors/envelope.ts'
import { Instance } from '../../actors/instance.ts'
import { prepareWorkflow } from '../../actors/machine.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { bulk } from '../../src/workflow/bulk.ts'
import { tally } from '../support/workflows.ts'

const machine = setup({
  actors: {
    many: bulk(tally, { concurrency: 1, items: () => [undefined, undefined, undefined] }),
    work: fromPromise(async () => {}),
  },
}).createMachine({
  id: 'parent',
  type: 'parallel',
  states: {
    many: { invoke: { id: 'many', src: 'many', input: undefined } },
    work: { invoke: { id: 'work', src: 'work' } },
  },
})
const target = { workflow: 'parent', id: 'one' }

it('leaves memory though an activity has ended while its record is full', () => {
  const endings: unknown[] = []
  let record: InstanceRecord | undefined
  let revision = 0
  const instance = new Instance<Delivery>(target, prepareWorkflow({ name: 'parent', version: 1, machine }), {
    load() {},
    commit: committed => (record = committed),
    perform() {},
    settle() {},
    stopped() {},
    goesOn() {},
    wakeAt() {},
    flushAfter() {},
    abandonActivities() {},
    keepActivities: () => new Set(),
    isCrowded: false,
    awaitRoom() {},
    nextCommitId: () => 'commit',
    now: () => 0,
    rested() {},
    ended: error => endings.push(error),
  })
  let seq = 0
  const deliver = (content: object) => {
    const envelope = { id: `${seq}`, target, time: 0, ...content } as Envelope
    instance.deliver({ envelope, seq: ++seq })
  }
  instance.begin()
  deliver({ type: 'start', input: undefined, inputDigest: '' })
  instance.loaded(undefined)
  instance.committed(++revision)
  const incarnationOf = (path: string) => record!.activities.find(one => one.path === path)!.incarnation
  // A chunk of results that has yet to reach the blobs: nothing more is taken until it has.
  const outcome = { status: 'done', output: 'x'.repeat(70_000) }
  deliver({ type: 'settle', path: 'many', incarnation: incarnationOf('many'), index: 0, outcome })
  instance.committed(++revision)
  expect(record!.outbox).toMatchObject([{ type: 'item' }, { type: 'item' }, { type: 'chunk' }])
  instance.report({
    type: 'settled',
    path: 'work',
    incarnation: incarnationOf('work'),
    attempt: 1,
    outcome: { status: 'done', output: undefined },
  })

  instance.finish()
  // The chunk has reached the blobs.
  instance.delivered(record!.outbox.find(({ type }) => type === 'chunk')!.effectId)

  expect(endings).toEqual([undefined])
})
