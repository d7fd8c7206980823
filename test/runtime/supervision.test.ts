import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { setup } from 'xstate'

import { partitionsFor } from '../../actors/assignment.ts'
import {
  activity,
  connect,
  defineWorkflow,
  partitionOf,
  type Client,
  type NodeSummary,
  type SupervisedInstance,
} from '../../src/index.ts'
import { subjectsOf } from '../../src/nats/subjects.ts'
import { testConnection } from '../contract/fixtures.ts'
import { until } from '../contract/until.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { workerOf } from '../support/pausing.ts'
import { forkScript, nextMessage } from '../support/processes.ts'

const partitions = 6
const script = join(import.meta.dirname, 'node-process.ts')

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

type AnsweringNode = Extract<NodeSummary, { isAnswering: true }>

function answering(nodes: readonly NodeSummary[]): AnsweringNode[] {
  return nodes.filter(node => node.isAnswering)
}

function instancesIn(nodes: readonly NodeSummary[]): readonly SupervisedInstance[] {
  return answering(nodes).flatMap(({ children }) => children.flatMap(partition => partition.children))
}

/** Whether it serves what is its own among those nodes, and waits for nothing else. */
function hasItsShare({ children, name }: AnsweringNode, names: readonly string[]): boolean {
  const share = partitionsFor(name, names, partitions)
  return (
    children.length === share.size &&
    children.every(({ partition, state }) => share.has(partition) && state === 'owned.serving')
  )
}

async function connected(namespace: string): Promise<Client> {
  return connect({ servers: sharedServerUrl(), namespace })
}

