/**
 * Envelopes as bytes: a msgpack map, or JSON when the first byte is `{` (0x7b, in msgpack a whole number, so
 * no envelope begins with it), so that a foreign publisher needs nothing but JSON. Fields as in Envelope:
 *
 * | field       | of     | what it must be                                                           |
 * | ----------- | ------ | ------------------------------------------------------------------------- |
 * | id          | all    | a string of 1 to 400 characters, without half a surrogate pair; an        |
 * |             |        | instance applies the same id once                                         |
 * | type        | all    | `start`, `send`, `settle`, or one of the control envelopes: `cancel`,     |
 * |             |        | `pause`, `resume`, `retry`, `skip`, `fail`, `edit`; or of pools, below    |
 * | target      | all    | an object: `workflow` and `id`, the address                               |
 * | time        | all    | milliseconds since the epoch, by the sender's clock                       |
 * | cause       | all    | absent, or a string of up to 1,024 characters                             |
 * | source      | all    | absent, or an object: `name`, 1 to 400 characters, `position`, from 0     |
 * | event       | send   | an object with a non-empty string `type`, not `*`, `xstate.…`, `workflow.…`|
 * | input       | start  | anything                                                                  |
 * | inputDigest | start  | a string of 1 to 128 characters; computed from the input when absent      |
 * | parent      | start  | absent, or the ParentLink of a child: see child-workflow.ts               |
 * | path        | settle | a string: the actor in the parent that stands for the child               |
 * | incarnation | settle | a whole number: which invocation of it                                    |
 * | index       | settle | absent, or a whole number: which child of a bulk                          |
 * | attempt     | settle | absent, or a whole number: which attempt, when a worker tells how it ended |
 * | details     | settle | absent, or anything: of the last heartbeat, when a worker tells it failed  |
 * | outcome     | settle | an object: `status`, `done` with an `output` or `error` with an `error`   |
 * | reason      | cancel | a string of up to 1,024 characters                                        |
 * | force       | cancel | absent, or true: nothing of it goes on, whatever it would make of it      |
 * | graceMs     | cancel | absent, or a whole number up to a year: how long it may go on             |
 * | reason      | pause, | absent, or the same                                                       |
 * |             | fail   |                                                                           |
 * | revision    | edit   | a whole number from 1: of the record that the sender has seen             |
 * | value       | edit   | a string or an object: the state value                                    |
 * | context     | edit   | anything                                                                  |
 *
 * `acquire`, `release` and `grant` are what nodes send each other about pools: see pool.ts and AcquireMessage,
 * ReleaseMessage, GrantMessage.
 * `settle` is what nodes send each other about children, and what workers send: see task.ts. Nodes send `cancel`, too.
 * Control envelopes may overtake the others: their `source` is of no interest.
 * Where a field may be absent it may be null. Other fields are ignored.
 */
import { mostGraceMs } from '../../actors/cancellation.ts'
import type { ParentLink } from '../../actors/child-workflow.ts'
import type {
  AcquireMessage,
  CancelMessage,
  Envelope,
  EnvelopeBase,
  GrantMessage,
  SettleMessage,
  SourcePosition,
  StartMessage,
} from '../../actors/envelope.ts'
import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'
import { checkEvent } from '../../actors/event.ts'
import type { Address } from '../../actors/address.ts'
import type { EventObject } from '../../actors/event.ts'
import { lastPriority, mostPermits, poolWorkflow, type PermitHolder } from '../../actors/pool.ts'
import { checkInstanceId, isName, nameForm } from '../workflow/address.ts'
import { digest } from './digest.ts'
import { decodeValue, encodeValue } from './msgpack.ts'
import {
  checkFields,
  flag,
  isObject,
  moment,
  object,
  oneOf,
  nullable,
  text,
  textOf,
  whole,
  wholeOf,
} from './shape.ts'
import type { Field } from './shape.ts'

const malformed = 'ENVELOPE_MALFORMED'

const idText = textOf('id', 1, 400)

const envelopeShape: readonly Field[] = [
  {
    name: 'id',
    allowed: 'a string of 1 to 400 characters, without half a surrogate pair',
    // Two such ids would be one where they are written as UTF-8.
    matches: value => idText.matches(value) && !/\p{Surrogate}/u.test(value as string),
  },
  oneOf(
    'type',
    'start',
    'send',
    'settle',
    'cancel',
    'pause',
    'resume',
    'retry',
    'skip',
    'fail',
    'edit',
    'acquire',
    'release',
    'grant',
  ),
  object('target'),
  moment('time'),
  nullable(textOf('cause', 0, 1024)),
  nullable(object('source')),
]

