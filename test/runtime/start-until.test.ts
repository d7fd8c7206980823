import { describe, expect, it, onTestFinished } from 'vitest'

import { Client, type ClientContext } from '../../src/client/client.ts'
import { createIds } from '../../src/client/ids.ts'
import { systemClock } from '../../src/clock.ts'
import { connect, defineWorkflow } from '../../src/index.ts'
import { openClientTransport } from '../../src/nats/transport.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { codeOf, startNode } from '../support/node.ts'
import { tally } from '../support/workflows.ts'

const strict = defineWorkflow(tally.machine, {
  name: 'strict',
  input: {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: value =>
        typeof (value as { from?: unknown } | undefined)?.from === 'number'
          ? { value: value as { from: number } }
          : { issues: [{ message: 'must be a number', path: ['from'] }] },
    },
  },
})
const workflows = [tally, strict]
const good = { from: 5 }
const bad = { from: 'five' }

async function openClient(namespace: string): Promise<Client> {
  const client = await connect({ servers: sharedServerUrl(), namespace })
  onTestFinished(() => client.close())
  return client
}

/** A client some of whose parts are the test's. */
async function rewiredClient(
  namespace: string,
  rewire: (context: ClientContext) => Partial<ClientContext>,
): Promise<Client> {
  const connection = { servers: sharedServerUrl() }
  const transport = await openClientTransport({ clock: systemClock, connection, namespace })
  onTestFinished(() => transport.close())
  const context: ClientContext = { ...transport, clock: systemClock, nextId: createIds() }
  return new Client({ ...context, ...rewire(context) })
}

/** A namespace that nodes have run in and none runs in now. */
async function deserted(): Promise<string> {
  const namespace = freshNamespace()
  const node = await startNode({ namespace, workflows })
  await node.stop()
  return namespace
}

describe('a start that waits until it is accepted', () => {
  it('resolves when the instance is committed', async () => {
    const { client } = await startNode({ workflows })

    const handle = await client.start('strict', { input: good, until: 'accepted' })

    expect(await handle.get()).toMatchObject({ context: { count: 5 }, event: 'xstate.init' })
  })

  it('is refused at once when the input does not match, naming the field, whoever has the definition', async () => {
    const { client } = await startNode({ workflows })

    const byName = client.start('strict', { id: 'one', input: bad, until: 'accepted' })

    const issues = [{ path: 'input.from', message: 'must be a number' }]
    await expect(byName).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: 'the input does not match its schema: input.from: must be a number',
      fields: { workflow: 'strict', id: 'one', field: 'input', issues },
    })
    await expect(client.start(strict, { id: 'one', input: bad as never })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      fields: { field: 'input', issues },
    })
    expect(await client.instance('strict', 'one').get()).toBeUndefined()
  })

  it('gives up when the node that takes it up does not run the workflow, and is durable all the same', async () => {
    const namespace = await deserted()
    const other = await startNode({ namespace, workflows: [tally] })
    const client = await openClient(namespace)

    const starting = client.start('strict', { id: 'one', input: good, until: 'accepted', timeout: '50ms' })

    await expect(starting).rejects.toMatchObject({ code: 'TIMEOUT', retryable: true })
    await other.stop()
    await startNode({ namespace, workflows })
    const begun = await client.instance(strict, 'one').waitFor(() => true, { timeout: '10s' })
    expect(begun.context.count).toBe(5)
  })

  it('is refused when another start of the id came first, though nothing showed of it yet', async () => {
    const namespace = await deserted()
    const client = await openClient(namespace)
    await client.start(tally, { id: 'one', input: good })

    const starting = client.start(tally, { id: 'one', input: { from: 6 }, until: 'accepted' })
    await startNode({ namespace, workflows })

    expect(await codeOf(starting)).toBe('INSTANCE_EXISTS')
    expect((await client.instance(tally, 'one').get())?.context.count).toBe(5)
  })

  it('gives up when no node answers in time, and is durable all the same', async () => {
    const namespace = await deserted()
    const client = await openClient(namespace)

    const starting = client.start('strict', { id: 'one', input: good, until: 'accepted', timeout: '50ms' })

    await expect(starting).rejects.toMatchObject({
      code: 'TIMEOUT',
      retryable: true,
      fields: { workflow: 'strict', id: 'one', timeoutMs: 50 },
    })
    await startNode({ namespace, workflows })
    const begun = await client.instance(strict, 'one').waitFor(() => true, { timeout: '10s' })
    expect(begun.context.count).toBe(5)
  })

  it('is accepted when it is asked for again, as the same start', async () => {
    const namespace = await deserted()
    const client = await openClient(namespace)
    const startIt = (timeout: '50ms' | '15s') =>
      client.start(tally, { id: 'one', input: good, until: 'accepted', timeout })
    const first = await codeOf(startIt('50ms'))

    const again = startIt('15s')
    await startNode({ namespace, workflows })

    expect(first).toBe('TIMEOUT')
    expect((await (await again).get())?.context.count).toBe(5)
  })

  it('stops waiting when the signal aborts, and is durable all the same', async () => {
    const namespace = await deserted()
    const stop = new AbortController()
    const client = await rewiredClient(namespace, ({ inbox }) => ({
      inbox: {
        prefetch: inbox.prefetch,
        open: inbox.open.bind(inbox),
        async publish(envelope, options) {
          await inbox.publish(envelope, options)
          stop.abort(new Error('enough'))
        },
      },
    }))

    const starting = client.start(tally, {
      id: 'one',
      input: good,
      signal: stop.signal,
      timeout: '1h',
      until: 'accepted',
    })

    await expect(starting).rejects.toThrow('enough')
    await startNode({ namespace, workflows })
    await client.instance(tally, 'one').waitFor(() => true, { timeout: '10s' })
  })

  it('succeeds though the answer is lost, because the record is there', async () => {
    const namespace = freshNamespace()
    await startNode({ namespace, workflows })
    const client = await rewiredClient(namespace, ({ replies }) => ({
      replies: { expect: (...args) => ({ ...replies.expect(...args), subject: '_INBOX.nobody' }) },
    }))
    const start = (from: number) =>
      client.start(tally, { id: 'one', input: { from }, until: 'accepted', timeout: '1s' })

    const codes = await Promise.all([codeOf(start(5)), codeOf(start(6))])

    expect(codes.toSorted()).toEqual(['INSTANCE_EXISTS', 'no error'])
  })
})

