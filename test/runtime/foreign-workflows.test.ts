import { describe, expect, it, onTestFinished } from 'vitest'

import { RuntimeError } from '../../actors/errors.ts'
import type { InboxMessage } from '../../actors/ports.ts'
import { connect, type Client, type Node, type NodeOptions } from '../../src/index.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { NatsInbox } from '../../src/nats/inbox.ts'
import { openNamespace } from '../../src/nats/provision.ts'
import { ForeignWorkflows } from '../../src/runtime/foreign-workflows.ts'
import { rootLog } from '../../src/runtime/log.ts'
import { testConnection } from '../contract/fixtures.ts'
import { until } from '../contract/until.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { codeOf, collect, startNode } from '../support/node.ts'
import { echo, tally } from '../support/workflows.ts'

interface Deployment {
  readonly client: Client
  readonly inbox: NatsInbox
  /** How many envelopes are parked. */
  readonly parked: () => Promise<number>
  /** How many are in the inbox. */
  readonly waiting: () => Promise<number>
  /** A node that runs `tally`, too. */
  readonly newer: () => Promise<Node>
  /** One that does not. */
  readonly older: () => Promise<Node>
}

/** A namespace with one partition, whose nodes run different workflows. */
async function deployment(): Promise<Deployment> {
  const namespace = freshNamespace()
  const start = (name: string, workflows: NodeOptions['workflows']) =>
    startNode({ namespace, name, partitions: 1, workflows })
  const newer = () => start('newer', [echo, tally])
  const older = () => start('older', [echo])
  // It registers what it runs, and has an instance.
  const first = await newer()
  const client = await connect({ servers: sharedServerUrl(), namespace })
  onTestFinished(() => client.close())
  await client.start(tally, { id: 'one', input: undefined, until: 'accepted' })
  await first.stop()
  const connection = await testConnection()
  const opened = await openNamespace(connection, namespace)
  const { subjects } = opened
  const count = async (stream: string) => (await connection.jsm.streams.info(stream)).state.messages
  return {
    client,
    inbox: new NatsInbox(connection, opened),
    parked: () => count(subjects.parkedStream),
    waiting: () => count(subjects.inboxStream),
    newer,
    older,
  }
}

describe('an envelope for a workflow that the owner of its partition does not run', () => {
  it('waits, in order, for a node that runs it', async () => {
    const { client, newer, older, parked, waiting } = await deployment()
    const one = client.instance(tally, 'one')
    const before = await older()

    for (const n of [1, 2, 3]) await one.send({ type: 'ADD', n })
    await client.start(tally, { id: 'two', input: { from: 7 } })
    const updated = client.instance(tally, 'two').update({ type: 'ADD', n: 4 }, { timeout: '30s' })
    await until(async () => (await waiting()) === 0)
    const kept = await parked()
    await before.stop()
    await newer()

    expect(kept).toBe(5)
    expect(await updated).toMatchObject({ type: 'accepted', snapshot: { context: { count: 11 } } })
    const { context } = await one.waitFor(({ context: { count } }) => count === 6)
    expect(context.seen).toEqual([1, 2, 3])
    expect(await collect(client.deadLetters.list())).toEqual([])
    await until(async () => (await parked()) === 0)
  })

  it('waits through a node that does not run it either', async () => {
    const { client, newer, older, parked, waiting } = await deployment()
    const one = client.instance(tally, 'one')
    for (const n of [1, 2]) {
      const node = await older()
      await one.send({ type: 'ADD', n })
      await until(async () => (await waiting()) === 0)
      await node.stop()
    }

    const kept = await parked()
    await newer()

    expect(kept).toBe(2)
    const { context } = await one.waitFor(({ context: { count } }) => count === 3)
    expect(context.seen).toEqual([1, 2])
  })

  it('does not hold up what the owner does run', async () => {
    const { client, older } = await deployment()
    await older()

    await client.instance(tally, 'one').send({ type: 'ADD', n: 1 })
    const started = await codeOf(client.start(echo, { id: 'e', until: 'accepted' }))

    expect(started).toBe('no error')
  })

  it('is refused at once when it controls an instance and somebody waits for that', async () => {
    const { client, newer, older, waiting } = await deployment()
    const one = client.instance(tally, 'one')
    const first = await newer()
    await one.pause()
    await one.send({ type: 'ADD', n: 1 })
    await until(async () => (await waiting()) === 0)
    await first.stop()
    const second = await older()

    await one.send({ type: 'ADD', n: 2 })
    const refused = await codeOf(one.resume())
    await second.stop()
    await newer()
    await one.resume()

    expect(refused).toBe('WORKFLOW_UNKNOWN')
    const { context } = await one.waitFor(({ context: { count } }) => count === 3)
    expect(context.seen).toEqual([1, 2])
    expect(await collect(client.deadLetters.list())).toEqual([])
  })

  it('waits with the others when it cancels an instance and nobody waits for that', async () => {
    const { client, inbox, newer, older, waiting } = await deployment()
    const before = await older()

    await client.instance(tally, 'one').send({ type: 'ADD', n: 1 })
    const target = { workflow: 'tally', id: 'one' }
    await inbox.publish({ type: 'cancel', id: 'c', target, time: 1, reason: 'over' })
    await until(async () => (await waiting()) === 0)
    await before.stop()
    await newer()

    const { context } = await client.instance(tally, 'one').waitFor(({ status }) => status === 'cancelled')
    expect(context.seen).toEqual([1])
  })

  it('becomes a dead letter when no node has ever run that workflow', async () => {
    const { client, older } = await deployment()
    await older()

    await client.instance('unheard-of', 'x').send({ type: 'ADD' })
    await until(async () => (await collect(client.deadLetters.list())).length === 1)

    const [letter] = await collect(client.deadLetters.list())
    expect(letter).toMatchObject({ code: 'WORKFLOW_UNKNOWN' })
  })
})

