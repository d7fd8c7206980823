import { connect as connectNats, headers, nuid, type JetStreamClient } from 'nats'
import { describe, expect, it, onTestFinished } from 'vitest'

import {
  connect,
  createNode,
  defineWorkflow,
  partitionOf,
  type Client,
  type NodeOptions,
} from '../../src/index.ts'
import { encodeValue } from '../../src/codec/msgpack.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { codeOf, startNode } from '../support/node.ts'
import { tally } from '../support/workflows.ts'

interface Fixture {
  readonly client: Client
  readonly namespace: string
  readonly count: () => Promise<number | undefined>
}

/** NATS as a foreign program sees it. */
async function foreigner(): Promise<JetStreamClient> {
  const nc = await connectNats({ servers: sharedServerUrl() })
  onTestFinished(() => nc.close())
  return nc.jetstream()
}

/** The subject on which envelopes for an instance of `tally` are published, with the four partitions of these tests. */
function inboxSubject(namespace: string, id: string): string {
  return `hf.${namespace}.in.${partitionOf({ workflow: 'tally', id }, 4)}.tally.${id}`
}

async function nextDeadLetter(
  js: JetStreamClient,
  namespace: string,
): Promise<{ code: string; data: string }> {
  const consumer = await js.consumers.get(`hf_${namespace}_dead`)
  const letter = await consumer.next({ expires: 10_000 })
  return { code: letter?.headers?.get('Hf-Code') ?? 'none', data: letter?.string() ?? '' }
}

const strict = defineWorkflow(tally.machine, {
  name: 'strict',
  input: schema<{ from: number } | undefined>(
    value => typeof (value as { from?: unknown } | undefined)?.from === 'number',
    'from must be a number',
  ),
  events: {
    ADD: schema<{ type: 'ADD'; n: number }>(value => (value as { n?: unknown }).n !== 13, 'not thirteen'),
  },
})

function schema<T>(isValid: (value: unknown) => boolean, message: string) {
  return {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        isValid(value) ? { value: value as T } : { issues: [{ message, path: ['n'] }] },
    },
  }
}

