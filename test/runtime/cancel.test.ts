import { describe, expect, it } from 'vitest'

import type { InstanceHandle, Node, RuntimeError } from '../../src/index.ts'
import { connect as connectLibrary } from 'nats'

import { NatsHints } from '../../src/nats/hints.ts'
import { openNamespace } from '../../src/nats/provision.ts'
import { testConnection } from '../contract/fixtures.ts'
import { until } from '../contract/until.ts'
import { gatherer } from '../support/bulks.ts'
import { bookingOf, type Work } from '../support/cancelling.ts'
import { child, parent } from '../support/families.ts'
import { freshNamespace, ownServer } from '../support/nats.ts'
import { codeOf, collect, startNode } from '../support/node.ts'

type Booking = ReturnType<typeof bookingOf>

/** A node that runs bookings, and what their activities are at. */
async function bookings(options: Parameters<typeof startNode>[0] = {}) {
  const works: Work[] = []
  const booking = bookingOf(work => works.push(work))
  const node = await startNode({ workflows: [booking], ...options })
  const begin = async (id: string, type: 'BOOK' | 'WORK'): Promise<InstanceHandle<Booking>> => {
    const handle = await node.client.start(booking, { id, input: id })
    await handle.update({ type })
    await until(() => works.some(work => work.id === id))
    return handle
  }
  const workOf = (id: string, name: Work['name'] = 'book') =>
    works.findLast(work => work.id === id && work.name === name)!
  return { begin, booking, node, workOf, works }
}

async function refusalOf(promise: Promise<unknown>): Promise<RuntimeError> {
  return promise.then(
    () => {
      throw new Error('it was not refused')
    },
    (error: unknown) => error as RuntimeError,
  )
}

describe('handle.cancel', () => {
  it('aborts what runs, and answers that it is cancelled', async () => {
    const { begin, workOf } = await bookings()
    const handle = await begin('a', 'WORK')
    const { running } = (await handle.get())!

    const outcome = await handle.cancel({ reason: 'rain' })
    await workOf('a').aborted

    expect(running).toMatchObject([{ name: 'book', path: 'work', attempt: 1 }])
    expect(running[0]!.since.getTime()).toBeLessThanOrEqual(Date.now())
    expect(outcome).toBe('cancelled')
    expect(await handle.get()).toMatchObject({ status: 'cancelled', stopReason: 'rain', running: [] })
    expect(await handle.cancel()).toBe('cancelled')
    expect(await refusalOf(handle.result())).toMatchObject({
      code: 'WORKFLOW_FAILED',
      message: expect.stringContaining(' was cancelled: rain'),
      fields: { status: 'cancelled' },
    })
  })

  it('lets a machine that knows how come to its end by itself, and keeps its output', async () => {
    const { begin, node, workOf } = await bookings()
    const handle = await begin('a', 'BOOK')

    const outcome = await handle.cancel({ reason: 'rain', grace: '1h' })
    await workOf('a').aborted
    const during = (await handle.get())!
    const listed = await collect(node.client.list({ status: 'cancelling' }))
    await until(() => workOf('a', 'undo') !== undefined)
    workOf('a', 'undo').finish('undone')
    const after = await handle.waitFor(s => s.status === 'cancelled', { timeout: '10s' })

    expect(outcome).toBe('cancelling')
    expect(during).toMatchObject({ status: 'cancelling', cancelling: { reason: 'rain' }, value: 'undoing' })
    expect(during.running).toMatchObject([{ name: 'undo', path: 'undo', attempt: 1 }])
    expect(Math.abs(during.cancelling!.deadline.getTime() - Date.now() - 3_600_000)).toBeLessThan(60_000)
    expect(listed).toHaveLength(1)
    expect(after).toMatchObject({ output: 'undone', cancelling: undefined })
  })

  it('ends it at the deadline, and at once when forced the second time', async () => {
    const { begin } = await bookings()
    const [late, forced] = [await begin('late', 'BOOK'), await begin('forced', 'BOOK')]

    const outcomes = [await late.cancel({ grace: '100ms' }), await forced.cancel()]
    outcomes.push(await forced.cancel({ force: true }))
    await late.waitFor(s => s.status === 'cancelled', { timeout: '10s' })

    expect(outcomes).toEqual(['cancelling', 'cancelling', 'cancelled'])
  })

  it('says of one that has ended how, and of one that is not there that it is not', async () => {
    const { begin, node, booking, workOf } = await bookings()
    const handle = await begin('a', 'WORK')
    workOf('a').finish('worked')
    await handle.result({ timeout: '10s' })

    const finished = await refusalOf(handle.cancel())
    const missing = await refusalOf(node.client.instance(booking, 'nobody').cancel())

    expect(finished).toMatchObject({ code: 'INSTANCE_FINISHED', fields: { id: 'a', status: 'done' } })
    expect(missing).toMatchObject({ code: 'INSTANCE_NOT_FOUND', fields: { id: 'nobody' } })
    expect(await codeOf(handle.cancel({ grace: 'soon' as '1s' }))).toBe('OPTIONS_INVALID')
    expect(await codeOf(handle.cancel({ grace: '400d' }))).toBe('ENVELOPE_MALFORMED')
  })

  it('is the only way to send workflow.cancel', async () => {
    const { begin } = await bookings()
    const handle = await begin('a', 'BOOK')

    expect(await codeOf(handle.send({ type: 'workflow.cancel', reason: '' }))).toBe('EVENT_RESERVED')
    expect((await handle.get())?.status).toBe('running')
  })
})

