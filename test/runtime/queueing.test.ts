import { describe, expect, it } from 'vitest'
import type { AnyActorLogic } from 'xstate'

import type { ActivityReport } from '../../actors/activity.ts'
import type { Address } from '../../actors/address.ts'
import type { ActivityRecord } from '../../actors/record.ts'
import type { InstanceHandle, Node, QueueingOptions } from '../../src/index.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { Activities } from '../../src/runtime/activities.ts'
import { activity } from '../../src/workflow/activity.ts'
import { until } from '../contract/until.ts'
import { freshNamespace } from '../support/nats.ts'
import { codeOf, startNode } from '../support/node.ts'
import { jobOf, Site, type Job } from '../support/queueing.ts'

type Handle = InstanceHandle<ReturnType<typeof jobOf>>

async function start(node: Node, job: Job): Promise<Handle> {
  await node.client.start('job', { id: job.name, input: job })
  return node.client.instance<ReturnType<typeof jobOf>>('job', job.name)
}

/** Starts these, each once the one before it runs or waits. */
async function startInOrder(node: Node, jobs: readonly Job[]): Promise<Handle[]> {
  const handles: Handle[] = []
  for (const job of jobs) {
    const { running, waiting } = node.status().activities
    handles.push(await start(node, job))
    await until(() => {
      const now = node.status().activities
      return now.running + now.waiting > running + waiting
    })
  }
  return handles
}

/** Lets them end one after the other, as they begin. */
async function finishAll(site: Site, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await until(() => site.begun.length > index)
    site.begun[index]!.finish()
  }
}

function named(...names: readonly string[]): Job[] {
  return names.map(name => ({ name }))
}

async function startLimited(options: QueueingOptions<Job>): Promise<{ node: Node; site: Site }> {
  const site = new Site()
  return { node: await startNode({ workflows: [jobOf(site, options)] }), site }
}