const startShape: readonly Field[] = [nullable(textOf('inputDigest', 1, 128)), nullable(object('parent'))]

const parentShape: readonly Field[] = [
  object('address'),
  text('path'),
  whole('incarnation', 0),
  whole('depth', 1),
  nullable(whole('index', 0)),
]

const settleShape: readonly Field[] = [
  text('path'),
  whole('incarnation', 0),
  nullable(whole('index', 0)),
  nullable(whole('attempt', 1)),
  object('outcome'),
]

const outcomeShape: readonly Field[] = [oneOf('status', 'done', 'error')]

const reasonField = textOf('reason', 0, 1024)

const cancelShape: readonly Field[] = [
  reasonField,
  nullable(flag('force')),
  nullable({
    name: 'graceMs',
    allowed: `a whole number from 0 to ${mostGraceMs}`,
    matches: value =>
      Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= mostGraceMs,
  }),
]

const pauseShape = [nullable(reasonField)]

const editShape: readonly Field[] = [
  whole('revision', 1),
  {
    name: 'value',
    allowed: 'a string or an object',
    matches: value => typeof value === 'string' || isObject(value),
  },
]

const invocationShape: readonly Field[] = [text('path'), whole('incarnation', 0)]

const acquireShape: readonly Field[] = [
  wholeOf('permits', 1, mostPermits),
  wholeOf('priority', 1, lastPriority),
  wholeOf('size', 1, mostPermits),
]

const holderShape: readonly Field[] = [object('address'), ...invocationShape]

const grantShape: readonly Field[] = [textOf('pool', 1, 256), ...invocationShape]

const poolAddressShape: readonly Field[] = [oneOf('workflow', poolWorkflow)]

const addressShape: readonly Field[] = [{ name: 'workflow', allowed: nameForm, matches: isName }]

const sourceShape: readonly Field[] = [textOf('name', 1, 400), whole('position', 0)]

/**
 * Bytes of an envelope, as msgpack. Checked first: what the receiver would refuse never leaves.
 *
 * @throws RuntimeError `ENVELOPE_MALFORMED`, `EVENT_RESERVED`; `VALUE_UNSUPPORTED` naming the path to what
 * cannot be sent, such as `event.callback`
 */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return encodeValue(checkEnvelope(envelope))
}

