import { setImmediate } from 'node:timers/promises'

import { describe, expect, it } from 'vitest'

import { createIds } from '../../src/client/ids.ts'
import { connect, DeadLetters, type Client, type DeadLetterFilter, type Envelope } from '../../src/index.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { NatsDeadLetterList } from '../../src/nats/dead-letter-list.ts'
import { NatsInbox } from '../../src/nats/inbox.ts'
import { openNamespace } from '../../src/nats/provision.ts'
import { testConnection } from '../contract/fixtures.ts'
import { sampleEnvelope } from '../contract/samples.ts'
import { until } from '../contract/until.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { codeOf, collect, startNode } from '../support/node.ts'
import { tally } from '../support/workflows.ts'

async function fixture() {
  const name = freshNamespace()
  const { client } = await startNode({ namespace: name })
  const { deadLetters } = client
  /** Waits until there are so many. */
  const letters = async (count: number, filter: DeadLetterFilter = {}) => {
    await until(async () => (await collect(deadLetters.list(filter))).length === count)
    return collect(deadLetters.list(filter))
  }
  return { client, deadLetters, handle: client.instance(tally, 'one'), letters, name }
}

/** Starts the instance and waits for all it was sent. */
async function start(client: Client) {
  return client.start(tally, { id: 'one', input: undefined, until: 'accepted' })
}

