import { describe, expect, it } from 'vitest'
import type { TaskMessage } from '../../actors/ports.ts'
import type { Beat, Task, TaskName } from '../../actors/remote-activity.ts'
import { DeadLetters } from '../../src/index.ts'
import { NatsBeats } from '../../src/nats/beats.ts'
import { NatsBlobs } from '../../src/nats/blobs.ts'
import type { NatsConnection } from '../../src/nats/connection.ts'
import { isRegistered, registerWorkflow } from '../../src/nats/config.ts'
import { NatsDeadLetterList } from '../../src/nats/dead-letter-list.ts'
import { NatsEventSink } from '../../src/nats/events.ts'
import { NatsHeartbeats } from '../../src/nats/heartbeats.ts'
import { NatsHints } from '../../src/nats/hints.ts'
import type { SupervisedNode } from '../../actors/supervision.ts'
import { NatsInspection } from '../../src/nats/inspection.ts'
import { NatsInbox } from '../../src/nats/inbox.ts'
import { isHeld, NatsLeases } from '../../src/nats/leases.ts'
import { NatsParking } from '../../src/nats/parking.ts'
import { NatsPauses } from '../../src/nats/pauses.ts'
import { claimName } from '../../src/nats/presence.ts'
import { openNamespace, provision } from '../../src/nats/provision.ts'
import { Replies } from '../../src/nats/replies.ts'
import { NatsSnapshots } from '../../src/nats/snapshots.ts'
import { NatsStore } from '../../src/nats/store.ts'
import { NatsTaskQueue } from '../../src/nats/task-queue.ts'
import { NatsTasks } from '../../src/nats/tasks.ts'
import { partitionOf } from '../../src/workflow/address.ts'
import { collect } from '../support/node.ts'
import { testConnection } from '../contract/fixtures.ts'
import { HeardMessages, HeardRecords } from '../contract/heard.ts'
import { until } from '../contract/until.ts'
import { addressIn, numbered, sampleEnvelope, sampleRecord, sampleSummary } from '../contract/samples.ts'
import { serverWithUsers, urlOf, type Permissions } from './accounts.ts'

/** All that a client of namespace `prod` needs: it sends, waits for answers, reads and watches instances. */
const clientPermissions: Permissions = {
  publish: {
    allow: [
      'hf.prod.in.>',
      // To have what it cancels aborted at once.
      'hf.prod.hint.>',
      '$JS.API.DIRECT.GET.KV_hf_prod_config.>',
      '$JS.API.DIRECT.GET.KV_hf_prod_instances.>',
      // To see whether a node runs an instance.
      '$JS.API.DIRECT.GET.KV_hf_prod_leases.>',
    ],
  },
  subscribe: { allow: ['_INBOX.>', 'hf.prod.snap.>'] },
}

/** What reading the results of bulks needs besides. */
const resultPermissions = ['$JS.API.DIRECT.GET.KV_hf_prod_blobs.>']

/** What pausing workflows and the namespace needs besides; to see what is paused a client may anyway. */
const pausePermissions = ['$KV.hf_prod_config.paused.>']

/** What asking the nodes about themselves needs besides. */
const inspectionPermissions = [
  'hf.prod.ask.*',
  '$JS.API.STREAM.INFO.KV_hf_prod_leases',
  '$JS.API.STREAM.MSG.GET.KV_hf_prod_leases',
]

/** What listing, and watching many instances, needs besides. */
const listPermissions = [
  '$JS.API.STREAM.INFO.KV_hf_prod_instances',
  '$JS.API.CONSUMER.*.KV_hf_prod_instances.>',
  '$JS.API.CONSUMER.MSG.NEXT.KV_hf_prod_instances.>',
]

/** What looking after the dead letters needs besides. To send them again is a client's permission already. */
const deadLetterPermissions = [
  '$JS.API.CONSUMER.*.hf_prod_dead.>',
  '$JS.API.CONSUMER.MSG.NEXT.hf_prod_dead.>',
  '$JS.API.STREAM.MSG.GET.hf_prod_dead',
  '$JS.API.STREAM.MSG.DELETE.hf_prod_dead',
]

