import { describe, expect, it } from 'vitest'
import { setup } from 'xstate'

import type { Delivery, Envelope } from '../../actors/envelope.ts'
import { prepareWorkflow } from '../../actors/machine.ts'
import { atRest, everySoOften, never, perTurn, type Persistence } from '../../actors/persistence.ts'
import { Newcomers } from '../../src/runtime/newcomers.ts'
import { testConnection } from '../contract/fixtures.ts'
import { until } from '../contract/until.ts'
import { freshNamespace } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { tally } from '../support/workflows.ts'

const target = { workflow: 'order', id: 'o-1' }

const start: Envelope = { type: 'start', id: 's', target, time: 0, input: 1, inputDigest: 'x' }

function delivery(over: Partial<Delivery> = {}): Delivery {
  return { envelope: start, seq: 7, isBacklog: false, ...over }
}

function workflow(persistence: Persistence = perTurn) {
  return prepareWorkflow({ name: 'order', version: 1, machine: setup({}).createMachine({}), persistence })
}

describe('a start', () => {
  it('is taken for the first of its instance when nobody can have taken it before', () => {
    const newcomers = new Newcomers()

    expect(newcomers.presumes(delivery(), workflow())).toBe(true)
    expect(newcomers.presumes(delivery({ isBacklog: true }), workflow())).toBe(false)
    expect(newcomers.presumes(delivery({ isInOrder: true }), workflow())).toBe(false)
    expect(newcomers.presumes(delivery({ repeats: 3 }), workflow())).toBe(false)
  })

  it('is looked into where something would happen before it is stored, or nothing is', () => {
    const newcomers = new Newcomers()

    expect(newcomers.presumes(delivery(), workflow(everySoOften(100, 5)))).toBe(true)
    expect(newcomers.presumes(delivery(), workflow(atRest))).toBe(false)
    expect(newcomers.presumes(delivery(), workflow(never))).toBe(false)
  })

  it('is looked into for a while after one of its workflow was not the first', () => {
    const newcomers = new Newcomers()
    newcomers.wasThere(target)

    const doubted = Array.from({ length: 100 }, () => newcomers.presumes(delivery(), workflow()))

    expect(new Set(doubted)).toEqual(new Set([false]))
    expect(newcomers.presumes(delivery(), workflow())).toBe(true)
  })
})

describe('anything but a start', () => {
  it('is for an instance that is there', () => {
    const envelope: Envelope = { type: 'send', id: 'e', target, time: 0, event: { type: 'ADD' } }

    expect(new Newcomers().presumes(delivery({ envelope }), workflow())).toBe(false)
  })
})

describe('a node', () => {
  it('stores the first start of an instance without a read before it', async () => {
    const namespace = freshNamespace()
    const { client } = await startNode({ namespace })
    const { nc } = await testConnection()
    const reads: string[] = []
    nc.subscribe(`$JS.API.DIRECT.GET.KV_hf_${namespace}_instances.>`, {
      callback: (_, { subject }) => reads.push(subject),
    })
    await nc.flush()

    // With an id of its own choice the client looks itself.
    for (let n = 0; n < 3; n++) await client.start(tally, { input: undefined, until: 'accepted' })
    const ofStarts = reads.length
    await client
      .instance(tally, 'nowhere')
      .get()
      .catch(() => undefined)
    await until(() => reads.length > ofStarts)

    expect(ofStarts).toBe(0)
  })
})