describe('a dead letter', () => {
  it('is replayed once the reason is gone: applied, and no dead letter any more', async () => {
    const { client, deadLetters, handle, letters } = await fixture()
    await handle.send({ type: 'ADD', n: 7 }, { cause: 'the till' })
    const [letter] = await letters(1)
    await start(client)

    await deadLetters.replay(letter!.seq)

    expect(letter).toMatchObject({
      code: 'INSTANCE_NOT_FOUND',
      envelope: { type: 'send', cause: 'the till', event: { type: 'ADD', n: 7 } },
      problem: undefined,
      target: { workflow: 'tally', id: 'one' },
    })
    expect(letter!.time.getTime()).toBeGreaterThan(Date.now() - 60_000)
    expect((await handle.waitFor(s => s.context.count > 0)).context.seen).toEqual([7])
    expect(await deadLetters.get(letter!.seq)).toBeUndefined()
    expect(await codeOf(deadLetters.replay(letter!.seq))).toBe('DEAD_LETTER_NOT_FOUND')
  })

  it('is applied once, however often and by however many it is replayed', async () => {
    const { client, deadLetters, handle, letters, name } = await fixture()
    await handle.send({ type: 'ADD', n: 7 })
    const [letter] = await letters(1)
    await start(client)
    await using other = await connect({ servers: sharedServerUrl(), namespace: name })

    await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => (n % 2 ? other : client).deadLetters.replay(letter!.seq)),
    )
    const outcome = await handle.update({ type: 'ADD', n: 1 })

    expect(outcome).toMatchObject({ type: 'accepted', snapshot: { context: { seen: [7, 1] } } })
    expect(await collect(deadLetters.list())).toEqual([])
  })

  it('whose replay crashed before it was removed is applied once, however much later it is replayed', async () => {
    const { client, handle, letters, name } = await fixture()
    await handle.send({ type: 'ADD', n: 7 })
    const [letter] = await letters(1)
    await start(client)
    const connection = await testConnection()
    const namespace = await openNamespace(connection, name)
    const { inboxStream } = namespace.subjects
    const inbox = new NatsInbox(connection, namespace)
    const list = new NatsDeadLetterList(connection, namespace)
    const crashing = {
      get: list.get.bind(list),
      list: list.list.bind(list),
      remove: () => Promise.reject(new Error('crashed')),
    }
    // The least there can be.
    await connection.jsm.streams.update(inboxStream, { duplicate_window: 1e8 })
    const replays = (of: typeof crashing | typeof list) =>
      new DeadLetters({ inbox, list: of, nextId: createIds() })

    await expect(replays(crashing).replay(letter!.seq)).rejects.toThrow('crashed')
    const replayed = (await connection.jsm.streams.info(inboxStream)).state.last_seq
    for (let n = 0; n < 20; n += 1) await handle.update({ type: 'ADD', n: 1 })
    // From then on the stream has forgotten the id of the first replay.
    await until(async () => {
      await expect(replays(crashing).replay(letter!.seq)).rejects.toThrow('crashed')
      return (await connection.jsm.streams.info(inboxStream)).state.last_seq > replayed + 20
    })
    await replays(list).replay(letter!.seq)

    const outcome = await handle.update({ type: 'ADD', n: 2 })
    expect(outcome).toMatchObject({ snapshot: { context: { count: 7 + 20 + 2 } } })
    expect(await list.get(letter!.seq)).toBeUndefined()
  })

  it('is applied once more when that is asked for', async () => {
    const { client, handle, letters, name } = await fixture()
    await handle.send({ type: 'ADD', n: 7 })
    const [letter] = await letters(1)
    await start(client)
    const connection = await testConnection()
    const namespace = await openNamespace(connection, name)
    const inbox = new NatsInbox(connection, namespace)
    const list = new NatsDeadLetterList(connection, namespace)
    const forgetful = { get: list.get.bind(list), list: list.list.bind(list), remove: async () => true }
    const replays = new DeadLetters({ inbox, list: forgetful, nextId: createIds() })

    await replays.replay(letter!.seq)
    await replays.replay(letter!.seq, { again: true })
    await replays.replay(letter!.seq)

    const outcome = await handle.update({ type: 'ADD', n: 1 })
    expect(outcome).toMatchObject({ snapshot: { context: { seen: [7, 7, 1] } } })
  })

  it('is applied although its sender has gone past it', async () => {
    const { client, deadLetters, handle, letters } = await fixture()
    await handle.send({ type: 'ADD', n: 1 }, { source: { name: 'till', position: 1 } })
    const [letter] = await letters(1)
    await start(client)
    await handle.send({ type: 'ADD', n: 2 }, { source: { name: 'till', position: 2 } })

    await deadLetters.replay(letter!.seq)

    expect((await handle.waitFor(s => s.context.count === 3)).context.seen).toEqual([2, 1])
  })

  it('that is refused again is a new one', async () => {
    const { deadLetters, handle, letters } = await fixture()
    await handle.send({ type: 'ADD', n: 7 })
    const [letter] = await letters(1)

    await deadLetters.replay(letter!.seq)
    await until(async () => (await deadLetters.get(letter!.seq)) === undefined)
    const [again] = await letters(1)

    expect(again!.seq).toBeGreaterThan(letter!.seq)
    expect(again).toMatchObject({ code: 'INSTANCE_NOT_FOUND', envelope: { event: { n: 7 } } })
  })

  it('that holds no envelope cannot be replayed, and stays', async () => {
    const { deadLetters, letters, name } = await fixture()
    const connection = await testConnection()
    const { partitions, subjects } = await openNamespace(connection, name)
    const target = { workflow: 'tally', id: 'one' }
    const elsewhere = subjects.envelope(partitions - 1, target)
    await connection.publish(elsewhere, encodeEnvelope(sampleEnvelope({ workflow: 'tally', id: 'two' })))
    const [letter] = await letters(1)

    expect(letter).toMatchObject({
      envelope: undefined,
      problem: expect.stringContaining('was published on'),
    })
    expect(await codeOf(deadLetters.replay(letter!.seq))).toBe('ENVELOPE_MALFORMED')
    expect(await deadLetters.replayAll()).toEqual({ replayed: 0, left: 1 })
    expect(await deadLetters.get(letter!.seq)).toEqual(letter)
  })

  it('is discarded for good', async () => {
    const { client, deadLetters, handle, letters } = await fixture()
    await handle.send({ type: 'ADD', n: 7 })
    const [letter] = await letters(1)
    await start(client)

    await deadLetters.discard(letter!.seq)

    expect(await codeOf(deadLetters.discard(letter!.seq))).toBe('DEAD_LETTER_NOT_FOUND')
    expect(await codeOf(deadLetters.replay(letter!.seq))).toBe('DEAD_LETTER_NOT_FOUND')
    expect(await handle.update({ type: 'ADD', n: 1 })).toMatchObject({ snapshot: { context: { count: 1 } } })
  })

  it.each([0, -1, 1.5, NaN])('is not at place %d', async seq => {
    const { deadLetters } = await fixture()

    expect(await codeOf(deadLetters.replay(seq))).toBe('OPTIONS_INVALID')
    expect(await codeOf(deadLetters.discard(seq))).toBe('OPTIONS_INVALID')
  })
})