describe('children', () => {
  const workflows = [child, parent, gatherer]

  async function childOf(node: Node): Promise<InstanceHandle> {
    await expect.poll(async () => (await collect(node.client.list({ workflow: child }))).length).toBe(1)
    const [only] = await collect(node.client.list({ workflow: child }))
    return node.client.instance('child', only!.address.id)
  }

  it('are cancelled with their parent', async () => {
    const node = await startNode({ workflows })
    const handle = await node.client.start(parent, { id: 'p' })
    await handle.update({ type: 'RUN', n: 2, waits: true })
    const only = await childOf(node)

    await handle.cancel({ force: true })

    await only.waitFor(s => s.status === 'cancelled', { timeout: '10s' })
    expect((await only.get())?.stopReason).toBe('its parent parent/p no longer wants it')
  })

  it('go on when they are detached', async () => {
    const node = await startNode({ workflows })
    const handle = await node.client.start(parent, { id: 'p' })
    await handle.update({ type: 'RUN_DETACHED', n: 2, waits: true })
    const only = await childOf(node)

    await handle.cancel()
    await only.update({ type: 'GO' })

    expect(await only.result({ timeout: '10s' })).toBe(4)
  })

  it('that somebody else cancels are an error to their parent', async () => {
    const node = await startNode({ workflows })
    const handle = await node.client.start(parent, { id: 'p' })
    await handle.update({ type: 'RUN', n: 2, waits: true })
    const only = await childOf(node)

    await only.cancel({ reason: 'rain' })
    const { context } = await handle.waitFor(s => s.context.results.length === 1, { timeout: '10s' })

    expect(context.results).toEqual([`failed child child/${only.address.id} was cancelled: rain`])
  })
})

describe('a hint', () => {
  it('aborts at once, and without a cancel the activity runs again and its result counts', async () => {
    const namespace = freshNamespace()
    const { begin, workOf, works } = await bookings({ namespace })
    const handle = await begin('a', 'WORK')
    const connection = await testConnection()
    const hints = new NatsHints(connection, await openNamespace(connection, namespace))
    const first = workOf('a')
    const before = (await handle.get())!.revision

    hints.send({ target: handle.address, isForced: false })
    await first.aborted
    first.finish('too late')
    const during = (await handle.get())!
    await expect.poll(() => works.length, { timeout: 15_000 }).toBe(2)

    expect(during).toMatchObject({ revision: before, status: 'running' })
    expect(workOf('a').attempt).toBe(2)
    expect((await handle.get())?.running).toMatchObject([{ attempt: 2 }])
    workOf('a').finish('in time')
    expect(await handle.result({ timeout: '10s' })).toBe('in time')
  })
})

