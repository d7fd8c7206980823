import { describe, expect, it } from 'vitest'
import { setup } from 'xstate'

import type { SupervisedPartition } from '../../actors/supervision.ts'
import { createStyle } from '../../src/cli/style.ts'
import { treeLines } from '../../src/cli/tree-lines.ts'
import { activity, defineWorkflow, type NodeSummary } from '../../src/index.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { run } from './surroundings.ts'

/** Its activity fails, and waits for long before it is tried again. */
const struggler = defineWorkflow(
  setup({
    actors: {
      struggle: activity({
        name: 'struggle',
        retry: { maxAttempts: 9, initialInterval: '1h' },
        run: async (): Promise<void> => {
          throw Object.assign(new Error('no luck'), { code: 'LUCKLESS' })
        },
      }),
    },
  }).createMachine({
    id: 'struggler',
    initial: 'trying',
    states: { trying: { invoke: { src: 'struggle' } } },
  }),
)

const quiet: SupervisedPartition = {
  partition: 0,
  state: 'owned.serving',
  term: 9,
  restarts: { count: 0, failures: [] },
  avoidedUntil: undefined,
  resident: 0,
  children: [],
}

function nodeWith(...children: readonly SupervisedPartition[]): NodeSummary {
  return {
    isAnswering: true,
    name: 'a',
    incarnation: '1',
    version: '1.2.3',
    startedAt: 0,
    partitions: { avoided: [], serving: [0], total: 8 },
    resident: 0,
    activities: { running: 1, waiting: 0, abandoned: 0 },
    children,
  }
}

function drawn(node: NodeSummary, width = Infinity): readonly string[] {
  return treeLines([node], { depth: 'activities', now: 60_000, style: createStyle(false), width })
}

describe('nodes and tree', { timeout: 60_000 }, () => {
  it('show the nodes, and what goes on in them', async () => {
    const namespace = freshNamespace()
    const cli = (...args: readonly string[]) =>
      run([...args, '--namespace', namespace], { server: sharedServerUrl() })
    const [a, b] = [
      await startNode({ namespace, name: 'a', workflows: [struggler] }),
      await startNode({ namespace, name: 'b', workflows: [struggler] }),
    ]
    const handle = await a.client.start(struggler, { id: 'one' })
    await handle.waitFor(s => s.activities[0]?.retryAt !== undefined, { timeout: '20s' })

    const nodes = await cli('nodes')
    const json = await cli('nodes', '--json')
    const tree = await cli('tree')
    const other = await cli('tree', '--workflow', 'strugler')
    const depth = await cli('tree', '--depth', 'cellar')
    const partitions = await cli('tree', '--depth', 'partitions', '--json')
    await Promise.all([a.stop(), b.stop()])
    const none = [await cli('nodes'), await cli('tree')]
    const gone = await cli('tree', '--node', 'a')

    const lines = nodes.stdout.split('\n')
    expect(lines[0]).toMatch(/^NODE +STATUS +PARTITIONS +INSTANCES +ACTIVITIES +UP +VERSION$/)
    expect(lines[1]).toMatch(/^a +answers +\d of 4 +[01] +0 +\d+ s +\d+\.\d+\.\d+$/)
    expect(lines[2]).toMatch(/^b +answers +/)
    expect((JSON.parse(json.stdout) as { name: string }[]).map(({ name }) => name)).toEqual(['a', 'b'])
    expect(tree.stdout).toMatch(/^a {2}\d of 4 partitions {2}.* up \d+ s {2}v\d/)
    expect(tree.stdout).toMatch(
      /\n└─ partition \d {2}serving {2}term \d+ {2}1 instance\n {3}└─ . struggler\/one {2}trying\n {6}└─ struggle {2}attempt 1 failed, next in [\dhmins ]+ {2}LUCKLESS: no luck {2}since \d+ s\n/,
    )
    expect((JSON.parse(partitions.stdout) as { children: unknown[] }[])[0]!.children).not.toHaveLength(0)
    expect([other.code, depth.code]).not.toContain(0)
    expect(other.stderr).toContain('struggler')
    expect(depth.stderr).toContain(
      "--depth must be one of nodes, partitions, instances, activities; got 'cellar'",
    )
    expect(none.map(({ stdout }) => stdout)).toEqual(['no node is alive\n', 'no node is alive\n'])
    expect(gone.stdout).toBe('a  does not answer\n')
  })
})

describe('a tree', () => {
  it('leaves out a partition in which nothing goes on, unless partitions are asked for', () => {
    const view = { now: 60_000, style: createStyle(false), width: Infinity }

    expect(drawn(nodeWith(quiet))).toHaveLength(1)
    expect(treeLines([nodeWith(quiet)], { ...view, depth: 'partitions' })[1]).toBe(
      '└─ partition 0  serving  term 9  0 instances',
    )
  })

  it('says until when a node stays away from a partition, and why', () => {
    const until = new Date(2026, 0, 31, 14, 3, 7).getTime()
    const failures = [{ at: 57_000, code: 'LUCKLESS', message: 'no luck' }]
    const avoided = {
      ...quiet,
      state: 'idle',
      term: undefined,
      avoidedUntil: until,
      restarts: { count: 6, failures },
    }

    expect(drawn(nodeWith(avoided))[1]).toBe(
      '└─ partition 0  idle  avoided until 14:03:07  0 instances  6 restarts  3 s ago: LUCKLESS: no luck',
    )
    expect(drawn(nodeWith(avoided), 40)[1]).toBe('└─ partition 0  idle  avoided until 14:…')
  })
})
