/**
 * Creates what a namespace needs in NATS, and finds it again.
 *
 * Every part may exist already, made by a node that started at the same moment or years ago: the first one decides,
 * later ones adopt what they find. Only what correctness rests on is compared; limits, replicas and the like are
 * the operator's to change. What was asked for is read back, because servers ignore fields they do not know.
 */
import { RuntimeError } from '../../actors/errors.ts'
import { RECORD_FORMAT } from '../../actors/record.ts'
import { claimSettings, readSettings, type NamespaceSettings } from './config.ts'
import type { NatsConnection } from './connection.ts'
import { ensureStream, streamsOf, takesBatches, type NeededStream } from './streams.ts'
import { subjectsOf, type Subjects } from './subjects.ts'

/** Fixed when a namespace is created, unless asked for otherwise. */
export const DEFAULT_PARTITIONS = 32

const mostPartitions = 512
/** Creating a stream in a cluster takes an election. */
const createTimeoutMs = 10_000

/** A namespace as it stands in NATS. */
export interface Namespace {
  readonly name: string
  readonly partitions: number
  readonly subjects: Subjects
}

/** A namespace as its nodes know it. */
export interface ProvisionedNamespace extends Namespace {
  /** How long a lease lasts after its last renewal. */
  readonly leaseTtlMs: number
  /** Whether there is but one copy of the records: then whoever answers has the newest. */
  readonly hasOneCopy: boolean
  /** Whether records, envelopes, parked ones too, and tasks may be stored in atomic batches. */
  readonly takesBatches: boolean
}

export interface ProvisionOptions {
  /** Used when the namespace is created: 500 ms to an hour; later nodes use what it was created with. Default 10 s. */
  readonly leaseTtlMs?: number | undefined
  readonly namespace: string
  /** 1 to 512; fixed once the namespace exists. Default: what it was created with, else 32. */
  readonly partitions?: number | undefined
  /** Copies of every stream that is created: 1, 3 or 5. Default 1. */
  readonly replicas?: number | undefined
}

const defaults = Object.freeze({ leaseTtlMs: 10_000, replicas: 1 })

/**
 * Creates what is missing of the namespace and answers what is there.
 *
 * @throws RuntimeError `OPTIONS_INVALID` when a value is out of range, or a stream of that name exists and is not
 * ours; `PARTITION_COUNT_MISMATCH`; `RECORD_FORMAT_UNSUPPORTED`; `PERMISSION_DENIED` naming the subject;
 * `JETSTREAM_DISABLED`; `STORE_UNAVAILABLE`
 */
export async function provision(
  connection: NatsConnection,
  options: ProvisionOptions,
): Promise<ProvisionedNamespace> {
  const { leaseTtlMs = defaults.leaseTtlMs, replicas = defaults.replicas } = options
  check('leaseTtlMs', leaseTtlMs, 500, 3_600_000)
  check('partitions', options.partitions ?? DEFAULT_PARTITIONS, 1, mostPartitions)
  check('replicas', replicas, 1, 5)
  const subjects = subjectsOf(options.namespace)
  const jsm = await connection.nc.jetstreamManager({ checkAPI: false, timeout: createTimeoutMs })
  const streams = streamsOf(subjects, leaseTtlMs, connection.serverVersion)
  const create = (stream: NeededStream) => ensureStream(jsm, { ...stream, num_replicas: replicas })
  // The settings first: a node with the wrong partition count must change nothing else.
  await create(streams.config)
  const settings = await claimSettings(connection, subjects, {
    partitions: options.partitions ?? DEFAULT_PARTITIONS,
    recordFormat: RECORD_FORMAT,
  })
  requirePartitions(settings, options)
  requireFormat(settings, options.namespace)
  const [leases, records, inbox, parked, tasks] = await Promise.all([
    create(streams.leases),
    create(streams.records),
    create(streams.inbox),
    create(streams.parked),
    create(streams.tasks),
    create(streams.blobs),
    create(streams.events),
    create(streams.deadLetters),
  ])
  const { partitions } = settings
  return {
    name: options.namespace,
    partitions,
    leaseTtlMs: leases.max_age / 1e6,
    hasOneCopy: records.num_replicas === 1,
    subjects,
    takesBatches: [records, inbox, parked, tasks].every(takesBatches),
  }
}

/**
 * Finds a namespace that a node has created.
 *
 * @throws RuntimeError `NAMESPACE_NOT_FOUND`; `OPTIONS_INVALID` for a name that is none;
 * `RECORD_FORMAT_UNSUPPORTED`; `PERMISSION_DENIED`; `STORE_UNAVAILABLE`
 */
export async function openNamespace(connection: NatsConnection, namespace: string): Promise<Namespace> {
  const subjects = subjectsOf(namespace)
  const settings = await readSettings(connection, subjects, 'nearby')
  if (settings === undefined) {
    throw new RuntimeError(
      'NAMESPACE_NOT_FOUND',
      `there is no namespace '${namespace}' at this NATS; start a node of it, which creates it, or check the name`,
      { fields: { namespace } },
    )
  }
  requireFormat(settings, namespace)
  return { name: namespace, partitions: settings.partitions, subjects }
}

function check(field: string, value: number, lowest: number, highest: number): void {
  if (Number.isSafeInteger(value) && value >= lowest && value <= highest) return
  throw new RuntimeError(
    'OPTIONS_INVALID',
    `${field} must be a whole number from ${lowest} to ${highest}; got ${value}`,
    { fields: { field, highest, lowest, value } },
  )
}

function requirePartitions(settings: NamespaceSettings, { namespace, partitions }: ProvisionOptions): void {
  if (partitions === undefined || partitions === settings.partitions) return
  throw new RuntimeError(
    'PARTITION_COUNT_MISMATCH',
    `namespace '${namespace}' was created with ${settings.partitions} partitions, and that is fixed; this node ` +
      `asks for ${partitions}. Ask for ${settings.partitions} or leave it out, or use another namespace`,
    { fields: { asked: partitions, namespace, stored: settings.partitions } },
  )
}

function requireFormat(settings: NamespaceSettings, namespace: string): void {
  if (settings.recordFormat <= RECORD_FORMAT) return
  throw new RuntimeError(
    'RECORD_FORMAT_UNSUPPORTED',
    `the records of namespace '${namespace}' have format ${settings.recordFormat}; this version reads up to ` +
      `${RECORD_FORMAT}. Update it`,
    { fields: { format: settings.recordFormat, namespace, newest: RECORD_FORMAT } },
  )
}