describe('an activity that ignores its signal (S10)', () => {
  it('is abandoned, counted for as long as it goes on, and its result dropped', async () => {
    const { begin, node, workOf } = await bookings()
    const handles = [await begin('a', 'WORK'), await begin('b', 'WORK')]
    const running = node.status()

    for (const handle of handles) await handle.cancel()
    const cancelled = node.status()
    for (const id of ['a', 'b']) workOf(id).finish('too late')
    await expect.poll(() => node.status().abandoned).toBe(0)

    expect(running).toMatchObject({ activities: { running: 2 }, abandoned: 0 })
    expect(cancelled).toMatchObject({ activities: { running: 0 }, abandoned: 2, resident: 0 })
    expect((await handles[0]!.get())?.context.answer).toBe('')
  })
})

describe('waiting for a cancel (S9)', () => {
  it('reads nothing while 100 activities run, and aborts the last of them as soon as it is told', async () => {
    const server = await ownServer()
    const { begin, workOf } = await bookings({ servers: server.url, leaseTtl: '1s', partitions: 2 })
    const handles = await Promise.all(Array.from({ length: 100 }, (_, n) => begin(`${n}`, 'WORK')))
    const listener = await connectLibrary({ servers: server.url })
    const { streams } = await listener.jetstreamManager()
    const inbox = (await streams.names().next()).find(name => name.endsWith('_inbox'))!
    // What is settled is removed a little later.
    await until(async () => (await streams.info(inbox)).state.messages === 0)
    const subjects: string[] = []
    // The server may tell of what was asked here only now.
    const isOwn = (advisory: string) =>
      (JSON.parse(advisory) as { client: { id: number } }).client.id === listener.info!.client_id
    listener.subscribe('>', {
      callback: (_error, msg) => {
        const isAdvisory = msg.subject === '$JS.EVENT.ADVISORY.API'
        if (!isAdvisory || !isOwn(msg.string())) subjects.push(msg.subject)
      },
    })
    await listener.flush()

    // However long that is, it is three times in which each lease is renewed.
    const renewals = () => subjects.filter(subject => /leases\.partition\./.test(subject)).length
    await until(() => renewals() >= 6)
    const idle = [...subjects]
    await handles[99]!.cancel()
    await workOf('99').aborted
    await listener.close()

    const expected = [/^\$KV\.hf_.*_leases\./, /^_INBOX\./, /^\$JS\.API\.CONSUMER\.MSG\.NEXT\./, /^_GR_/]
    const others = idle.filter(subject => !expected.some(pattern => pattern.test(subject)))
    expect(others).toEqual([])
    // A renewal and its answer, a heartbeat and its answer, now and then a pull: nothing for each activity.
    expect(idle.length).toBeLessThan(50)
    expect(subjects.filter(subject => subject.includes('.hint.'))).toHaveLength(1)
  })
})

describe('client.cancelAll', () => {
  it('cancels all that have not ended, a window at a time, and counts what came of them', async () => {
    const { begin, booking, node, workOf } = await bookings()
    await Promise.all([
      ...Array.from({ length: 20 }, (_, n) => begin(`work-${n}`, 'WORK')),
      ...Array.from({ length: 5 }, (_, n) => begin(`book-${n}`, 'BOOK')),
    ])
    workOf('work-0').finish('worked')
    await node.client.instance(booking, 'work-0').result({ timeout: '10s' })

    const seen: number[] = []
    const progress = await node.client.cancelAll(
      { workflow: booking },
      {
        concurrency: 3,
        grace: '1h',
        onProgress: ({ cancelled, cancelling }) => seen.push(cancelled + cancelling),
      },
    )
    const rows = await collect(node.client.list({ status: 'cancelling' }))
    const again = await node.client.cancelAll({ status: 'cancelling' }, { force: true })

    expect(progress).toEqual({ cancelled: 19, cancelling: 5, finished: 0, failed: 0, firstError: undefined })
    expect(seen).toEqual(Array.from({ length: 24 }, (_, n) => n + 1))
    expect(rows).toHaveLength(5)
    expect(again).toMatchObject({ cancelled: 5, cancelling: 0 })
  })

  it('stops when it is aborted, and refuses no window at all', async () => {
    const { begin, node } = await bookings()
    await begin('a', 'WORK')

    const aborted = AbortSignal.abort(new Error('enough'))
    await expect(node.client.cancelAll({}, { signal: aborted })).rejects.toThrow('enough')
    expect(await codeOf(node.client.cancelAll({}, { concurrency: 0 }))).toBe('OPTIONS_INVALID')
    expect(await collect(node.client.list({ status: 'running' }))).toHaveLength(1)
  })
})