describe('the supervision tree', () => {
  it('has every node, each with its partitions, and none of them twice', { timeout: 60_000 }, async () => {
    const namespace = freshNamespace()
    const before = Date.now()
    const names = ['a', 'b', 'c']
    await Promise.all(names.map(name => startNode({ namespace, name, partitions })))
    await using client = await connected(namespace)
    let tree = await client.tree({ depth: 'partitions' })
    // A node that has not heard of all the others waits for partitions that are theirs, and says so.
    await until(async () => {
      tree = await client.tree({ depth: 'partitions' })
      const all = answering(tree)
      return all.length === names.length && all.every(node => hasItsShare(node, names))
    })

    const alive = await client.nodes()

    expect(alive.map(({ name }) => name)).toEqual(names)
    const reports = answering(alive)
    expect(reports.map(({ children }) => children)).toEqual([[], [], []])
    expect(new Set(reports.map(({ incarnation }) => incarnation)).size).toBe(3)
    expect(reports.every(({ startedAt }) => startedAt >= before && startedAt <= Date.now())).toBe(true)
    expect(reports[0]!.version).toMatch(/^\d+\.\d+\.\d+/)
    const served = reports.flatMap(report => report.partitions.serving).toSorted((a, b) => a - b)
    expect(served).toEqual([0, 1, 2, 3, 4, 5])
    expect(answering(tree).flatMap(({ children }) => children)).toHaveLength(partitions)
    expect(answering(tree)[0]!.children[0]).toMatchObject({
      state: 'owned.serving',
      restarts: { count: 0, failures: [] },
      children: [],
    })
  })

  it('shows an activity that fails and is tried again, with its attempt and last error', async () => {
    const namespace = freshNamespace()
    const worker = workerOf(() => {})
    const workflows = [struggler, worker]
    await Promise.all(['a', 'b', 'c'].map(name => startNode({ namespace, name, partitions, workflows })))
    await using client = await connected(namespace)
    const trying = await client.start(struggler, { id: 'one' })
    await trying.waitFor(s => s.activities[0]?.retryAt !== undefined, { timeout: '20s' })
    await (await client.start(worker, { id: 'two' })).update({ type: 'WORK' })

    const tree = await client.tree()
    const [one] = instancesIn(await client.tree({ workflow: 'struggler' }))
    const shallow = instancesIn(await client.tree({ depth: 'instances', workflow: 'worker' }))

    expect(instancesIn(tree)).toHaveLength(2)
    expect(one).toMatchObject({ address: trying.address, status: 'running', state: 'trying', isHeld: false })
    expect(one!.children).toEqual([
      {
        path: '0.struggler.trying',
        src: 'struggle',
        state: 'waiting',
        attempt: 1,
        startedAt: expect.any(Number),
        retryAt: expect.any(Number),
        lastError: { code: 'LUCKLESS', message: 'no luck' },
      },
    ])
    expect(shallow).toMatchObject([{ address: { workflow: 'worker', id: 'two' }, children: [] }])
    const [two] = instancesIn(await client.tree({ workflow: 'worker' }))
    expect(two!.children).toMatchObject([{ src: 'work', state: 'running', attempt: 1, lastError: undefined }])
    await client.pauseWorkflow(worker)
    const held = async () => instancesIn(await client.tree({ workflow: 'worker' }))[0]!
    await expect.poll(async () => (await held()).isHeld).toBe(true)
    expect((await held()).children).toMatchObject([{ src: 'work', state: 'stopped', attempt: 1 }])
  }, 60_000)

  it('shows how often a partition had to be opened anew, and why', async () => {
    const namespace = freshNamespace()
    const node = await startNode({ namespace, name: 'a', partitions })
    const { client } = node
    const connection = await testConnection()
    const broken = partitionOf({ workflow: 'tally', id: 'one' }, partitions)
    const partitionNow = async () => {
      const [report] = answering(await client.tree({ depth: 'partitions' }))
      return report!.children.find(({ partition }) => partition === broken)!
    }
    const { term } = await partitionNow()

    const { inboxStream } = subjectsOf(namespace)
    const ended = (await connection.jsm.consumers.list(inboxStream).next()).find(({ config }) =>
      config.filter_subject?.includes(`.in.${broken}.`),
    )!
    await connection.jsm.consumers.delete(inboxStream, ended.name)
    await expect.poll(async () => (await partitionNow()).restarts.count, { timeout: 20_000 }).toBe(1)
    await expect.poll(async () => (await partitionNow()).state, { timeout: 20_000 }).toBe('owned.serving')
    const after = await partitionNow()

    expect(after.term).toBeGreaterThan(term!)
    expect(after.restarts.failures).toMatchObject([{ at: expect.any(Number), message: expect.any(String) }])
    expect(Math.abs(after.restarts.failures[0]!.at - Date.now())).toBeLessThan(20_000)
  }, 60_000)

  it('names a node that does not answer', async () => {
    const namespace = freshNamespace()
    const process = forkScript(script, sharedServerUrl(), namespace)
    await nextMessage(process)
    await startNode({ namespace, name: 'alive' })
    await using client = await connected(namespace)

    process.kill('SIGSTOP')
    const stopped = await client.nodes({ timeout: '300ms' })
    process.kill('SIGKILL')
    await once(process, 'exit')
    const killed = await client.tree({ node: 'mortal' })

    expect(stopped).toMatchObject([
      { isAnswering: true, name: 'alive' },
      { isAnswering: false, name: 'mortal' },
    ])
    expect(killed).toEqual([{ isAnswering: false, name: 'mortal' }])
  })

  it('tells some of very many instances, those with activities first, and how many there are', async () => {
    const worker = workerOf(() => {})
    const { client } = await startNode({ partitions: 1, workflows: [worker] })
    const ids = Array.from({ length: 260 }, (_, n) => `i-${n}`)
    const handles = await Promise.all(ids.map(id => client.start(worker, { id, until: 'accepted' })))
    await Promise.all(handles.slice(255).map(handle => handle.update({ type: 'WORK' })))

    const [report] = answering(await client.tree())
    const [partition] = report!.children

    expect(report).toMatchObject({ resident: 260, activities: { running: 5, waiting: 0, abandoned: 0 } })
    expect(partition).toMatchObject({ resident: 260 })
    expect(partition!.children).toHaveLength(200)
    expect(partition!.children.slice(0, 6).map(({ children }) => children.length)).toEqual([1, 1, 1, 1, 1, 0])
  })
})