describe('whether another node runs a workflow', () => {
  const messageOf = (seq: number) => ({ content: { seq } }) as InboxMessage

  function foreign(answers: readonly (boolean | Error)[]) {
    const clock = new ManualClock()
    const told: unknown[] = []
    const remaining = [...answers]
    let isOver = false
    const workflows = new ForeignWorkflows({
      clock,
      log: rootLog('silent'),
      isRegistered: async () => {
        const answer = remaining.shift()!
        if (answer instanceof Error) throw answer
        return answer
      },
      known: (workflow, isRegistered, messages) => {
        told.push([workflow, isRegistered, messages.map(({ content }) => content.seq)])
      },
      isOver: () => isOver,
      track: () => {},
    })
    const end = () => {
      isOver = true
    }
    return { clock, end, remaining, told, workflows }
  }

  const unavailable = () => new RuntimeError('STORE_UNAVAILABLE', 'not now', { retryable: true })

  it('is asked until there is an answer; what comes meanwhile waits in order', async () => {
    const { clock, remaining, told, workflows } = foreign([unavailable(), true, false])

    workflows.take('order', messageOf(1))
    workflows.take('order', messageOf(2))
    await until(() => clock.timerCount === 1)
    workflows.take('order', messageOf(3))
    const before = [...told]
    clock.advance(500)
    await until(() => told.length === 1)
    workflows.take('order', messageOf(4))
    await until(() => told.length === 2)

    expect(before).toEqual([])
    expect(told).toEqual([
      ['order', true, [1, 2, 3]],
      ['order', false, [4]],
    ])
    expect(remaining).toEqual([])
  })

  it('is of no interest once the partition is over', async () => {
    const { clock, end, remaining, told, workflows } = foreign([unavailable(), true])

    workflows.take('order', messageOf(1))
    await until(() => clock.timerCount === 1)
    end()
    clock.advance(500)
    await until(() => clock.timerCount === 0)

    expect([told, remaining]).toEqual([[], [true]])
  })

  it('is taken to be so when it cannot be known, but not of a name that no workflow can have', async () => {
    const { told, workflows } = foreign([
      new RuntimeError('PERMISSION_DENIED', 'not you'),
      new RuntimeError('ID_INVALID', 'what a name'),
    ])

    workflows.take('order', messageOf(1))
    await until(() => told.length === 1)
    workflows.take('or der', messageOf(2))
    await until(() => told.length === 2)

    expect(told).toEqual([
      ['order', true, [1]],
      ['or der', false, [2]],
    ])
  })
})
