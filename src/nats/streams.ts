import { DiscardPolicy, RetentionPolicy, StorageType } from 'nats'
import type { JetStreamManager, StreamConfig } from 'nats'
import { RuntimeError } from '../../actors/errors.ts'
import { apiErrorOf, apiErrors, translate } from './errors.ts'
import { isAtLeast } from './server-version.ts'
import type { Subjects } from './subjects.ts'

/** A stream as we want it. */
export type NeededStream = Partial<StreamConfig> &
  Pick<StreamConfig, 'name' | 'subjects'> & {
    /** Newer than the library's types. */
    readonly allow_atomic?: boolean
  }

const historyLength = 10
const dedupMs = 2 * 60_000
/** From here on an atomic batch is one on a single server too; before, some of it could be lost. */
const atomicFrom = [
  [2, 12, 12],
  [2, 14, 3],
  [2, 15, 0],
] as const
const dayMs = 86_400_000
const nanosPerMs = 1e6

/**
 * What a namespace consists of. Nothing is compressed: a replica that was killed cuts its stream back when it starts again,
 * and nats-server 2.15.1 cannot do that to compressed blocks ("smb.truncate: error reading compression reader"). The
 * stream then stays without that replica, and without a leader once it has happened to two.
 */
export function streamsOf(
  subjects: Subjects,
  leaseTtlMs: number,
  serverVersion: string,
): Readonly<
  Record<
    'blobs' | 'config' | 'deadLetters' | 'events' | 'inbox' | 'leases' | 'parked' | 'records' | 'tasks',
    NeededStream
  >
> {
  // What the clients of all languages take for a key-value bucket.
  const bucket = {
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
    discard: DiscardPolicy.New,
    storage: StorageType.File,
  }
  const atomic = { ...(hasAtomicBatches(serverVersion) && { allow_atomic: true }) }
  const log = {
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    duplicate_window: dedupMs * nanosPerMs,
  }
  return {
    config: {
      ...bucket,
      name: subjects.configStream,
      subjects: [subjects.allSettings],
      max_msgs_per_subject: 1,
    },
    records: {
      ...bucket,
      ...atomic,
      name: subjects.recordStream,
      subjects: [subjects.allRecords],
      max_msgs_per_subject: historyLength,
      republish: { src: subjects.allRecords, dest: subjects.allSnapshots },
    },
    blobs: {
      ...bucket,
      name: subjects.blobStream,
      subjects: [subjects.allBlobs],
      max_msgs_per_subject: 1,
    },
    leases: {
      ...bucket,
      name: subjects.leaseStream,
      subjects: [subjects.allLeases],
      max_msgs_per_subject: 1,
      max_age: leaseTtlMs * nanosPerMs,
      duplicate_window: Math.min(leaseTtlMs, dedupMs) * nanosPerMs,
    },
    inbox: {
      ...atomic,
      name: subjects.inboxStream,
      subjects: [subjects.allEnvelopes],
      // Should someone limit its size: a sender that hears of it is better than an envelope that silently goes.
      discard: DiscardPolicy.New,
      duplicate_window: dedupMs * nanosPerMs,
      // No work queue: that writes and syncs a mark for each message that is acknowledged. See inbox-term.ts.
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
    },
    tasks: {
      ...atomic,
      name: subjects.taskStream,
      subjects: [subjects.allTasks],
      discard: DiscardPolicy.New,
      duplicate_window: dedupMs * nanosPerMs,
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.File,
    },
    // Nothing of it expires, and nothing is taken for a repetition: it is known by its place in the inbox.
    parked: {
      ...atomic,
      name: subjects.parkedStream,
      subjects: [subjects.allParked],
      discard: DiscardPolicy.New,
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
    },
    events: {
      ...log,
      name: subjects.eventStream,
      subjects: [subjects.allEvents],
      max_age: 7 * dayMs * nanosPerMs,
    },
    deadLetters: {
      ...log,
      name: subjects.deadLetterStream,
      subjects: [subjects.allDeadLetters],
      max_age: 30 * dayMs * nanosPerMs,
    },
  }
}