describe('many dead letters', () => {
  it('are replayed several at a time, those of one instance in their order', async () => {
    const { client, deadLetters, handle, letters } = await fixture()
    const others = Array.from({ length: 20 }, (_, n) => client.instance(tally, `other-${n}`))
    await Promise.all(Array.from({ length: 150 }, (_, n) => handle.send({ type: 'ADD', n })))
    await Promise.all(others.map(other => other.send({ type: 'ADD', n: 5 })))
    const all = await letters(170)
    await start(client)
    for (const { address } of others) await client.start(tally, { id: address.id, until: 'accepted' })

    expect(await deadLetters.replayAll({ workflow: tally })).toEqual({ replayed: 170, left: 0 })

    const order = all.flatMap(({ envelope, target }) =>
      target?.id === 'one' && envelope?.type === 'send' ? [envelope.event['n']] : [],
    )
    const { context } = await handle.waitFor(s => s.context.seen.length === 150)
    expect(context.seen).toEqual(order)
    for (const other of others) await other.waitFor(s => s.context.count === 5)
    expect(await collect(deadLetters.list())).toEqual([])
  })

  it('are sent to one instance one after the other, to many at the same time, but not to too many', async () => {
    const { client, letters, name } = await fixture()
    const ids = Array.from({ length: 200 }, (_, n) => (n % 2 ? 'one' : `other-${n}`))
    await Promise.all(ids.map(id => client.instance(tally, id).send({ type: 'ADD', n: 1 })))
    await letters(200)
    const connection = await testConnection()
    const list = new NatsDeadLetterList(connection, await openNamespace(connection, name))
    const sending: string[] = []
    const most = { toOne: 0, toAll: 0 }
    const inbox = {
      async publish({ target: { id } }: Envelope) {
        sending.push(id)
        most.toOne = Math.max(most.toOne, sending.filter(other => other === id).length)
        most.toAll = Math.max(most.toAll, sending.length)
        await setImmediate()
        sending.splice(sending.indexOf(id), 1)
      },
    }

    await new DeadLetters({ inbox, list, nextId: createIds() }).replayAll()

    expect(most.toOne).toBe(1)
    expect(most.toAll).toBeGreaterThan(1)
    expect(most.toAll).toBeLessThanOrEqual(64)
  })

  it('that are refused again are not replayed for ever', async () => {
    const { client, deadLetters, letters } = await fixture()
    await Promise.all(
      Array.from({ length: 30 }, (_, n) => client.instance(tally, `${n}`).send({ type: 'ADD', n })),
    )
    const last = (await letters(30)).at(-1)!

    expect(await deadLetters.replayAll()).toEqual({ replayed: 30, left: 0 })

    expect((await letters(30)).every(({ seq }) => seq > last.seq)).toBe(true)
  })

  it('are discarded as a filter says, and the others left', async () => {
    const { client, deadLetters, handle, letters } = await fixture()
    await Promise.all(Array.from({ length: 10 }, (_, n) => handle.send({ type: 'ADD', n })))
    await client.instance(tally, 'two').send({ type: 'ADD', n: 1 })
    await letters(11)

    expect(await deadLetters.discardAll({ id: 'one', since: new Date(0) })).toEqual({ discarded: 10 })
    expect(await deadLetters.discardAll({ since: new Date(Date.now() + 3_600_000) })).toEqual({
      discarded: 0,
    })

    expect((await letters(1))[0]!.target?.id).toBe('two')
  })

  it('are left as they are from the first error on', async () => {
    const { handle, letters, name } = await fixture()
    await Promise.all(Array.from({ length: 20 }, (_, n) => handle.send({ type: 'ADD', n })))
    await letters(20)
    const connection = await testConnection()
    const list = new NatsDeadLetterList(connection, await openNamespace(connection, name))
    let published = 0
    const inbox = {
      publish: async () => {
        published += 1
        if (published === 5) throw new Error('no more')
      },
    }

    const replaying = new DeadLetters({ inbox, list, nextId: createIds() }).replayAll()

    await expect(replaying).rejects.toThrow('no more')
    expect(published).toBe(5)
    expect(await letters(16)).toHaveLength(16)
  })

  it('end with the reason of the signal', async () => {
    const { deadLetters, handle, letters } = await fixture()
    await Promise.all(Array.from({ length: 3 }, (_, n) => handle.send({ type: 'ADD', n })))
    await letters(3)
    const options = { signal: AbortSignal.abort(new Error('enough')) }

    await expect(deadLetters.replayAll({}, options)).rejects.toThrow('enough')
    await expect(deadLetters.discardAll({}, options)).rejects.toThrow('enough')
    await expect(collect(deadLetters.list({}, options))).rejects.toThrow('enough')
    expect(await letters(3)).toHaveLength(3)
  })
})
