import { describe, expect, it } from 'vitest'

import type { Heartbeats, Inspection } from '../../actors/ports.ts'
import type { SupervisedNode, SupervisionQuestion } from '../../actors/supervision.ts'

export interface InspectionFixture {
  /** The heartbeats of a node of that name, each over a connection of its own. */
  readonly heartbeatsOf: (node: string) => Promise<Heartbeats>
  /** Each over a connection of its own. */
  readonly inspection: () => Promise<Inspection>
  /** Lets time pass until the last heartbeat of that node is forgotten. */
  readonly forgotten: (node: string) => Promise<void>
}

const timeoutMs = 5_000

function report(name: string): SupervisedNode {
  return {
    name,
    incarnation: '1',
    version: '1.2.3',
    startedAt: 7,
    partitions: { avoided: [4], serving: [3], total: 8 },
    resident: 1,
    activities: { running: 1, waiting: 2, abandoned: 3 },
    children: [
      {
        partition: 3,
        state: 'owned.serving',
        term: 9,
        restarts: { count: 1, failures: [{ at: 8, code: 'LUCKLESS', message: 'no luck' }] },
        avoidedUntil: undefined,
        resident: 1,
        children: [],
      },
    ],
  }
}

/** What every Inspection must do. `makeFixture` answers a namespace in which nobody is alive. */
export function describeInspection(name: string, makeFixture: () => Promise<InspectionFixture>): void {
  describe(`Inspection: ${name}`, () => {
    it('names nobody when nobody is alive', async () => {
      const { inspection } = await makeFixture()

      expect(await (await inspection()).names()).toEqual([])
    })

    it('names those who have said that they are alive, sorted, once each, as they are called', async () => {
      const { heartbeatsOf, inspection } = await makeFixture()
      const names = ['zoe', 'node_1', 'Node-1', 'n'.repeat(64)]
      for (const node of [...names, 'zoe']) await (await heartbeatsOf(node)).beat()

      expect(await (await inspection()).names()).toEqual(names.toSorted())
    })

    it('does not name who has left, or was not heard for the time a lease lasts', async () => {
      const { forgotten, heartbeatsOf, inspection } = await makeFixture()
      const [a, b, c] = [await heartbeatsOf('a'), await heartbeatsOf('b'), await heartbeatsOf('c')]
      await a.beat()
      await forgotten('a')
      await b.beat()
      await c.beat()
      await b.leave()

      expect(await (await inspection()).names()).toEqual(['c'])
    })

    it('carries the question to the node that is asked, and what it answers back', async () => {
      const { inspection } = await makeFixture()
      const [a, b, asking] = [await inspection(), await inspection(), await inspection()]
      const heard: (readonly [string, SupervisionQuestion])[] = []
      const answering = (node: string) => (question: SupervisionQuestion) => {
        heard.push([node, question])
        return report(node)
      }
      await a.answer('a', answering('a'))
      await b.answer('b', answering('b'))

      const atB = await asking.ask('b', { depth: 'instances', workflow: 'order' }, { timeoutMs })
      const atA = await asking.ask('a', { depth: 'nodes' }, { timeoutMs })

      expect([atB, atA]).toEqual([report('b'), report('a')])
      expect(heard).toEqual([
        ['b', { depth: 'instances', workflow: 'order' }],
        ['a', { depth: 'nodes' }],
      ])
    })

    it('knows of no answer when nobody answers, or does not any more', async () => {
      const { inspection } = await makeFixture()
      const [a, asking] = [await inspection(), await inspection()]
      const stop = await a.answer('a', report.bind(undefined, 'a'))
      const before = await asking.ask('a', { depth: 'nodes' }, { timeoutMs })

      stop()
      // Whoever stops is heard to have stopped once it has been answered something else.
      await a.names()

      expect(before).toBeDefined()
      expect(await asking.ask('a', { depth: 'nodes' }, { timeoutMs })).toBeUndefined()
      expect(await asking.ask('b', { depth: 'nodes' }, { timeoutMs })).toBeUndefined()
    })

    it('asks nobody once it is told to stop, and says why', async () => {
      const { inspection } = await makeFixture()
      const [a, asking] = [await inspection(), await inspection()]
      let asked = 0
      await a.answer('a', () => {
        asked++
        return report('a')
      })
      const reason = new Error('test')
      const signal = AbortSignal.abort(reason)

      await expect(asking.ask('a', { depth: 'nodes' }, { timeoutMs, signal })).rejects.toBe(reason)
      await asking.ask('a', { depth: 'nodes' }, { timeoutMs })

      expect(asked).toBe(1)
    })
  })
}