/** True when the server takes atomic batches and keeps them whole. */
export function hasAtomicBatches(serverVersion: string): boolean {
  const [, minor] = serverVersion.split('.').map(Number)
  const line = atomicFrom.find(version => version[1] === minor) ?? atomicFrom.at(-1)!
  return isAtLeast(serverVersion, line)
}

/** True when the stream takes atomic batches: older servers ignore the wish, so what they answered is looked at. */
export function takesBatches(stream: StreamConfig): boolean {
  return (stream as { readonly allow_atomic?: boolean }).allow_atomic === true
}

/** Fields that must be as we want them: the rest is the operator's to change. */
const essential = [
  'allow_direct',
  'discard',
  'republish',
  'retention',
  'storage',
  'subjects',
] as const satisfies readonly (keyof StreamConfig)[]

/**
 * Creates the stream unless it exists, and answers how it is configured.
 *
 * @throws RuntimeError `OPTIONS_INVALID` when it exists and cannot serve, or the server cannot have it so
 */
export async function ensureStream(jsm: JetStreamManager, wanted: NeededStream): Promise<StreamConfig> {
  try {
    const found = (await findStream(jsm, wanted.name)) ?? (await createStream(jsm, wanted))
    requireServing(found, wanted)
    return found
  } catch (error) {
    const subject = wanted.subjects.join(', ')
    throw refused(error, wanted) ?? translate(error, { what: `create stream '${wanted.name}'`, subject })
  }
}

/** Looks before it creates, so that a user who may create nothing can run what an operator has prepared. */
async function findStream(jsm: JetStreamManager, name: string): Promise<StreamConfig | undefined> {
  try {
    return (await jsm.streams.info(name)).config
  } catch (error) {
    if (apiErrorOf(error) === apiErrors.streamNotFound) return undefined
    throw error
  }
}

async function createStream(jsm: JetStreamManager, wanted: NeededStream): Promise<StreamConfig> {
  try {
    return (await jsm.streams.add(wanted)).config
  } catch (error) {
    // Another node of another version created it a moment ago.
    if (apiErrorOf(error) === apiErrors.streamNameInUse) return (await jsm.streams.info(wanted.name)).config
    throw error
  }
}

function requireServing(found: StreamConfig, wanted: NeededStream): void {
  const differences = essential
    .filter(field => field in wanted && !isSame(found[field], wanted[field]))
    .map(field => `${field} is ${JSON.stringify(found[field])} instead of ${JSON.stringify(wanted[field])}`)
  if (wanted.max_age !== undefined && found.max_age === 0) differences.push('max_age is unlimited')
  if (differences.length === 0) return
  throw new RuntimeError(
    'OPTIONS_INVALID',
    `stream '${wanted.name}' exists and cannot serve: ${differences.join('; ')}. Use another namespace, or correct ` +
      'the stream',
    { fields: { differences, stream: wanted.name } },
  )
}

function isSame(found: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return found === wanted
  if (typeof found !== 'object' || found === null) return false
  const values = found as Readonly<Record<string, unknown>>
  return Object.entries(wanted).every(([key, value]) => isSame(values[key], value))
}

/** Refusals that other options would cure. */
function refused(error: unknown, wanted: NeededStream): RuntimeError | undefined {
  const number = apiErrorOf(error)
  const because = (reason: string, field: string) =>
    new RuntimeError('OPTIONS_INVALID', `cannot create stream '${wanted.name}': ${reason}`, {
      cause: error,
      fields: { field, stream: wanted.name },
    })
  if (number === apiErrors.subjectsOverlap) {
    return because(`another stream takes ${wanted.subjects.join(', ')}; use another namespace`, 'namespace')
  }
  if (number === apiErrors.replicasUnavailable || number === apiErrors.noSuitablePeers) {
    return because(
      `this NATS cannot keep ${wanted.num_replicas} replicas; ask for as many as it has servers, at most`,
      'replicas',
    )
  }
  return undefined
}
