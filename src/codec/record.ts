/**
 * Records as bytes: a msgpack array of two, the format and the record as a map.
 *
 * What is empty is left out (timers, activities, outbox, recent, sources): most records have little of it, and
 * writing it took as long as all the rest.
 *
 * The format stands in the second byte, so that a record of a newer build is recognised before anything in it
 * has to be understood, and refused rather than overwritten. Every format ever written can be read: `upgrades`
 * brings an older one to the newest, one step after the other.
 */
import { RuntimeError } from '../../actors/errors.ts'
import { RECORD_FORMAT } from '../../actors/record.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { decodeValue, encodeValue } from './msgpack.ts'
import { checkRecord } from './record-shape.ts'
import { isObject, misshapen } from './shape.ts'

/** Turns the content of one format into that of the next. */
type Upgrade = (content: unknown) => unknown

/** At index n - 1 what turns format n into format n + 1. Format 1 is the first. */
const upgrades: readonly Upgrade[] = []

/**
 * Bytes of a record in the newest format.
 *
 * @throws RuntimeError `VALUE_UNSUPPORTED` naming the path to what cannot be stored, such as
 * `snapshot.context.items[3].callback`; an activity in it is named by its own path: `activities.charge.input.done`
 */
export function encodeRecord(record: InstanceRecord): Uint8Array {
  try {
    return encodeValue([RECORD_FORMAT, contentOf(record)])
  } catch (error) {
    // fails again, with a path that begins at the record
    encodeValue({ ...record, activities: Object.fromEntries(record.activities.map(one => [one.path, one])) })
    throw error
  }
}

/**
 * The record in the bytes, brought to the newest format.
 *
 * @throws RuntimeError `RECORD_FORMAT_UNSUPPORTED` (fields `found`, `supported`) when a newer build wrote it;
 * `RECORD_MALFORMED` naming the field when it cannot be read or is not of the right shape
 */
export function decodeRecord(bytes: Uint8Array): InstanceRecord {
  refuseNewer(formatAhead(bytes))
  const pair = decode(bytes)
  if (!Array.isArray(pair) || !Number.isSafeInteger(pair[0]) || pair[0] < 1) {
    throw misshapen('RECORD_MALFORMED', 'the record', 'an array that begins with a format number', pair)
  }
  const [format, content] = pair as [number, unknown]
  refuseNewer(format)
  return checkRecord(
    withEmpty(upgrades.slice(format - 1).reduce((older, upgrade) => upgrade(older), content)),
  )
}

/** The record without what is empty, in the order of its fields. */
function contentOf(record: InstanceRecord): Readonly<Record<string, unknown>> {
  const { workflow, id, version, status, createdAt, updatedAt, inputDigest, snapshot } = record
  const content: Record<string, unknown> = {
    workflow,
    id,
    version,
    status,
    createdAt,
    updatedAt,
    inputDigest,
    snapshot,
  }
  if (record.timers.length > 0) content['timers'] = record.timers
  if (record.activities.length > 0) content['activities'] = record.activities
  if (record.outbox.length > 0) content['outbox'] = record.outbox
  content['cursor'] = record.cursor
  if (record.recent.length > 0) content['recent'] = record.recent
  for (const _ in record.sources) {
    content['sources'] = record.sources
    break
  }
  if (record.control !== undefined) content['control'] = record.control
  if (record.stopReason !== undefined) content['stopReason'] = record.stopReason
  if (record.cancellation !== undefined) content['cancellation'] = record.cancellation
  if (record.incident !== undefined) content['incident'] = record.incident
  if (record.parent !== undefined) content['parent'] = record.parent
  content['counter'] = record.counter
  return content
}

/** The content with what was left out for being empty. */
function withEmpty(content: unknown): unknown {
  if (!isObject(content)) return content
  return { timers: [], activities: [], outbox: [], recent: [], sources: {}, ...content }
}

/** The format, when the bytes begin as every build writes them: a short array, then a small int. */
function formatAhead(bytes: Uint8Array): number {
  const [head = 0, format = 0] = bytes
  return (head & 0xf0) === 0x90 && format < 0x80 ? format : 0
}

function refuseNewer(found: number): void {
  if (found <= RECORD_FORMAT) return
  throw new RuntimeError(
    'RECORD_FORMAT_UNSUPPORTED',
    `the record has format ${found}, this build reads up to ${RECORD_FORMAT}: upgrade this node`,
    { fields: { found, supported: RECORD_FORMAT } },
  )
}

function decode(bytes: Uint8Array): unknown {
  try {
    return decodeValue(bytes)
  } catch (error) {
    throw new RuntimeError('RECORD_MALFORMED', `the record cannot be read: ${(error as Error).message}`, {
      cause: error,
      fields: { sizeBytes: bytes.length },
    })
  }
}
