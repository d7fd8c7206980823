import { describe, expect, it } from 'vitest'

import { decodeEnvelope, encodeEnvelope } from '../../src/codec/envelope.ts'
import { encodeValue } from '../../src/codec/msgpack.ts'
import { decodeBeat, decodeTask, encodeBeat, encodeTask } from '../../src/codec/task.ts'
import { errorOf } from './error-of.ts'

const task = {
  activity: 'charge',
  attempt: 2,
  effectId: 'order/o-1:7',
  format: 'json',
  idempotencyKey: 'order/o-1/charge/4',
  incarnation: 4,
  input: { cents: 1250 },
  instance: { workflow: 'order', id: 'o-1' },
  path: 'charge',
} as const
const subject = 'hf.default.in.3.order.o-1'
const heartbeat = 'hf.default.beat.charge.3.order.o-1.4.2.charge'
const where = { subject, heartbeat }

/** What a worker in another language sees. */
const onTheWire = {
  activity: 'charge',
  attempt: 2,
  idempotencyKey: 'order/o-1/charge/4',
  input: { cents: 1250 },
  reply: {
    subject,
    heartbeat,
    envelope: {
      id: 'order/o-1:7.settled',
      type: 'settle',
      target: { workflow: 'order', id: 'o-1' },
      path: 'charge',
      incarnation: 4,
      attempt: 2,
    },
  },
}

describe('encodeTask and decodeTask', () => {
  it('write JSON as documented', () => {
    expect(JSON.parse(new TextDecoder().decode(encodeTask(task, where)))).toEqual(onTheWire)
  })

  it.each(['json', 'msgpack'] as const)('give back a task as %s, and what answers it', format => {
    const { answer, task: read, ...told } = decodeTask(encodeTask({ ...task, format }, where))

    const { activity, attempt, idempotencyKey, incarnation, input, instance } = task
    expect(read).toEqual({ activity, attempt, idempotencyKey, incarnation, input, instance })
    expect(told).toEqual({ ...where, path: 'charge' })
    const answered = answer({ status: 'done', output: 7n }, 99)
    expect(answered).toEqual({
      ...onTheWire.reply.envelope,
      time: 99,
      outcome: { status: 'done', output: 7n },
    })
    expect(decodeEnvelope(encodeEnvelope(answered))).toStrictEqual(answered)
  })

  it.each(['json', 'msgpack'] as const)('give back what is said of heartbeats as %s', format => {
    const beating = { ...task, format, lastHeartbeat: { page: 7 }, silenceMs: 3_000 }

    const { answer, task: read } = decodeTask(encodeTask(beating, where))

    expect(read).toMatchObject({ lastHeartbeat: { page: 7 }, silenceMs: 3_000 })
    const answered = answer({ status: 'error', error: 'e' }, 99, { page: 8 })
    expect(decodeEnvelope(encodeEnvelope(answered))).toMatchObject({ details: { page: 8 } })
  })

  it('read a task of a node that knows nothing of heartbeats', () => {
    const { heartbeat: _, ...before } = onTheWire.reply

    expect(decodeTask(encodeValue({ ...onTheWire, reply: before })).heartbeat).toBeUndefined()
  })

  it('keep what only msgpack can say', () => {
    const input = { at: new Date(7), none: undefined }

    expect(decodeTask(encodeTask({ ...task, format: 'msgpack', input }, where)).task.input).toStrictEqual(
      input,
    )
  })

  const { reply } = onTheWire
  it.each<[string, unknown, string]>([
    ['activity', { ...onTheWire, activity: '' }, 'VALUE_MALFORMED'],
    ['attempt', { ...onTheWire, attempt: 0 }, 'VALUE_MALFORMED'],
    ['idempotencyKey', { ...onTheWire, idempotencyKey: 1 }, 'VALUE_MALFORMED'],
    ['reply', { ...onTheWire, reply: undefined }, 'VALUE_MALFORMED'],
    ['heartbeatTimeoutMs', { ...onTheWire, heartbeatTimeoutMs: 0 }, 'VALUE_MALFORMED'],
    ['reply.heartbeat', { ...onTheWire, reply: { ...reply, heartbeat: '' } }, 'VALUE_MALFORMED'],
    ['reply.subject', { ...onTheWire, reply: { ...reply, subject: '' } }, 'VALUE_MALFORMED'],
    [
      'incarnation',
      { ...onTheWire, reply: { ...reply, envelope: { ...reply.envelope, incarnation: -1 } } },
      'ENVELOPE_MALFORMED',
    ],
    [
      'reply.envelope.type',
      { ...onTheWire, reply: { ...reply, envelope: { ...reply.envelope, type: 'resume' } } },
      'VALUE_MALFORMED',
    ],
  ])('refuse a wrong %s', (field, content, code) => {
    expect(errorOf(() => decodeTask(encodeValue(content)))).toMatchObject({ code, fields: { field } })
  })

  it.each(['', '{', '7', 'null'])('refuse %j', text => {
    expect(errorOf(() => decodeTask(new TextEncoder().encode(text))).code).toBe('VALUE_MALFORMED')
  })
})

describe('encodeBeat and decodeBeat', () => {
  it.each([
    { details: undefined, isBeginning: false },
    { details: undefined, isBeginning: true },
    { details: 0, isBeginning: false },
    { details: { page: 2n ** 70n }, isBeginning: false },
  ])('give back %o', beat => {
    expect(decodeBeat(encodeBeat(beat))).toEqual(beat)
  })

  it.each([
    ['', { details: undefined, isBeginning: false }],
    ['{}', { details: undefined, isBeginning: false }],
    ['{"details":null}', { details: undefined, isBeginning: false }],
    ['{"details":{"page":7}}', { details: { page: 7 }, isBeginning: false }],
    ['{"isBeginning":true}', { details: undefined, isBeginning: true }],
  ])('read %j, as any language may write it', (text, beat) => {
    expect(decodeBeat(new TextEncoder().encode(text))).toEqual(beat)
  })

  it.each(['{', '7', '{"isBeginning":1}'])('refuse %j', text => {
    expect(errorOf(() => decodeBeat(new TextEncoder().encode(text))).code).toBe('VALUE_MALFORMED')
  })
})