describe('a start that does not wait', () => {
  it('succeeds when it is stored, with no node alive, and begins when there is one', async () => {
    const namespace = await deserted()
    const client = await openClient(namespace)

    const handle = await client.start('strict', { input: good })
    const before = await handle.get()
    await startNode({ namespace, workflows })
    const begun = await handle.waitFor(() => true, { timeout: '10s' })

    expect(before).toBeUndefined()
    expect(begun).toMatchObject({ context: { count: 5 } })
  })

  it('asks for no answer, and whether the workflow exists once at most', async () => {
    const namespace = freshNamespace()
    await startNode({ namespace, workflows })
    const asked: string[] = []
    const client = await rewiredClient(namespace, ({ directory, inbox, snapshots }) => ({
      directory: {
        ...directory,
        isRegistered(workflow) {
          asked.push(`isRegistered ${workflow}`)
          return directory.isRegistered(workflow)
        },
      },
      inbox: {
        prefetch: inbox.prefetch,
        open: inbox.open.bind(inbox),
        publish(envelope, options) {
          asked.push(`publish ${options?.replyTo ?? 'without reply'}`)
          return inbox.publish(envelope, options)
        },
      },
      replies: {
        expect() {
          throw new Error('nobody waits')
        },
      },
      snapshots: {
        get: snapshots.get.bind(snapshots),
        list: snapshots.list.bind(snapshots),
        watch: snapshots.watch.bind(snapshots),
        async peek() {
          asked.push('peek')
          return undefined
        },
      },
    }))

    await client.start(strict, { input: good })
    await client.start('strict', { input: good })
    await client.start('strict', { input: good })

    const publish = 'publish without reply'
    expect(asked).toEqual([publish, 'isRegistered strict', publish, publish])
  })
})

describe('an instance is served', () => {
  it('while a node runs its partition, and no longer when that has stopped', async () => {
    const namespace = freshNamespace()
    const node = await startNode({ namespace })
    const client = await openClient(namespace)
    const handle = client.instance(tally, 'one')

    const before = await handle.isServed()
    await node.stop()

    expect([before, await handle.isServed()]).toEqual([true, false])
  })
})

describe('a snapshot', () => {
  it('tells which event led to it, however it is looked at', async () => {
    const { client } = await startNode()
    const handle = await client.start(tally, { input: { from: 1 }, until: 'accepted' })
    const watched: string[] = []
    const watching = (async () => {
      for await (const { event } of handle.watch()) watched.push(event)
    })()

    await handle.update({ type: 'ADD', n: 1 })
    const got = await handle.get()
    await handle.update({ type: 'GREET' })
    const greeted = await handle.waitFor(({ context }) => context.greeting !== '')
    await handle.update({ type: 'FINISH' })
    await watching

    expect(got?.event).toBe('ADD')
    expect(greeted.event).toMatch(/^xstate\.done\.actor\./)
    expect(watched.at(0)).toMatch(/^(xstate\.init|ADD)$/)
    expect(watched).toContain('GREET')
    expect(watched.at(-1)).toBe('FINISH')
  })
})
