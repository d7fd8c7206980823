/**
 * Envelopes as bytes: a msgpack map, or JSON when the first byte is `{` (0x7b, in msgpack a whole number, so
 * no envelope begins with it), so that a foreign publisher needs nothing but JSON. Fields as in Envelope:
 *
 * | field       | of    | what it must be                                                            |
 * | ----------- | ----- | -------------------------------------------------------------------------- |
 * | id          | both  | a string of 1 to 128 characters; the same id is applied once               |
 * | type        | both  | `start` or `send`                                                          |
 * | target      | both  | an object: `workflow` and `id`, the address                                |
 * | time        | both  | milliseconds since the epoch, by the sender's clock                        |
 * | cause       | both  | absent, or a string of up to 1,024 characters                              |
 * | source      | both  | absent, or an object: `name`, 1 to 64 characters, `position`, from 0       |
 * | event       | send  | an object with a non-empty string `type`, not `*` nor `xstate.…`           |
 * | input       | start | anything                                                                   |
 * | inputDigest | start | a string of 1 to 128 characters; computed from the input when absent       |
 *
 * Where a field may be absent it may be null. Other fields are ignored.
 */
import type { Envelope, SourcePosition } from '../../actors/envelope.ts'
import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'
import { checkEvent } from '../../actors/event.ts'
import type { Address, EventObject } from '../../actors/record.ts'
import { checkInstanceId, isName, nameForm } from '../workflow/address.ts'
import { digest } from './digest.ts'
import { decodeValue, encodeValue } from './msgpack.ts'
import { checkFields, moment, object, oneOf, nullable, textOf, whole } from './shape.ts'
import type { Field } from './shape.ts'

const malformed = 'ENVELOPE_MALFORMED'

const envelopeShape: readonly Field[] = [
  textOf('id', 1, 128),
  oneOf('type', 'start', 'send'),
  object('target'),
  moment('time'),
  nullable(textOf('cause', 0, 1024)),
  nullable(object('source')),
  nullable(textOf('inputDigest', 1, 128)),
]

const targetShape: readonly Field[] = [{ name: 'workflow', allowed: nameForm, matches: isName }]

const sourceShape: readonly Field[] = [textOf('name', 1, 64), whole('position', 0)]

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
  const base = {
    id: fields['id'] as string,
    target: checkTarget(fields['target']),
    time: fields['time'] as number,
    ...(isGiven(fields['cause']) && { cause: fields['cause'] as string }),
    ...(isGiven(fields['source']) && { source: checkSource(fields['source']) }),
  }
  if (fields['type'] === 'send') return { type: 'send', ...base, event: checkEnvelopeEvent(fields['event']) }
  return { type: 'start', ...base, input: fields['input'], inputDigest: inputDigestOf(fields) }
}

/** JSON publishers of many languages write null for what is absent. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

function checkTarget(content: unknown): Address {
  const target = checkFields(malformed, 'target', content, targetShape)
  try {
    return { workflow: target['workflow'] as string, id: checkInstanceId(target['id']) }
  } catch (error) {
    throw asMalformed(error, 'target.id')
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
