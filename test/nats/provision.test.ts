import { describe, expect, it } from 'vitest'
import { RetentionPolicy, type StreamConfig } from 'nats'
import { RECORD_FORMAT } from '../../actors/record.ts'
import { listWorkflows, registerWorkflow } from '../../src/nats/config.ts'
import { openNamespace, provision } from '../../src/nats/provision.ts'
import { subjectsOf } from '../../src/nats/subjects.ts'
import { testConnection } from '../contract/fixtures.ts'
import { freshNamespace } from '../support/nats.ts'

const dayNs = 86_400e9

describe('provision', () => {
  it('creates everything a namespace needs, as documented', async () => {
    const connection = await testConnection()
    const namespace = freshNamespace()

    await provision(connection, { namespace, leaseTtlMs: 2_000 })

    const config = async (name: string): Promise<StreamConfig> =>
      (await connection.jsm.streams.info(name)).config
    const bucket = { allow_direct: true, deny_delete: true, discard: 'new', storage: 'file', num_replicas: 1 }
    expect(await config(`KV_hf_${namespace}_instances`)).toMatchObject({
      ...bucket,
      allow_rollup_hdrs: true,
      max_msgs_per_subject: 10,
      republish: { src: `$KV.hf_${namespace}_instances.>`, dest: `hf.${namespace}.snap.>` },
      subjects: [`$KV.hf_${namespace}_instances.>`],
    })
    expect(await config(`KV_hf_${namespace}_leases`)).toMatchObject({
      ...bucket,
      max_age: 2e9,
      max_msgs_per_subject: 1,
    })
    expect(await config(`KV_hf_${namespace}_config`)).toMatchObject({ ...bucket, max_msgs_per_subject: 1 })
    expect(await config(`KV_hf_${namespace}_blobs`)).toMatchObject({
      ...bucket,
      max_msgs_per_subject: 1,
      subjects: [`$KV.hf_${namespace}_blobs.>`],
    })
    expect(await config(`hf_${namespace}_inbox`)).toMatchObject({
      duplicate_window: 120e9,
      retention: 'limits',
      storage: 'file',
      subjects: [`hf.${namespace}.in.>`],
    })
    expect(await config(`hf_${namespace}_parked`)).toMatchObject({
      max_age: 0,
      retention: 'limits',
      storage: 'file',
      subjects: [`hf.${namespace}.parked.>`],
    })
    expect(await config(`hf_${namespace}_events`)).toMatchObject({ max_age: 7 * dayNs, retention: 'limits' })
    expect(await config(`hf_${namespace}_dead`)).toMatchObject({ max_age: 30 * dayNs, retention: 'limits' })
    for (const name of ['KV_hf_$_instances', 'KV_hf_$_blobs', 'hf_$_inbox']) {
      expect((await config(name.replace('$', namespace))).compression ?? 'none').toBe('none')
    }
  })

  it('works twice, and keeps what is there', async () => {
    const connection = await testConnection()
    const namespace = freshNamespace()
    const first = await provision(connection, { namespace, partitions: 7, leaseTtlMs: 2_000 })
    await registerWorkflow(connection, first.subjects, 'order', { version: 3 })

    const second = await provision(connection, { namespace, leaseTtlMs: 9_000 })

    expect(second).toMatchObject({ name: namespace, partitions: 7, leaseTtlMs: 2_000 })
    expect(await listWorkflows(connection, second.subjects)).toEqual([{ name: 'order', version: 3 }])
  })

  it('works from several processes at the same time, which agree on the partitions', async () => {
    const connections = await Promise.all(Array.from({ length: 4 }, () => testConnection()))
    const namespace = freshNamespace()

    const outcomes = await Promise.allSettled(
      connections.map((connection, n) => provision(connection, { namespace, partitions: 10 + n })),
    )

    const stored = (await openNamespace(connections[0]!, namespace)).partitions
    const counts = outcomes.map(outcome =>
      outcome.status === 'fulfilled' ? outcome.value.partitions : 'refused',
    )
    expect(counts).toEqual([10, 11, 12, 13].map(asked => (asked === stored ? stored : 'refused')))
    const refusals = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason] : []))
    for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'PARTITION_COUNT_MISMATCH' })
  })

  it('refuses another partition count than the namespace has, and creates nothing', async () => {
    const connection = await testConnection()
    const namespace = freshNamespace()
    const { subjects } = await provision(connection, { namespace, partitions: 8 })
    await connection.jsm.streams.delete(subjects.eventStream)

    const other = provision(connection, { namespace, partitions: 16 })

    await expect(other).rejects.toMatchObject({
      code: 'PARTITION_COUNT_MISMATCH',
      fields: { asked: 16, stored: 8 },
    })
    await expect(other).rejects.toThrow(/created with 8 partitions.*asks for 16/)
    await expect(connection.jsm.streams.info(subjects.eventStream)).rejects.toThrow('stream not found')
  })

  it('creates 32 partitions unless told otherwise', async () => {
    const connection = await testConnection()

    expect((await provision(connection, { namespace: freshNamespace() })).partitions).toBe(32)
  })

  it('refuses a namespace whose records are of a newer format', async () => {
    const connection = await testConnection()
    const namespace = freshNamespace()
    const { subjects } = await provision(connection, { namespace })
    const settings = JSON.stringify({ partitions: 32, recordFormat: RECORD_FORMAT + 1 })
    await connection.publish(subjects.setting('namespace'), new TextEncoder().encode(settings))

    const refused = { code: 'RECORD_FORMAT_UNSUPPORTED' }
    await expect(provision(connection, { namespace })).rejects.toMatchObject(refused)
    await expect(openNamespace(connection, namespace)).rejects.toMatchObject(refused)
  })

  it('refuses settings that nobody can read, instead of guessing', async () => {
    const connection = await testConnection()
    const namespace = freshNamespace()
    const { subjects } = await provision(connection, { namespace })
    await connection.publish(subjects.setting('namespace'), new TextEncoder().encode('{"partitions":"many"}'))

    await expect(openNamespace(connection, namespace)).rejects.toMatchObject({ code: 'OPTIONS_INVALID' })
  })

  it('refuses a stream of that name that cannot serve, and says why', async () => {
    const connection = await testConnection()
    const namespace = freshNamespace()
    const { inboxStream, allEnvelopes } = subjectsOf(namespace)
    await connection.jsm.streams.add({
      name: inboxStream,
      subjects: [allEnvelopes],
      retention: RetentionPolicy.Workqueue,
    })

    const provisioning = provision(connection, { namespace })

    await expect(provisioning).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      fields: { stream: inboxStream },
    })
    await expect(provisioning).rejects.toThrow('retention is "workqueue" instead of "limits"')
  })

  it('refuses subjects that another stream takes', async () => {
    const connection = await testConnection()
    const namespace = freshNamespace()
    const other = `other-${namespace}`
    await connection.jsm.streams.add({ name: other, subjects: [`hf.${namespace}.>`] })

    await expect(provision(connection, { namespace })).rejects.toThrow('another stream takes')

    await connection.jsm.streams.delete(other)
  })

  it('refuses more replicas than there are servers, and says so', async () => {
    const connection = await testConnection()

    const provisioning = provision(connection, { namespace: freshNamespace(), replicas: 3 })

    await expect(provisioning).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      fields: { field: 'replicas' },
    })
  })

  it.each([
    ['partitions', { partitions: 0 }],
    ['partitions', { partitions: 513 }],
    ['partitions', { partitions: 1.5 }],
    ['leaseTtlMs', { leaseTtlMs: 499 }],
    ['replicas', { replicas: 6 }],
    ['namespace', { namespace: 'a.b' }],
  ])('refuses %s out of range: %j', async (field, options) => {
    const connection = await testConnection()

    const provisioning = provision(connection, { namespace: freshNamespace(), ...options })

    await expect(provisioning).rejects.toMatchObject({ code: 'OPTIONS_INVALID', fields: { field } })
  })
})

describe('openNamespace', () => {
  it('says that there is none of that name, and what to do', async () => {
    const connection = await testConnection()
    const namespace = freshNamespace()

    const opening = openNamespace(connection, namespace)

    await expect(opening).rejects.toMatchObject({ code: 'NAMESPACE_NOT_FOUND', fields: { namespace } })
    await expect(opening).rejects.toThrow(/start a node/)
  })
})

describe('workflows of a namespace', () => {
  it('are none at first', async () => {
    const connection = await testConnection()
    const { subjects } = await provision(connection, { namespace: freshNamespace() })

    expect(await listWorkflows(connection, subjects)).toEqual([])
  })

  it('are listed by name with the version registered last', async () => {
    const connection = await testConnection()
    const { subjects } = await provision(connection, { namespace: freshNamespace() })

    await registerWorkflow(connection, subjects, 'order', { version: 1 })
    await registerWorkflow(connection, subjects, 'invoice_2', { version: 5 })
    await registerWorkflow(connection, subjects, 'order', { version: 2 })

    expect(await listWorkflows(connection, subjects)).toEqual([
      { name: 'invoice_2', version: 5 },
      { name: 'order', version: 2 },
    ])
  })
})
