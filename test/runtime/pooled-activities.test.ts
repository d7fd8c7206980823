import { setup } from 'xstate'
import { describe, expect, it, onTestFinished } from 'vitest'

import { partitionsFor } from '../../actors/assignment.ts'
import {
  createWorker,
  defineWorkflow,
  pool,
  remoteActivity,
  type InstanceHandle,
  type Node,
  type TaskContext,
} from '../../src/index.ts'
import { until } from '../contract/until.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { jobOf, Site, type Job } from '../support/queueing.ts'

const beds = pool({ name: 'beds', permits: 2 })
const soon = { timeout: '20s' } as const

type Handle = InstanceHandle<ReturnType<typeof jobOf>>

async function start({ client }: Node, job: Job): Promise<Handle> {
  await client.start('job', { id: job.name, input: job })
  return client.instance<ReturnType<typeof jobOf>>('job', job.name)
}

/** The ids of those that hold permits, and how many wait. */
async function shown(node: Node): Promise<[string[], number]> {
  const beds = await node.client.pool('beds')
  return [beds?.held.map(({ address }) => address.id) ?? [], beds?.waiting ?? 0]
}

async function untilPool(node: Node, held: readonly string[], waiting: number): Promise<void> {
  await expect.poll(() => shown(node), { timeout: 20_000 }).toEqual([held, waiting])
}

/** Starts them one after the other, each once the pool knows the one before it. */
async function startInOrder(node: Node, jobs: readonly Job[]): Promise<Handle[]> {
  const handles: Handle[] = []
  for (const job of jobs) {
    handles.push(await start(node, job))
    const known = async () => {
      const [held, waiting] = await shown(node)
      return held.length + waiting
    }
    await expect.poll(known, { timeout: 20_000 }).toBe(handles.length)
  }
  return handles
}

async function finish(site: Site, name: string): Promise<void> {
  await until(() => site.names.includes(name))
  site.of(name).finish()
}

function named(...names: readonly string[]): Job[] {
  return names.map(name => ({ name }))
}

