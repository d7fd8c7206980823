/**
 * Tasks as bytes: what a worker in any language needs to do one attempt of an activity and to tell how it ended. JSON
 * where the activity was made with `format: 'json'`, else msgpack; JSON begins with `{` as in envelope.ts. Fields:
 *
 * | field          | what it is                                                                        |
 * | -------------- | --------------------------------------------------------------------------------- |
 * | activity       | the name of the activity                                                          |
 * | input          | its input; absent in JSON when there is none                                      |
 * | attempt        | a whole number from 1                                                             |
 * | idempotencyKey | a string, the same for all attempts: hand it to foreign systems                   |
 * | lastHeartbeat  | the details of the last heartbeat of an earlier attempt; absent when there are none |
 * | heartbeatTimeoutMs | how long to go without a heartbeat at most, once the work has begun; absent: for ever |
 * | reply          | an object: `subject`, and `envelope`, a settle envelope that lacks `time` and `outcome`; `heartbeat`, a subject |
 *
 * The answer is `reply.envelope` with `time` (milliseconds since the epoch) and `outcome` added, as JSON or msgpack,
 * published on `reply.subject` with `reply.envelope.id` as `Nats-Msg-Id`. An outcome is
 * `{ "status": "done", "output": … }` or `{ "status": "error", "error": … }`; of an error that is an object, `name` and
 * `code` decide whether it is retried. Acknowledge the task when the answer is stored.
 *
 * A heartbeat is what is published, without waiting, on `reply.heartbeat`: nothing or `{}`, or `{ "details": … }`, which the
 * next attempt finds in `lastHeartbeat`, as JSON or msgpack. Once a second is often enough: of what comes in between, only
 * the newest details are stored. `{ "isBeginning": true }` is no heartbeat, but says that the work has begun, which the
 * first heartbeat says, too; from then on it must not go without one for longer than `heartbeatTimeoutMs`. It may be
 * lost, so it is said again with each renewal. The answer may have the newest `details`, for an error. A task that is given
 * out again is the same as before: how far its last worker came is in the record of the instance.
 */
import type { SettleEnvelope } from '../../actors/envelope.ts'
import { RuntimeError } from '../../actors/errors.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import type { ReceivedTask } from '../../actors/ports.ts'
import type { ActorPath } from '../../actors/address.ts'
import type { Beat, Task } from '../../actors/remote-activity.ts'
import { decodeEnvelope } from './envelope.ts'
import { decodeValue, encodeValue } from './msgpack.ts'
import { checkFields, flag, nullable, object, text, textOf, whole } from './shape.ts'
import type { Field } from './shape.ts'

const malformed = 'VALUE_MALFORMED'

const taskShape: readonly Field[] = [
  textOf('activity', 1, 256),
  whole('attempt', 1),
  text('idempotencyKey'),
  object('reply'),
  nullable(whole('heartbeatTimeoutMs', 1)),
]

const replyShape: readonly Field[] = [
  textOf('subject', 1, 4096),
  object('envelope'),
  nullable(textOf('heartbeat', 1, 4096)),
]

const beatShape: readonly Field[] = [nullable(flag('isBeginning'))]

/** A task as it was read, with what answers it. */
export interface DecodedTask {
  readonly task: ReceivedTask
  /** Where the answer goes. */
  readonly subject: string
  /** The answer, at that time. */
  readonly answer: (outcome: LeafOutcome, time: number, details?: unknown) => SettleEnvelope
  /** Where heartbeats go; undefined when a node of an older build has asked. */
  readonly heartbeat: string | undefined
  /** Where the answer goes within the instance. */
  readonly path: ActorPath
}

/** Where a worker answers. */
export interface TaskReply {
  /** Of envelopes for the instance. */
  readonly subject: string
  /** Of heartbeats for the task. */
  readonly heartbeat: string
}

/**
 * Bytes of a task.
 *
 * @throws RuntimeError `VALUE_UNSUPPORTED` when the input cannot be written
 */