/**
 * The envelope in the bytes.
 *
 * @throws RuntimeError `ENVELOPE_MALFORMED` naming the field and what it may be; `EVENT_RESERVED` when the
 * event's type is kept for the runtime
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  return checkEnvelope(bytes[0] === OPENING_BRACE ? parseJson(bytes) : parseMsgpack(bytes))
}

const OPENING_BRACE = 0x7b

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw unreadable('JSON', bytes, error)
  }
}

function parseMsgpack(bytes: Uint8Array): unknown {
  try {
    return decodeValue(bytes)
  } catch (error) {
    throw unreadable('msgpack', bytes, error)
  }
}

function unreadable(form: string, bytes: Uint8Array, error: unknown): RuntimeError {
  const message = `the envelope cannot be read as ${form}: ${(error as Error).message}`
  return new RuntimeError(malformed, message, { cause: error, fields: { sizeBytes: bytes.length } })
}

function checkEnvelope(content: unknown): Envelope {
  const fields = checkFields(malformed, '', content, envelopeShape)
  const base: EnvelopeBase = {
    id: fields['id'] as string,
    target: checkAddress('target', fields['target']),
    time: fields['time'] as number,
    ...(isGiven(fields['cause']) && { cause: fields['cause'] as string }),
    ...(isGiven(fields['source']) && { source: checkSource(fields['source']) }),
  }
  switch (fields['type'] as Envelope['type']) {
    case 'start':
      return { type: 'start', ...base, ...checkStart(fields) }
    case 'send':
      return { type: 'send', ...base, event: checkEnvelopeEvent(fields['event']) }
    case 'settle':
      return { type: 'settle', ...base, ...checkSettle(fields) }
    case 'cancel':
      return { type: 'cancel', ...base, ...checkCancel(fields) }
    case 'pause':
    case 'fail':
      checkFields(malformed, '', fields, pauseShape)
      return {
        type: fields['type'] as 'fail' | 'pause',
        ...base,
        ...(isGiven(fields['reason']) && { reason: fields['reason'] as string }),
      }
    case 'resume':
    case 'retry':
    case 'skip':
      return { type: fields['type'] as 'resume' | 'retry' | 'skip', ...base }
    case 'edit': {
      const { context, revision, value } = checkFields(malformed, '', fields, editShape)
      return { type: 'edit', ...base, revision: revision as number, value, context }
    }
    case 'acquire':
      return { type: 'acquire', ...base, ...checkAcquire(fields) }
    case 'release':
      return { type: 'release', ...base, holder: checkHolder(fields) }
    case 'grant':
      return { type: 'grant', ...base, ...checkGrant(fields) }
  }
}

function checkStart(fields: Readonly<Record<string, unknown>>): Omit<StartMessage, 'type'> {
  checkFields(malformed, '', fields, startShape)
  return {
    input: fields['input'],
    inputDigest: inputDigestOf(fields),
    ...(isGiven(fields['parent']) && { parent: checkParent(fields['parent']) }),
  }
}

function checkParent(content: unknown): ParentLink {
  const { address, path, incarnation, depth, index } = checkFields(malformed, 'parent', content, parentShape)
  return {
    address: checkAddress('parent.address', address),
    path: path as string,
    incarnation: incarnation as number,
    depth: depth as number,
    ...(isGiven(index) && { index: index as number }),
  }
}

function checkSettle(fields: Readonly<Record<string, unknown>>): Omit<SettleMessage, 'type'> {
  const { path, incarnation, index, attempt, details, outcome } = checkFields(
    malformed,
    '',
    fields,
    settleShape,
  )
  const { status, output, error } = checkFields(malformed, 'outcome', outcome, outcomeShape)
  return {
    path: path as string,
    incarnation: incarnation as number,
    ...(isGiven(index) && { index: index as number }),
    ...(isGiven(attempt) && { attempt: attempt as number }),
    ...(isGiven(details) && { details }),
    outcome: status === 'done' ? { status, output } : { status: 'error', error },
  }
}

function checkCancel(fields: Readonly<Record<string, unknown>>): Omit<CancelMessage, 'type'> {
  const { force, graceMs, reason } = checkFields(malformed, '', fields, cancelShape)
  return {
    reason: reason as string,
    ...(force === true && { force }),
    ...(isGiven(graceMs) && { graceMs: graceMs as number }),
  }
}

function checkAcquire(fields: Readonly<Record<string, unknown>>): Omit<AcquireMessage, 'type'> {
  const { permits, priority, size } = checkFields(malformed, '', fields, acquireShape)
  return {
    holder: checkHolder(fields),
    permits: permits as number,
    priority: priority as number,
    size: size as number,
  }
}

/** Only a pool gives permits. */
function checkHolder(fields: Readonly<Record<string, unknown>>): PermitHolder {
  checkFields(malformed, 'target', fields['target'], poolAddressShape)
  const { address, path, incarnation } = checkFields(malformed, 'holder', fields['holder'], holderShape)
  return {
    address: checkAddress('holder.address', address),
    path: path as string,
    incarnation: incarnation as number,
  }
}

function checkGrant(fields: Readonly<Record<string, unknown>>): Omit<GrantMessage, 'type'> {
  const { pool, path, incarnation } = checkFields(malformed, '', fields, grantShape)
  return { pool: pool as string, path: path as string, incarnation: incarnation as number }
}

/** JSON publishers of many languages write null for what is absent. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

function checkAddress(path: string, content: unknown): Address {
  const address = checkFields(malformed, path, content, addressShape)
  try {
    return { workflow: address['workflow'] as string, id: checkInstanceId(address['id']) }
  } catch (error) {
    throw asMalformed(error, `${path}.id`)
  }
}

function checkSource(content: unknown): SourcePosition {
  const source = checkFields(malformed, 'source', content, sourceShape)
  return { name: source['name'] as string, position: source['position'] as number }
}

function checkEnvelopeEvent(content: unknown): EventObject {
  try {
    return checkEvent(content)
  } catch (error) {
    if (isRuntimeError(error, 'EVENT_RESERVED')) throw error
    throw asMalformed(error, (error as RuntimeError).fields['field'] as string)
  }
}

function inputDigestOf(fields: Readonly<Record<string, unknown>>): string {
  if (isGiven(fields['inputDigest'])) return fields['inputDigest'] as string
  try {
    return digest(fields['input'])
  } catch (error) {
    throw asMalformed(error, 'input')
  }
}

/** What a check made for callers said, as the fault of an envelope. */
function asMalformed(error: unknown, path: string): RuntimeError {
  const { message, fields } = error as RuntimeError
  return new RuntimeError(malformed, `${path}: ${message}`, {
    cause: error,
    fields: { ...fields, field: path },
  })
}