/** All that a worker for the activity `charge` of namespace `prod` needs. */
const workerPermissions: Permissions = {
  publish: {
    allow: [
      // The results, and tasks that came too often.
      'hf.prod.in.>',
      'hf.prod.dead.>',
      // Heartbeats, and how far the worker before had come.
      'hf.prod.beat.charge.>',
      '$JS.API.DIRECT.GET.KV_hf_prod_instances.>',
      '$JS.API.DIRECT.GET.KV_hf_prod_config.>',
      '$JS.API.CONSUMER.INFO.hf_prod_tasks.charge',
      '$JS.API.CONSUMER.CREATE.hf_prod_tasks.charge.hf.prod.task.charge.>',
      '$JS.API.CONSUMER.MSG.NEXT.hf_prod_tasks.charge',
      '$JS.ACK.hf_prod_tasks.charge.>',
    ],
  },
  subscribe: { allow: ['_INBOX.>', 'hf.prod.stop.charge.>'] },
}

/** All that a node of namespace `prod` needs once the namespace exists. */
const nodePermissions: Permissions = {
  publish: {
    allow: [
      'hf.prod.>',
      '_INBOX.>',
      '$KV.hf_prod_instances.>',
      '$KV.hf_prod_leases.>',
      '$KV.hf_prod_config.>',
      '$KV.hf_prod_blobs.>',
      '$JS.ACK.hf_prod_inbox.>',
      // Where there is one copy of the records it is read without the detour by their leader.
      '$JS.API.DIRECT.GET.KV_hf_prod_instances.>',
      ...[
        'KV_hf_prod_config',
        'KV_hf_prod_instances',
        'KV_hf_prod_leases',
        'KV_hf_prod_blobs',
        'hf_prod_inbox',
        'hf_prod_parked',
        'hf_prod_tasks',
        'hf_prod_events',
        'hf_prod_dead',
      ].flatMap(stream => [`$JS.API.STREAM.INFO.${stream}`, `$JS.API.STREAM.MSG.GET.${stream}`]),
      '$JS.API.STREAM.MSG.DELETE.hf_prod_parked',
      // To remove envelopes that are settled, and to take back tasks that are no longer wanted.
      '$JS.API.STREAM.PURGE.hf_prod_inbox',
      '$JS.API.STREAM.PURGE.hf_prod_tasks',
      // Which workflows are paused.
      '$JS.API.CONSUMER.*.KV_hf_prod_config.>',
      '$JS.API.CONSUMER.MSG.NEXT.KV_hf_prod_config.>',
      ...['KV_hf_prod_instances', 'hf_prod_inbox'].flatMap(stream => [
        `$JS.API.CONSUMER.CREATE.${stream}`,
        `$JS.API.CONSUMER.NAMES.${stream}`,
        `$JS.API.CONSUMER.*.${stream}.>`,
        `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`,
      ]),
    ],
  },
  // Besides answers: who is alive, which partitions are given up, who asks whether this node is alive, or how it is, what
  // is cancelled, and how far workers are.
  subscribe: {
    allow: [
      '_INBOX.>',
      '$KV.hf_prod_leases.>',
      'hf.prod.node.*',
      'hf.prod.ask.*',
      'hf.prod.hint.>',
      'hf.prod.beat.>',
    ],
  },
}

interface Limited {
  readonly admin: NatsConnection
  readonly limited: NatsConnection
}

/** A server with namespace `prod`, and connections of a user who may do everything and of one who may not. */
async function limitedTo(permissions: Permissions): Promise<Limited> {
  const server = await serverWithUsers(permissions)
  const admin = await testConnection(urlOf(server, 'admin'))
  await provision(admin, { namespace: 'prod' })
  return { admin, limited: await testConnection(urlOf(server, 'limited')) }
}