describe('bad input', () => {
  async function withInstance(options: Partial<NodeOptions> = {}): Promise<Fixture> {
    const namespace = freshNamespace()
    const { client } = await startNode({ namespace, ...options })
    const handle = await client.start(tally, { id: 'one', input: { from: 5 } })
    await handle.waitFor(() => true)
    return { client, namespace, count: async () => (await handle.get())?.context.count }
  }

  it.each([
    ['an empty id', (client: Client) => client.start(tally, { id: '', input: undefined }), 'ID_INVALID'],
    [
      'an id that is too long',
      (client: Client) => client.start(tally, { id: 'x'.repeat(257), input: undefined }),
      'ID_INVALID',
    ],
    [
      'a workflow nobody knows',
      (client: Client) => client.start('nothing', { id: 'two' }),
      'WORKFLOW_UNKNOWN',
    ],
    [
      'a reserved event',
      (client: Client) => client.instance(tally, 'one').send({ type: 'xstate.stop' } as never),
      'EVENT_RESERVED',
    ],
    [
      'a wildcard event',
      (client: Client) => client.instance(tally, 'one').send({ type: '*' } as never),
      'EVENT_RESERVED',
    ],
    [
      'an event without a type',
      (client: Client) => client.instance(tally, 'one').send({} as never),
      'EVENT_INVALID',
    ],
    [
      'an event with a function',
      (client: Client) => client.instance(tally, 'one').send({ type: 'ADD', n: () => 1 } as never),
      'VALUE_UNSUPPORTED',
    ],
    [
      'an event that is too large',
      (client: Client) =>
        client.instance(tally, 'one').send({ type: 'ADD', n: 'x'.repeat(2 ** 21) } as never),
      'PAYLOAD_TOO_LARGE',
    ],
  ])('%s is refused with a typed error and changes nothing', async (_, attempt, code) => {
    const { client, count } = await withInstance()

    expect(await codeOf(attempt(client))).toBe(code)
    expect(await count()).toBe(5)
  })

  it('an event that would make the record too large is rejected; the instance stays as it was and goes on', async () => {
    const { client } = await withInstance()
    const handle = client.instance(tally, 'one')

    const outcome = await handle.update({ type: 'BLOAT', bytes: 2 ** 21 })
    const next = await handle.update({ type: 'ADD', n: 1 })

    expect(outcome).toMatchObject({ type: 'rejected', code: 'PAYLOAD_TOO_LARGE' })
    expect(next).toMatchObject({ type: 'accepted', snapshot: { context: { count: 6, greeting: '' } } })
  })

  it.each([
    ['bytes that are no envelope', 'certainly not an envelope', 'ENVELOPE_MALFORMED'],
    [
      'JSON without an event',
      JSON.stringify({ type: 'send', id: 'x', time: 0, target: { workflow: 'tally', id: 'one' } }),
      'ENVELOPE_MALFORMED',
    ],
    [
      'an envelope for another instance',
      JSON.stringify({
        type: 'send',
        id: 'x',
        time: 0,
        target: { workflow: 'tally', id: 'two' },
        event: { type: 'ADD' },
      }),
      'ENVELOPE_MALFORMED',
    ],
  ])('%s from a foreign publisher become a dead letter and change nothing', async (_, data, code) => {
    const { namespace, client, count } = await withInstance()
    const js = await foreigner()

    await js.publish(inboxSubject(namespace, 'one'), data)
    const letter = await nextDeadLetter(js, namespace)

    expect(letter).toEqual({ code, data })
    expect(await count()).toBe(5)
    expect(await client.instance(tally, 'one').update({ type: 'ADD', n: 1 })).toMatchObject({
      type: 'accepted',
    })
  })

  it('an event in JSON from a foreign publisher is as good as one of ours', async () => {
    const { namespace, client } = await withInstance()
    const js = await foreigner()
    const target = { workflow: 'tally', id: 'one' }

    const event = { type: 'ADD', n: 2 }
    await js.publish(
      inboxSubject(namespace, 'one'),
      JSON.stringify({ type: 'send', id: 'j', time: 0, target, event }),
    )

    const snapshot = await client
      .instance(tally, 'one')
      .waitFor(({ context }) => context.count === 7, { timeout: '10s' })
    expect(snapshot.context.seen).toEqual([2])
  })

  it('an event for an instance that does not exist becomes a dead letter', async () => {
    const { client, namespace } = await withInstance()

    await client.instance(tally, 'nowhere').send({ type: 'FINISH' })

    expect(await nextDeadLetter(await foreigner(), namespace)).toMatchObject({ code: 'INSTANCE_NOT_FOUND' })
    expect(await client.instance(tally, 'nowhere').get()).toBeUndefined()
  })

  it('an envelope for a workflow that no node runs becomes a dead letter', async () => {
    const { client, namespace } = await withInstance()

    await client.start(defineWorkflow(tally.machine, { name: 'unheard-of' }), { id: 'one', input: undefined })

    expect(await nextDeadLetter(await foreigner(), namespace)).toMatchObject({ code: 'WORKFLOW_UNKNOWN' })
  })

  it('input and events that do not match their schema are refused by the client, before anything is sent', async () => {
    const { client } = await withInstance({ workflows: [tally, strict] })
    const handle = await client.start(strict, { id: 'one', input: { from: 1 } })

    expect(await codeOf(client.start(strict, { id: 'two', input: undefined }))).toBe('INPUT_INVALID')
    expect(await codeOf(handle.send({ type: 'ADD', n: 13 }))).toBe('EVENT_INVALID')
  })

  it('input and events that do not match are refused by the node, whoever sent them, and kept', async () => {
    const { client, namespace } = await withInstance({ workflows: [tally, strict] })
    await client.start(strict, { id: 'one', input: { from: 1 } })

    const unchecked = client.instance('strict', 'one')
    const outcome = await unchecked.update({ type: 'ADD', n: 13 })
    const letter = await nextDeadLetter(await foreigner(), namespace)

    expect(outcome).toMatchObject({
      type: 'rejected',
      code: 'EVENT_INVALID',
      message: expect.stringContaining('not thirteen') as string,
    })
    expect(letter.code).toBe('EVENT_INVALID')
    expect((await client.instance(strict, 'one').get())?.context.count).toBe(1)
  })

  it('a record of a newer format is refused and left as it is', async () => {
    const { client, namespace } = await withInstance()
    const js = await foreigner()
    const key = `$KV.hf_${namespace}_instances.${partitionOf({ workflow: 'tally', id: 'future' }, 4)}.tally.future`
    const bytes = encodeValue([99, { everything: 'is different' }])
    const hdrs = headers()
    hdrs.set('Hf-Commit', nuid.next())
    const { seq } = await js.publish(key, bytes, { headers: hdrs })

    const outcome = await client.instance(tally, 'future').update({ type: 'ADD', n: 1 })
    const reading = codeOf(client.instance(tally, 'future').get())
    const stored = await (
      await js.jetstreamManager()
    ).streams.getMessage(`KV_hf_${namespace}_instances`, { last_by_subj: key })

    expect(outcome).toMatchObject({ type: 'rejected', code: 'RECORD_FORMAT_UNSUPPORTED' })
    expect(await reading).toBe('RECORD_FORMAT_UNSUPPORTED')
    expect([stored.seq, stored.data]).toEqual([seq, bytes])
  })

  it('another partition count than the namespace has is refused', async () => {
    const namespace = freshNamespace()
    await startNode({ namespace, partitions: 4 })

    expect(await codeOf(startNode({ namespace, partitions: 8 }))).toBe('PARTITION_COUNT_MISMATCH')
  })

  it('a second live node under the same name is refused, and the first goes on', async () => {
    const namespace = freshNamespace()
    const first = await startNode({ namespace, name: 'twin' })

    expect(await codeOf(startNode({ namespace, name: 'twin' }))).toBe('NODE_NAME_TAKEN')
    expect(first.status().partitions).toEqual({ serving: 4, total: 4 })
  })

  it('a namespace that no node has created is not found by a client', async () => {
    const connecting = connect({ servers: sharedServerUrl(), namespace: freshNamespace() })

    expect(await codeOf(connecting)).toBe('NAMESPACE_NOT_FOUND')
  })

  it('wrong options are refused all at once, each with its field', async () => {
    const wrong = { leaseTtl: '1ms', maxResting: 0, name: 'a b', partitions: 0, replicas: 2 } as const
    const creating = createNode({ ...wrong, workflows: [] })

    await expect(creating).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      message: expect.stringMatching(/leaseTtl.*maxResting.*partitions.*replicas.*name.*workflows/) as string,
    })
  })
})
