import { describe, expect, it } from 'vitest'

import { decodeEnvelope, encodeEnvelope } from '../../src/codec/envelope.ts'
import { encodeValue } from '../../src/codec/msgpack.ts'
import { decodeTask, encodeTask } from '../../src/codec/task.ts'
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

/** What a worker in another language sees. */
const onTheWire = {
  activity: 'charge',
  attempt: 2,
  idempotencyKey: 'order/o-1/charge/4',
  input: { cents: 1250 },
  reply: {
    subject,
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
    expect(JSON.parse(new TextDecoder().decode(encodeTask(task, subject)))).toEqual(onTheWire)
  })

  it.each(['json', 'msgpack'] as const)('give back a task as %s, and what answers it', format => {
    const { answer, task: read, subject: where } = decodeTask(encodeTask({ ...task, format }, subject))

    const { activity, attempt, idempotencyKey, incarnation, input, instance } = task
    expect(read).toEqual({ activity, attempt, idempotencyKey, incarnation, input, instance })
    expect(where).toBe(subject)
    const answered = answer({ status: 'done', output: 7n }, 99)
    expect(answered).toEqual({
      ...onTheWire.reply.envelope,
      time: 99,
      outcome: { status: 'done', output: 7n },
    })
    expect(decodeEnvelope(encodeEnvelope(answered))).toStrictEqual(answered)
  })

  it('keep what only msgpack can say', () => {
    const input = { at: new Date(7), none: undefined }

    expect(decodeTask(encodeTask({ ...task, format: 'msgpack', input }, subject)).task.input).toStrictEqual(
      input,
    )
  })

  const { reply } = onTheWire
  it.each<[string, unknown, string]>([
    ['activity', { ...onTheWire, activity: '' }, 'VALUE_MALFORMED'],
    ['attempt', { ...onTheWire, attempt: 0 }, 'VALUE_MALFORMED'],
    ['idempotencyKey', { ...onTheWire, idempotencyKey: 1 }, 'VALUE_MALFORMED'],
    ['reply', { ...onTheWire, reply: undefined }, 'VALUE_MALFORMED'],
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