export function encodeTask(task: Task, { heartbeat, subject }: TaskReply): Uint8Array {
  const { activity, attempt, effectId, format, idempotencyKey, incarnation, input, instance, path } = task
  const { lastHeartbeat, silenceMs } = task
  const id = `${effectId}.settled`
  const envelope = { id, type: 'settle', target: instance, path, incarnation, attempt }
  const fields = {
    activity,
    attempt,
    idempotencyKey,
    input,
    ...(lastHeartbeat !== undefined && { lastHeartbeat }),
    ...(silenceMs !== undefined && { heartbeatTimeoutMs: silenceMs }),
    reply: { subject, heartbeat, envelope },
  }
  return format === 'json' ? encodeJson(fields, activity) : encodeValue(fields)
}

/**
 * The task in the bytes.
 *
 * @throws RuntimeError `VALUE_MALFORMED`, `ENVELOPE_MALFORMED` naming the field and what it may be
 */
export function decodeTask(bytes: Uint8Array): DecodedTask {
  const fields = checkFields(malformed, '', read(bytes, 'task'), taskShape)
  const reply = checkFields(malformed, 'reply', fields['reply'], replyShape)
  const base = checkBase(reply['envelope'] as object)
  const { incarnation, path, target } = base
  const task = {
    activity: fields['activity'] as string,
    attempt: fields['attempt'] as number,
    idempotencyKey: fields['idempotencyKey'] as string,
    incarnation,
    input: fields['input'],
    instance: target,
    lastHeartbeat: fields['lastHeartbeat'],
    silenceMs: (fields['heartbeatTimeoutMs'] ?? undefined) as number | undefined,
  }
  const answer = (outcome: LeafOutcome, time: number, details?: unknown) => ({
    ...base,
    ...(details !== undefined && { details }),
    outcome,
    time,
  })
  const heartbeat = (reply['heartbeat'] ?? undefined) as string | undefined
  return { task, subject: reply['subject'] as string, answer, heartbeat, path }
}

/** What a worker says of a task, besides which it is. */
type SaidBeat = Pick<Beat, 'details' | 'isBeginning'>

const nothing = new Uint8Array()

/**
 * Bytes of a heartbeat.
 *
 * @throws RuntimeError `VALUE_UNSUPPORTED` naming the path to what cannot be sent
 */
export function encodeBeat({ details, isBeginning }: SaidBeat): Uint8Array {
  if (isBeginning) return encodeValue({ isBeginning })
  return details === undefined ? nothing : encodeValue({ details })
}

/**
 * The heartbeat in the bytes.
 *
 * @throws RuntimeError `VALUE_MALFORMED` naming the field and what it may be
 */
export function decodeBeat(bytes: Uint8Array): SaidBeat {
  if (bytes.length === 0) return { details: undefined, isBeginning: false }
  const { details, isBeginning } = checkFields(malformed, '', read(bytes, 'heartbeat'), beatShape)
  return { details: details ?? undefined, isBeginning: isBeginning === true }
}

const OPENING_BRACE = 0x7b

function read(bytes: Uint8Array, what: 'heartbeat' | 'task'): unknown {
  if (bytes[0] !== OPENING_BRACE) return decodeValue(bytes)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new RuntimeError(malformed, `the ${what} cannot be read as JSON: ${(error as Error).message}`, {
      cause: error,
      fields: { sizeBytes: bytes.length },
    })
  }
}

/** An envelope is complete with any time and outcome: then it can be checked like every other. */
function checkBase(content: object): SettleEnvelope {
  const envelope = decodeEnvelope(encodeValue({ ...content, outcome: { status: 'done' }, time: 0 }))
  if (envelope.type === 'settle') return envelope
  const message = `reply.envelope.type must be 'settle'; got '${envelope.type}'`
  throw new RuntimeError(malformed, message, { fields: { field: 'reply.envelope.type' } })
}

function encodeJson(fields: object, activity: string): Uint8Array {
  try {
    return new TextEncoder().encode(JSON.stringify(fields))
  } catch (error) {
    const message = `the input or the last heartbeat of activity '${activity}' cannot be written as JSON: ${(error as Error).message}`
    throw new RuntimeError('VALUE_UNSUPPORTED', message, { cause: error, fields: { field: 'input' } })
  }
}