const address = { workflow: 'order', id: 'o-1' }

function taskOf(activity: string, attempt: number): Task {
  const base = { activity, attempt, effectId: `e-${attempt}`, format: 'msgpack', incarnation: 4 } as const
  return { ...base, idempotencyKey: 'key', input: undefined, instance: address, path: 'pay' }
}

function sampleReport(): SupervisedNode {
  return {
    name: 'a',
    incarnation: '1',
    version: '1.2.3',
    startedAt: 7,
    partitions: { avoided: [], serving: [3], total: 32 },
    resident: 1,
    activities: { running: 0, waiting: 0, abandoned: 0 },
    children: [],
  }
}

describe('permissions', () => {
  it('of a client suffice to send, to wait for the answer, to read and to watch', async () => {
    const { admin, limited } = await limitedTo(clientPermissions)
    const namespace = await openNamespace(limited, 'prod')
    const snapshots = new NatsSnapshots(limited, namespace)
    const replies = new Replies(limited)
    const [heard, owner] = [new HeardRecords(), new HeardMessages()]
    await new NatsInbox(admin, namespace).open(3, 1, owner)
    await snapshots.watch(address, heard)

    const { answer, subject } = replies.expect()
    const envelope = sampleEnvelope(addressIn(3, namespace.partitions))
    const hinted: string[] = []
    await new NatsHints(admin, namespace).listen(({ target }) => hinted.push(target.id))
    await new NatsInbox(limited, namespace).publish(envelope, { replyTo: subject })
    new NatsHints(limited, namespace).send({ target: address, isForced: false })
    await until(() => hinted.length > 0)
    await owner.count(1)
    owner.messages[0]!.reply(Uint8Array.of(7))
    await new NatsStore(admin, namespace).commit(numbered(address, 1), sampleSummary(), 0)
    await heard.count(1)

    expect([...(await answer)]).toEqual([7])
    expect(await isHeld(limited, namespace, 3)).toBe(false)
    expect(await isRegistered(limited, namespace.subjects, 'order')).toBe(false)
    expect(await snapshots.get(address)).toMatchObject({ record: { counter: 1 } })
  })

  it('of a client who also lists suffice to list and to watch many', async () => {
    const { admin, limited } = await limitedTo({
      ...clientPermissions,
      publish: { allow: [...(clientPermissions.publish as { allow: string[] }).allow, ...listPermissions] },
    })
    const namespace = await openNamespace(limited, 'prod')
    const snapshots = new NatsSnapshots(limited, namespace)
    const heard = new HeardRecords()
    await new NatsStore(admin, namespace).commit(numbered(address, 1), sampleSummary(), 0)

    await snapshots.watch({ workflow: 'order' }, heard)
    await heard.count(1)
    const ids: string[] = []
    for await (const row of snapshots.list({})) ids.push(row.address.id)

    expect(ids).toEqual(['o-1'])
  })

  it('of a client who also reads the results of bulks suffice for that', async () => {
    const { admin, limited } = await limitedTo({
      ...clientPermissions,
      publish: { allow: [...(clientPermissions.publish as { allow: string[] }).allow, ...resultPermissions] },
    })
    const namespace = await openNamespace(limited, 'prod')
    const key = { owner: address, name: 'bulk-1-0' }
    await new NatsBlobs(admin, namespace).put(key, Uint8Array.of(7))

    expect([...(await new NatsBlobs(limited, namespace).get(key))!]).toEqual([7])
    await expect(new NatsBlobs(limited, namespace).put(key, Uint8Array.of(8))).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
  })

  it('of a client who also looks after dead letters suffice for that, and are named where they are missing', async () => {
    const { admin, limited } = await limitedTo({
      ...clientPermissions,
      publish: {
        allow: [...(clientPermissions.publish as { allow: string[] }).allow, ...deadLetterPermissions],
      },
    })
    const namespace = await openNamespace(limited, 'prod')
    const [owner, plain] = [new HeardMessages(), await limitedTo(clientPermissions)]
    const inbox = new NatsInbox(admin, namespace)
    await inbox.open(3, 1, owner)
    for (const n of [1, 2, 3]) {
      await inbox.publish(sampleEnvelope(addressIn(3, namespace.partitions), n))
      await owner.count(n)
      await owner.messages[n - 1]!.deadLetter('EVENT_INVALID', 'because')
    }
    const list = new NatsDeadLetterList(limited, namespace)
    const letters = new DeadLetters({ inbox: new NatsInbox(limited, namespace), list, nextId: () => 'id' })
    const without = new NatsDeadLetterList(plain.limited, namespace)
    const denied = (subject: unknown) => ({ code: 'PERMISSION_DENIED', fields: { subject } })

    await letters.replay(1)
    await letters.discard(2)
    expect(await collect(letters.list({ code: 'EVENT_INVALID' }))).toHaveLength(1)
    expect(await letters.replayAll()).toEqual({ replayed: 1, left: 0 })

    expect(await collect(letters.list())).toEqual([])
    await owner.count(5)
    await expect(collect(without.list({}))).rejects.toMatchObject(
      denied(expect.stringContaining('$JS.API.CONSUMER.CREATE.hf_prod_dead.')),
    )
    await expect(without.get(1)).rejects.toMatchObject(denied('$JS.API.STREAM.MSG.GET.hf_prod_dead'))
    await expect(without.remove(1)).rejects.toMatchObject(denied('$JS.API.STREAM.MSG.DELETE.hf_prod_dead'))
  })

  it('of a worker suffice to take tasks, tell results, keep dead letters and hear what is not wanted', async () => {
    const { admin, limited } = await limitedTo(workerPermissions)
    const namespace = await openNamespace(limited, 'prod')
    const [tasks, queue] = [
      new NatsTasks(admin, namespace),
      new NatsTaskQueue(limited, namespace, { ackWaitMs: 30_000 }),
    ]
    const messages: TaskMessage[] = []
    const stopped: TaskName[] = []
    const listener = {
      task: (message: TaskMessage) => messages.push(message),
      stop: (name: TaskName) => stopped.push(name),
      interrupted: (error: Error) => {
        throw error
      },
    }
    for (const attempt of [1, 2, 3]) await tasks.post(taskOf('charge', attempt))

    const consumer = await queue.open('charge', listener)
    consumer.pull(3)
    await until(() => messages.length === 3)
    messages[0]!.working()
    const beats: Beat[] = []
    const partition = partitionOf(taskOf('charge', 1).instance, namespace.partitions)
    const ear = { beat: (beat: Beat) => beats.push(beat), malformed: () => {} }
    await new NatsBeats(admin, namespace).listen(partition, ear)
    messages[0]!.beat({ details: 1, isBeginning: false })
    await until(() => beats.length === 1)
    expect(await messages[0]!.newestDetails()).toBeUndefined()
    await messages[0]!.settle({ status: 'done', output: 7 })
    await messages[1]!.deadLetter('DELIVERIES_EXCEEDED', 'because')
    messages[1]!.drop()
    await tasks.recall(taskOf('charge', 3))
    await until(() => stopped.length > 0)

    const stored = async (stream: string) => (await admin.jsm.streams.info(stream)).state.messages
    await until(async () => (await stored('hf_prod_tasks')) === 0)
    expect([await stored('hf_prod_inbox'), await stored('hf_prod_dead')]).toEqual([1, 1])
    await expect(queue.open('refund', listener)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      fields: { subject: '$JS.API.CONSUMER.INFO.hf_prod_tasks.refund' },
    })
  })

  it('that are missing to hear what is not wanted are named', async () => {
    const { limited } = await limitedTo({ ...workerPermissions, subscribe: { allow: ['_INBOX.>'] } })
    const namespace = await openNamespace(limited, 'prod')
    const queue = new NatsTaskQueue(limited, namespace, { ackWaitMs: 30_000 })
    const silent = { task: () => {}, stop: () => {}, interrupted: () => {} }

    await expect(queue.open('charge', silent)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      fields: { operation: 'subscribe to', subject: 'hf.prod.stop.charge.>' },
    })
  })

  it('of a client do not suffice to pause workflows, which is a privilege of its own', async () => {
    const allowed = (clientPermissions.publish as { allow: string[] }).allow
    const { admin, limited } = await limitedTo(clientPermissions)
    const operator = await limitedTo({
      ...clientPermissions,
      publish: { allow: [...allowed, ...pausePermissions] },
    })
    const namespace = await openNamespace(limited, 'prod')
    const [mine, theirs] = [limited, operator.limited].map(each => new NatsPauses(each, namespace))
    await new NatsPauses(admin, namespace).set(undefined, { at: 7 })

    await theirs!.set('order', { at: 8 })

    expect(await theirs!.get('order')).toEqual({ at: 8 })
    expect(await mine!.get(undefined)).toEqual({ at: 7 })
    await expect(mine!.set('order', undefined)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      fields: { subject: '$KV.hf_prod_config.paused.workflow.order' },
    })
  })

  it('of a client who also asks nodes about themselves suffice for that, and less does not', async () => {
    const { admin, limited: plain } = await limitedTo(clientPermissions)
    const allowed = (clientPermissions.publish as { allow: string[] }).allow
    const asking = await limitedTo({
      ...clientPermissions,
      publish: { allow: [...allowed, ...inspectionPermissions] },
    })
    const namespace = await openNamespace(plain, 'prod')
    const [mine, theirs] = [plain, asking.limited].map(each => new NatsInspection(each, namespace))
    const node = { name: 'a', incarnation: '1' }
    await new NatsHeartbeats(asking.admin, namespace, node).beat()
    await new NatsInspection(asking.admin, namespace).answer('a', sampleReport)
    await new NatsInspection(admin, namespace).answer('a', sampleReport)
    const question = { depth: 'nodes' } as const

    expect(await theirs!.names()).toEqual(['a'])
    expect(await theirs!.ask('a', question, { timeoutMs: 2_000 })).toEqual(sampleReport())
    expect(await theirs!.ask('b', question, { timeoutMs: 2_000 })).toBeUndefined()
    const denied = (subject: string) => ({ code: 'PERMISSION_DENIED', fields: { subject } })
    await expect(mine!.names()).rejects.toMatchObject(denied('$JS.API.STREAM.INFO.KV_hf_prod_leases'))
    await expect(mine!.ask('a', question, { timeoutMs: 2_000 })).rejects.toMatchObject(
      denied('hf.prod.ask.a'),
    )
  })

  it('of a node that may remove no envelopes end its partition, and say what is missing', async () => {
    const purge = '$JS.API.STREAM.PURGE.hf_prod_inbox'
    const { limited } = await limitedTo({
      ...nodePermissions,
      publish: { ...nodePermissions.publish, deny: [purge] },
    })
    const namespace = await provision(limited, { namespace: 'prod' })
    const inbox = new NatsInbox(limited, namespace)
    const heard = new HeardMessages()
    await inbox.publish(sampleEnvelope(addressIn(3, namespace.partitions), 1))
    await inbox.open(3, 1, heard)
    await heard.count(1)

    heard.messages[0]!.ack()

    expect(await heard.end()).toMatchObject({ code: 'PERMISSION_DENIED', fields: { subject: purge } })
  })

  it('of a node suffice for all it does once its namespace exists', async () => {
    const { admin, limited } = await limitedTo(nodePermissions)
    const namespace = await provision(limited, { namespace: 'prod' })
    const store = new NatsStore(limited, namespace)
    const leases = new NatsLeases(limited, namespace, { node: 'a', incarnation: '1' })
    const [first, second] = [new HeardMessages(), new HeardMessages()]
    const inbox = new NatsInbox(limited, namespace)
    await registerWorkflow(limited, namespace.subjects, 'order', { version: 1 })

    const alive: string[] = []
    const left: string[] = []
    const released: number[] = []
    const node = { name: 'a', incarnation: '1' }
    const heartbeats = new NatsHeartbeats(limited, namespace, node)
    await claimName(limited, namespace, node)
    await heartbeats.listen({ alive: name => alive.push(name), left: name => left.push(name) })
    leases.onReleased(partition => released.push(partition))
    await new NatsInspection(limited, namespace).answer('a', sampleReport)
    const asked = await new NatsInspection(admin, namespace).ask(
      'a',
      { depth: 'nodes' },
      { timeoutMs: 2_000 },
    )
    const paused: (string | undefined)[] = []
    const pauses = new NatsPauses(limited, namespace)
    await pauses.watch({ changed: scope => paused.push(scope), ended: () => paused.push('ended') })
    await new NatsPauses(admin, namespace).set('order', { at: 7 })
    await until(() => paused.length > 0)

    await heartbeats.beat()
    const lease = (await leases.acquire(3))!
    await leases.release(await leases.renew(lease))
    await heartbeats.leave()
    const hinted: string[] = []
    await new NatsHints(limited, namespace).listen(({ target }) => hinted.push(target.id))
    await new NatsBeats(limited, namespace).listen(3, { beat: () => {}, malformed: () => {} })
    new NatsHints(limited, namespace).send({ target: address, isForced: false })
    await until(() => hinted.length > 0)
    await until(() => left.length > 0 && released.length > 0)
    await inbox.publish(sampleEnvelope(addressIn(3, namespace.partitions), 1))
    await inbox.open(3, 1, first)
    await inbox.open(3, 2, second)
    await second.count(1)
    const parking = new NatsParking(limited, namespace)
    const parkedAddress = addressIn(3, namespace.partitions)
    await parking.park(parkedAddress, second.messages, 0)
    const parked = await parking.read(parkedAddress, 0, 10)
    const parkedOf = await parking.instances(3)
    parked[0]!.ack()
    await until(async () => (await parking.last(parkedAddress)) === undefined)
    await second.messages[0]!.deadLetter('EVENT_INVALID', 'because')
    const { inboxStream } = namespace.subjects
    await until(async () => (await admin.jsm.streams.info(inboxStream)).state.messages === 0)
    const tasks = new NatsTasks(limited, namespace)
    await tasks.post(taskOf('charge', 1))
    await tasks.recall(taskOf('charge', 1))
    await new NatsEventSink(limited, namespace).emit(address, 'e-1', { type: 'SHIPPED' })
    await new NatsBlobs(limited, namespace).put({ owner: address, name: 'n' }, Uint8Array.of(1))
    await store.commit(sampleRecord(address), sampleSummary(), 0)
    const scanned: string[] = []
    const all = Array.from({ length: namespace.partitions }, (_, n) => n)
    for await (const row of store.scanOwing(all)) scanned.push(row.address.id)
    for await (const row of store.scanOwing(all.slice(0, 3))) scanned.push(row.address.id)

    expect([alive, left, released, paused]).toEqual([['a'], ['a'], [3], ['order']])
    expect(asked).toEqual(sampleReport())
    expect([parked.length, parkedOf]).toEqual([1, [parkedAddress]])
    await expect(claimName(limited, namespace, node)).rejects.toMatchObject({ code: 'NODE_NAME_TAKEN' })
    expect(await store.load(address)).toMatchObject({ record: { id: 'o-1' } })
    const nearby = new NatsStore(limited, namespace, { hasOneCopy: true })
    expect(await nearby.load(address)).toMatchObject({ record: { id: 'o-1' } })
    expect(scanned).toContain('o-1')
    const dead = await admin.jsm.streams.info(namespace.subjects.deadLetterStream)
    expect(dead.state.messages).toBe(1)
  })

  it('that are missing to create a namespace are named', async () => {
    const server = await serverWithUsers({ publish: { deny: ['$JS.API.STREAM.CREATE.>'] } })
    const connection = await testConnection(urlOf(server, 'limited'))

    const provisioning = provision(connection, { namespace: 'prod' })

    await expect(provisioning).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      fields: { subject: '$JS.API.STREAM.CREATE.KV_hf_prod_config' },
    })
    await expect(provisioning).rejects.toThrow("'$JS.API.STREAM.CREATE.KV_hf_prod_config'")
  })

  it('that are missing to write, read, send, watch or answer are named', async () => {
    const { limited } = await limitedTo({
      publish: { allow: ['$JS.API.DIRECT.GET.KV_hf_prod_config.>'] },
      subscribe: { allow: ['_INBOX.*', '_INBOX.*.*'], deny: ['hf.>'] },
    })
    const namespace = await openNamespace(limited, 'prod')
    const store = new NatsStore(limited, namespace)
    const snapshots = new NatsSnapshots(limited, namespace)
    const inbox = new NatsInbox(limited, namespace)
    const denied = (subject: unknown) => ({ code: 'PERMISSION_DENIED', fields: { subject } })

    await expect(store.commit(sampleRecord(address), sampleSummary(), 0)).rejects.toMatchObject(
      denied(expect.stringContaining('$KV.hf_prod_instances.')),
    )
    await expect(store.load(address)).rejects.toMatchObject(
      denied('$JS.API.STREAM.MSG.GET.KV_hf_prod_instances'),
    )
    await expect(snapshots.get(address)).rejects.toMatchObject(
      denied(expect.stringContaining('$JS.API.DIRECT.GET.KV_hf_prod_instances.')),
    )
    await expect(inbox.publish(sampleEnvelope(address))).rejects.toMatchObject(
      denied(expect.stringContaining('hf.prod.in.')),
    )
    await expect(inbox.open(3, 1, new HeardMessages())).rejects.toMatchObject(
      denied('$JS.API.CONSUMER.NAMES.hf_prod_inbox'),
    )
  })

  it('that are missing to hear other nodes, or to answer for a name, are named', async () => {
    const { limited } = await limitedTo({ ...nodePermissions, subscribe: { allow: ['_INBOX.>'] } })
    const namespace = await provision(limited, { namespace: 'prod' })
    const node = { name: 'a', incarnation: '1' }
    const silent = { alive: () => {}, left: () => {} }
    const denied = (subject: string) => ({
      code: 'PERMISSION_DENIED',
      fields: { operation: 'subscribe to', subject },
    })

    await expect(claimName(limited, namespace, node)).rejects.toMatchObject(denied('hf.prod.node.a'))
    await expect(new NatsHeartbeats(limited, namespace, node).listen(silent)).rejects.toMatchObject(
      denied('$KV.hf_prod_leases.node.*'),
    )
    await expect(new NatsHints(limited, namespace).listen(() => {})).rejects.toMatchObject(
      denied('hf.prod.hint.>'),
    )
    const ear = { beat: () => {}, malformed: () => {} }
    await expect(new NatsBeats(limited, namespace).listen(3, ear)).rejects.toMatchObject(
      denied('hf.prod.beat.*.3.>'),
    )
  })

  it('that are missing to watch end the watch', async () => {
    const { limited } = await limitedTo({
      publish: clientPermissions.publish as object,
      subscribe: { allow: ['_INBOX.>'] },
    })
    const namespace = await openNamespace(limited, 'prod')
    const heard = new HeardRecords()

    const watching = new NatsSnapshots(limited, namespace).watch(address, heard).then(() => heard.end())

    await expect(watching.catch((error: unknown) => error)).resolves.toMatchObject({
      code: 'PERMISSION_DENIED',
      fields: { operation: 'subscribe to', subject: expect.stringContaining('hf.prod.snap.') },
    })
  })
})