describe('activities with a pool', () => {
  it('never run more at once than its permits, on two nodes together, and all run in the end', async () => {
    const namespace = freshNamespace()
    const site = new Site()
    const workflows = [jobOf(site, { pool: beds })]
    const nodes = await Promise.all(
      ['a', 'b'].map(name => startNode({ namespace, name, workflows, passivateAfter: '50ms' })),
    )
    const shares = nodes.map(({ name }) => partitionsFor(name, ['a', 'b'], 4).size)
    const serving = () => nodes.map(node => node.status().partitions.serving)
    await expect.poll(serving, { timeout: 20_000 }).toEqual(shares)
    const names = Array.from({ length: 24 }, (_, n) => `job-${n}`)
    const handles = await Promise.all(names.map(name => start(nodes[0]!, { name })))
    await expect.poll(async () => (await shown(nodes[0]!))[1], { timeout: 20_000 }).toBe(22)
    // Those that wait leave memory, and have no slot.
    const counts = () => nodes.map(node => node.status())
    await until(() => counts().reduce((sum, { resident }) => sum + resident, 0) <= 3)
    expect(counts().reduce((sum, { activities }) => sum + activities.waiting, 0)).toBe(0)

    const atWork = new Set<Node>()
    for (let index = 0; index < names.length; index++) {
      await until(() => site.begun.length > index)
      for (const node of nodes) if (node.status().activities.running > 0) atWork.add(node)
      site.begun[index]!.finish()
    }
    const results = await Promise.all(handles.map(handle => handle.waitFor(s => s.matches('done'), soon)))

    expect(results.map(({ context }) => context.answer)).toEqual(names.map(name => `${name}, attempt 1`))
    expect(site.mostRunning).toBe(2)
    expect(atWork.size).toBe(2)
    await untilPool(nodes[0]!, [], 0)
  })

  it('wait by priority, and no more once their state is left or their instance is cancelled', async () => {
    const site = new Site()
    const priority = ({ input }: { input: Job }) => (input.priority ?? 3) as 3
    const node = await startNode({ workflows: [jobOf(site, { pool: beds, priority })] })
    const [, , leaving, cancelled, , urgent] = await startInOrder(node, [
      ...named('first', 'second', 'leaving', 'cancelled', 'usual'),
      { name: 'urgent', priority: 1 },
    ])
    const waiting = await urgent!.get()

    await leaving!.send({ type: 'LEAVE' })
    await cancelled!.cancel({ reason: 'no more' })
    await untilPool(node, ['first', 'second'], 2)
    await finish(site, 'first')
    await untilPool(node, ['second', 'urgent'], 1)
    // One at work gives its permit back, too.
    await node.client.instance('job', 'second').cancel({ reason: 'no more' })
    await untilPool(node, ['urgent', 'usual'], 0)
    await until(() => site.names.includes('usual'))

    expect(site.names).toEqual(['first', 'second', 'urgent', 'usual'])
    expect(site.of('second').signal.aborted).toBe(true)
    expect(waiting?.activities).toMatchObject([{ attempt: 1, permit: { pool: 'beds', isHeld: false } }])
    expect(waiting?.running).toEqual([])
    expect((await urgent!.get())?.running).toMatchObject([{ name: 'work', attempt: 1 }])
  })

  it('fail with POOL_TIMEOUT when they have waited too long, though retry would have them try again', async () => {
    const site = new Site()
    const options = { pool: beds, retry: { maxAttempts: 9 }, timeout: { pool: '1500ms' } } as const
    const node = await startNode({ workflows: [jobOf(site, options)], passivateAfter: '50ms' })
    const before = Date.now()
    const [, , late] = await startInOrder(node, named('first', 'second', 'late'))
    // Nothing of it is in memory: the moment is in its record.
    await until(() => node.status().resident === 2)

    const { context } = await late!.waitFor(snapshot => snapshot.matches('failed'), soon)

    expect(Date.now() - before).toBeGreaterThanOrEqual(1_500)
    expect(context.answer).toBe('POOL_TIMEOUT')
    await untilPool(node, ['first', 'second'], 0)
    expect(site.names).toEqual(['first', 'second'])
  })

  it('let others at the pool while they wait for another attempt, and then queue up again', async () => {
    const site = new Site()
    const retry = { initialInterval: '10ms', jitter: 0 } as const
    const node = await startNode({ workflows: [jobOf(site, { pool: beds, retry })] })
    const [first] = await startInOrder(node, named('first', 'second', 'third'))
    await until(() => site.begun.length === 2)

    site.of('first').fail(new Error('not today'))
    await untilPool(node, ['second', 'third'], 1)
    await until(() => site.begun.length === 3)
    const again = await first!.get()
    await finish(site, 'second')
    await untilPool(node, ['third', 'first'], 0)
    await until(() => site.begun.length === 4)
    site.of('first').finish()

    expect((await first!.waitFor(s => s.matches('done'), soon)).context.answer).toBe('first, attempt 2')
    expect(again?.activities).toMatchObject([
      { attempt: 2, failures: 1, permit: { isHeld: false }, lastError: { message: 'not today' } },
    ])
    expect(site.mostRunning).toBe(2)
    await untilPool(node, ['third'], 0)
  })

  it('keep their permits while their workflow is paused, and take none', async () => {
    const site = new Site()
    const node = await startNode({ workflows: [jobOf(site, { pool: beds })] })
    await startInOrder(node, named('first', 'second', 'third'))
    await until(() => site.begun.length === 2)

    await node.client.pauseWorkflow('job')
    await until(() => site.begun.every(({ signal }) => signal.aborted))
    await node.client.instance('job', 'first').cancel({ reason: 'no more' })
    await untilPool(node, ['second', 'third'], 0)
    expect(site.begun).toHaveLength(2)
    await node.client.resumeWorkflow('job')
    await until(() => site.begun.length === 4)

    const begun = site.begun.slice(2).map(({ attempt, name }) => `${name} ${attempt}`)
    expect(begun.toSorted()).toEqual(['second 2', 'third 1'])
  })

  it('fail when they cannot tell their priority, and run nothing', async () => {
    const site = new Site()
    const node = await startNode({ workflows: [jobOf(site, { pool: beds, priority: () => 9 as never })] })

    const handle = await start(node, { name: 'first' })

    const { context } = await handle.waitFor(snapshot => snapshot.matches('failed'), soon)
    expect(context.answer).toBe('OPTIONS_INVALID')
    expect(site.begun).toEqual([])
    expect(await node.client.pool('beds')).toBeUndefined()
  })

  it('of workers are given out to no more workers at once than there are permits', async () => {
    const chore = remoteActivity<Job, string>({ name: 'chore', pool: beds })
    const machine = setup({
      types: { context: {} as Job, input: {} as Job },
      actors: { chore },
    }).createMachine({
      id: 'delegated',
      context: ({ input }) => input,
      initial: 'doing',
      states: {
        doing: { invoke: { src: 'chore', input: ({ context }) => context, onDone: 'done' } },
        done: { type: 'final' },
      },
    })
    const delegated = defineWorkflow(machine)
    const node = await startNode({ workflows: [delegated], passivateAfter: '50ms' })
    const { namespace } = node.status()
    const site = new Site()
    for (let n = 0; n < 2; n++) {
      const activities = { chore: (call: TaskContext<Job>) => site.work(call) }
      const worker = await createWorker({
        servers: sharedServerUrl(),
        namespace,
        activities,
        log: 'silent',
        drainTimeout: 0,
      })
      onTestFinished(() => worker.stop())
    }

    const names = Array.from({ length: 8 }, (_, n) => `chore-${n}`)
    const handles = await Promise.all(
      names.map(name => node.client.start(delegated, { id: name, input: { name } })),
    )
    await expect.poll(async () => (await shown(node))[1], { timeout: 20_000 }).toBe(6)
    await until(() => node.status().resident === 0)
    for (let index = 0; index < names.length; index++) {
      await until(() => site.begun.length > index)
      site.begun[index]!.finish()
    }
    await Promise.all(handles.map(handle => handle.result(soon)))

    expect(site.mostRunning).toBe(2)
    expect(site.names.toSorted()).toEqual(names)
    await untilPool(node, [], 0)
  })
})