describe('activities that are limited', () => {
  it('never run more at once than their concurrency, and all run in the end', async () => {
    const { node, site } = await startLimited({ concurrency: 3 })
    const names = Array.from({ length: 40 }, (_, n) => `job-${n}`)
    const handles = await Promise.all(names.map(name => start(node, { name })))
    await until(() => node.status().activities.waiting === 37)
    const whileFull = node.status().activities

    await finishAll(site, names.length)
    const results = await Promise.all(handles.map(handle => handle.waitFor(s => s.matches('done'))))

    expect(whileFull).toEqual({ running: 3, waiting: 37 })
    expect(site.mostRunning).toBe(3)
    expect(site.names.toSorted()).toEqual(names.toSorted())
    expect(results).toHaveLength(names.length)
    expect(node.status().activities).toEqual({ running: 0, waiting: 0 })
  })

  it('begin by priority, then in turn by fairness key, then in the order in which they came', async () => {
    const { node, site } = await startLimited({
      concurrency: 1,
      fairness: ({ input }) => input.customer ?? '',
      priority: ({ input }) => (input.priority ?? 3) as 3,
    })
    await startInOrder(node, [
      { name: 'first' },
      { name: 'a1', customer: 'a' },
      { name: 'a2', customer: 'a' },
      { name: 'b1', customer: 'b' },
      { name: 'late', customer: 'b', priority: 5 },
      { name: 'urgent', customer: 'a', priority: 1 },
    ])

    await finishAll(site, 6)

    expect(site.names).toEqual(['first', 'urgent', 'b1', 'a1', 'a2', 'late'])
  })

  it('share the slots of the node with the other types on it', async () => {
    const site = new Site()
    const node = await startNode({
      activities: { concurrency: 2 },
      workflows: [jobOf(site, {}, 'left'), jobOf(site, {}, 'right')],
    })
    for (const workflow of ['left', 'right']) {
      for (const { name } of named('a', 'b', 'c')) {
        await node.client.start(workflow, { id: name, input: { name } })
      }
    }
    await until(() => node.status().activities.waiting === 4)

    await finishAll(site, 6)
    await until(() => node.status().activities.running === 0)

    expect(site.mostRunning).toBe(2)
    expect(node.status().activities).toEqual({ running: 0, waiting: 0 })
  })

  it('are taken out of the queue at once when they are no longer wanted', async () => {
    const { node, site } = await startLimited({ concurrency: 1 })
    const [, second] = await startInOrder(node, named('a', 'b', 'c'))

    await second!.update({ type: 'LEAVE' })
    const waiting = node.status().activities
    await finishAll(site, 2)
    await until(() => node.status().activities.running === 0)

    expect(waiting).toEqual({ running: 1, waiting: 1 })
    expect(site.names).toEqual(['a', 'c'])
  })

  it('keep their slot until they have ended when they ignore that they are no longer wanted', async () => {
    const { node, site } = await startLimited({ concurrency: 1 })
    const [first] = await startInOrder(node, named('a', 'b'))

    await first!.update({ type: 'LEAVE' })
    const whileIgnoring = { isAborted: site.of('a').signal.aborted, names: [...site.names] }
    site.of('a').finish()
    await until(() => site.begun.length === 2)
    site.of('b').finish()

    expect(whileIgnoring).toEqual({ isAborted: true, names: ['a'] })
    expect(site.names).toEqual(['a', 'b'])
  })

  it('give their slot back when they are no longer wanted before their work has begun', async () => {
    const clock = new ManualClock()
    const activities = new Activities(clock, 1)
    const begun: string[] = []

    startOne(activities, 'a', begun)
    activities.stop(addressOf('a'), 'work')
    startOne(activities, 'b', begun)
    await Promise.resolve()
    await until(() => begun.includes('b'))

    expect(activities.counts).toEqual({ running: 0, waiting: 0 })
  })

  it('queue up again for each attempt, behind those that wait', async () => {
    const site = new Site()
    const retry = { initialInterval: '1ms', maxAttempts: 2 } as const
    const node = await startNode({ workflows: [jobOf(site, { concurrency: 1, retry })] })
    const [first] = await startInOrder(node, named('a', 'b'))

    site.of('a').fail(new Error('not today'))
    await until(() => site.names.includes('b') && node.status().activities.waiting === 1)
    site.of('b').finish()
    await until(() => site.begun.length === 3)
    site.of('a').finish()
    const { context } = await first!.waitFor(s => s.matches('done'))

    expect(site.names).toEqual(['a', 'b', 'a'])
    expect(context.answer).toBe('a, attempt 2')
  })

  it('fail with OPTIONS_INVALID when their priority is none', async () => {
    const { node, site } = await startLimited({
      concurrency: 1,
      priority: ({ input }) => input.priority as 3,
    })
    const handle = await start(node, { name: 'a', priority: 9 })

    const { context } = await handle.waitFor(s => s.matches('failed'))

    expect(context.answer).toBe('OPTIONS_INVALID')
    expect(site.begun).toEqual([])
    expect(node.status().activities).toEqual({ running: 0, waiting: 0 })
  })

  it('fail without another attempt when they wait longer for a slot than they may', async () => {
    const site = new Site()
    const policies = { retry: { initialInterval: '1ms' }, timeout: { queue: '50ms' } } as const
    const node = await startNode({ workflows: [jobOf(site, { concurrency: 1, ...policies })] })
    const [first, second] = await startInOrder(node, named('a', 'b'))

    const late = await second!.waitFor(s => s.matches('failed'))
    const afterwards = node.status().activities
    site.of('a').finish()
    await first!.waitFor(s => s.matches('done'))

    expect(late.context.answer).toBe('ACTIVITY_TIMEOUT')
    expect(afterwards).toEqual({ running: 1, waiting: 0 })
    expect(site.names).toEqual(['a'])
  })

  it('have a timer for their wait only while they wait', async () => {
    const clock = new ManualClock()
    const activities = new Activities(clock, 1)
    const finish: (() => void)[] = []
    const reports: ActivityReport[] = []
    const logic = activity({
      name: 'work',
      timeout: { queue: '10s' },
      run: () => new Promise<void>(resolve => finish.push(resolve)),
    })
    const timers: number[] = []
    for (const name of ['a', 'b', 'c', 'd']) {
      startOne(activities, name, [], logic, report => reports.push(report))
      timers.push(clock.timerCount)
    }
    activities.stop(addressOf('b'), 'work')
    const withoutStopped = clock.timerCount
    await until(() => finish.length === 1)
    finish[0]!()
    await until(() => finish.length === 2)
    const withoutBegun = clock.timerCount
    clock.advance(9_999)
    const before = reports.length
    clock.advance(1)

    expect(timers).toEqual([0, 1, 2, 3])
    expect([withoutStopped, withoutBegun, clock.timerCount]).toEqual([2, 1, 0])
    expect(before).toBe(1)
    expect(reports[1]).toMatchObject({
      outcome: {
        status: 'error',
        error: {
          code: 'ACTIVITY_TIMEOUT',
          fields: { activity: 'work', attempt: 1, limitMs: 10_000, timeout: 'queue' },
          retryable: false,
        },
      },
    })
    expect(activities.counts).toEqual({ running: 1, waiting: 0 })
  })

  it('leave nothing behind on a node that gives their partitions up, and run on the next', async () => {
    const namespace = freshNamespace()
    const [before, after] = [new Site(), new Site()]
    const limits = { concurrency: 1 }
    const first = await startNode({ namespace, workflows: [jobOf(before, limits)] })
    await startInOrder(first, named('a', 'b', 'c'))

    await first.stop()
    const left = first.status().activities
    before.of('a').finish()
    const second = await startNode({ namespace, workflows: [jobOf(after, limits)] })
    await finishAll(after, 3)
    await until(() => second.status().activities.running === 0)

    expect(left).toEqual({ running: 0, waiting: 0 })
    expect(before.names).toEqual(['a'])
    expect(after.names.toSorted()).toEqual(['a', 'b', 'c'])
    expect(after.mostRunning).toBe(1)
  })

  it('begin no more than their rate allows, by the clock', async () => {
    const clock = new ManualClock()
    const activities = new Activities(clock, Infinity)
    const begun: string[] = []
    const limited = { rate: { limit: 2, per: '10s' } } as const
    const logic = activity({
      name: 'work',
      ...limited,
      run: async ({ input }) => void begun.push(String(input)),
    })
    for (const name of ['a', 'b', 'c', 'd', 'e']) startOne(activities, name, begun, logic)
    const seen: string[][] = []

    for (const ms of [0, 9_999, 1, 9_999, 1]) {
      clock.advance(ms)
      await until(() => activities.counts.running === 0)
      seen.push([...begun])
    }

    expect(seen).toEqual([
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b', 'c', 'd'],
      ['a', 'b', 'c', 'd'],
      ['a', 'b', 'c', 'd', 'e'],
    ])
    expect(clock.timerCount).toBe(0)
  })

  it('refuse a node limit that is none', async () => {
    const activities = { concurrency: 0, parallel: 3 } as never

    expect(await codeOf(startNode({ activities }))).toBe('OPTIONS_INVALID')
  })
})

function addressOf(id: string): Address {
  return { workflow: 'w', id }
}

/** Starts an activity without an instance around it. */
function startOne(
  activities: Activities,
  name: string,
  begun: string[],
  logic: AnyActorLogic = activity({ name: 'work', run: async () => void begun.push(name) }),
  report: (report: ActivityReport) => void = () => {},
): void {
  const record: ActivityRecord = {
    path: 'work',
    src: 'work',
    incarnation: 1,
    attempt: 1,
    startedAt: 0,
    input: name,
  }
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  activities.start({ address: addressOf(name), activity: record, logic, log: () => log, report })
}
