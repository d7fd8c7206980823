import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Envelope } from '../../actors/envelope.ts'
import { digest } from '../../src/codec/digest.ts'
import { decodeEnvelope, encodeEnvelope } from '../../src/codec/envelope.ts'
import { encodeValue } from '../../src/codec/msgpack.ts'
import { plainValue } from './arbitraries.ts'
import { errorOf } from './error-of.ts'
import { readMsgpack } from './msgpack-reader.ts'
import type { ReadMap } from './msgpack-reader.ts'
import { sampleSend, sampleStart } from './samples.ts'

const json = (content: unknown) => Buffer.from(JSON.stringify(content))

/** The least a foreign publisher must say. */
const foreignSend = {
  id: 'x-1',
  type: 'send',
  target: { workflow: 'order', id: 'o-1' },
  time: 1_770_091_506_789,
  event: { type: 'PAY', amount: 5 },
}

const foreignStart = {
  id: 'x-1',
  type: 'start',
  target: { workflow: 'order', id: 'o-1' },
  time: 1_770_091_506_789,
  input: { lines: [1, 2] },
}

const parent = {
  address: { workflow: 'shop', id: 's-1' },
  path: 'orders',
  incarnation: 4,
  depth: 1,
  index: 0,
}

const settleOfBulk = {
  id: 'x-1',
  type: 'settle',
  target: { workflow: 'shop', id: 's-1' },
  time: 1_770_091_506_789,
  path: 'orders',
  incarnation: 4,
  index: 99_999,
} as const

const base = { id: 'x-1', target: { workflow: 'shop', id: 's-1' }, time: 1_770_091_506_789 } as const

const holder = { address: { workflow: 'order', id: 'o-1' }, path: 'site', incarnation: 4 }
const forPool = { ...base, target: { workflow: 'holdfast-pool', id: 'sites' } } as const
const acquire = { ...forPool, type: 'acquire', holder, permits: 2, priority: 1, size: 5 } as const

describe('encodeEnvelope and decodeEnvelope', () => {
  it.each<[string, Envelope]>([
    ['a start', sampleStart()],
    ['an event', sampleSend()],
    ['a start without input', { ...sampleStart(), input: undefined }],
    ['the start of a child of a bulk', { ...sampleStart(), parent }],
    ['how a child of a bulk ended', { ...settleOfBulk, outcome: { status: 'done', output: 7 } }],
    [
      'how a worker ended an attempt',
      {
        ...base,
        type: 'settle',
        path: 'charge',
        incarnation: 4,
        attempt: 3,
        outcome: { status: 'done', output: 7 },
      },
    ],
    ['a pause', { ...base, type: 'pause' }],
    ['a pause with its reason', { ...base, type: 'pause', reason: 'ż' }],
    ['a resume', { ...base, type: 'resume' }],
    ['a cancel', { ...base, type: 'cancel', reason: '' }],
    ['a forced cancel', { ...base, type: 'cancel', reason: 'ż', force: true }],
    ['a cancel with its grace', { ...base, type: 'cancel', reason: 'ż', graceMs: 0 }],
    ['a retry', { ...base, type: 'retry' }],
    ['a skip', { ...base, type: 'skip' }],
    ['a failing', { ...base, type: 'fail' }],
    ['a failing with its reason', { ...base, type: 'fail', reason: 'ż' }],
    ['an edit', { ...base, type: 'edit', revision: 7, value: { a: 'b' }, context: new Map([[1, 2n]]) }],
    ['a request for permits', acquire],
    ['permits given back', { ...forPool, type: 'release', holder }],
    ['a grant', { ...base, type: 'grant', pool: 'sites', path: 'site', incarnation: 4 }],
  ])('give back %s', (_, envelope) => {
    expect(decodeEnvelope(encodeEnvelope(envelope))).toStrictEqual(envelope)
  })

  it('give back any input and any event', () => {
    fc.assert(
      fc.property(plainValue, value => {
        const start = { ...sampleStart(), input: value }
        const send = { ...sampleSend(), event: { type: 'E', value } }

        expect(decodeEnvelope(encodeEnvelope(start))).toStrictEqual(start)
        expect(decodeEnvelope(encodeEnvelope(send))).toStrictEqual(send)
      }),
    )
  })

  it('leave out what is undefined and what does not belong', () => {
    const envelope = { ...sampleSend(), cause: undefined, source: undefined, trace: 'x' } as Envelope

    const { pairs } = readMsgpack(encodeEnvelope(envelope)) as ReadMap

    expect(new Set(pairs.map(([name]) => name))).toEqual(new Set(['event', 'id', 'target', 'time', 'type']))
  })
})

describe('decodeEnvelope', () => {
  it('reads an event as JSON', () => {
    expect(decodeEnvelope(json(foreignSend))).toStrictEqual(foreignSend)
  })

  it('reads an event as msgpack of another library, whose times are 64-bit ints', () => {
    const bytes = Buffer.concat([
      Buffer.of(0x85),
      encodeValue('time'),
      Buffer.from('cf0000019c216d8a95', 'hex'),
      ...Object.entries({ ...foreignSend, time: undefined })
        .filter(([, value]) => value !== undefined)
        .flatMap(([name, value]) => [encodeValue(name), encodeValue(value)]),
    ])

    expect(decodeEnvelope(bytes)).toStrictEqual({ ...foreignSend, time: 0x19c216d8a95 })
  })

  it('computes the digest of a start that comes without one', () => {
    const expected = { ...foreignStart, inputDigest: digest({ lines: [1, 2] }) }

    expect(decodeEnvelope(json(foreignStart))).toStrictEqual(expected)
    expect(decodeEnvelope(encodeValue(foreignStart))).toStrictEqual(expected)
  })

  it('takes a start without input for a start with undefined', () => {
    const { input: _, ...rest } = foreignStart

    expect(decodeEnvelope(json(rest))).toStrictEqual({
      ...rest,
      input: undefined,
      inputDigest: digest(undefined),
    })
  })

  it('ignores fields it does not know, and takes null for absent where a field may be absent', () => {
    const content = { ...foreignSend, cause: null, source: null, trace: { id: 1 }, input: 'x' }

    expect(decodeEnvelope(json(content))).toStrictEqual(foreignSend)
    expect(decodeEnvelope(json({ ...foreignStart, inputDigest: null }))).toHaveProperty('inputDigest')
  })

  it('reads what only a JSON text can hold without harm', () => {
    const text = JSON.stringify(foreignSend).replace('"amount":5', '"__proto__":{"polluted":1}')

    const { event } = decodeEnvelope(Buffer.from(text)) as { event: { polluted?: unknown } }

    expect(event.polluted).toBeUndefined()
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it.each<[string, Record<string, unknown>]>([
    ['id', { id: undefined }],
    ['id', { id: '' }],
    ['id', { id: 'x'.repeat(401) }],
    ['id', { id: 7 }],
    ['type', { type: 'stop' }],
    ['type', { type: undefined }],
    ['target', { target: 'order/o-1' }],
    ['target', { target: null }],
    ['target.workflow', { target: { id: 'o-1' } }],
    ['target.workflow', { target: { workflow: 'no name', id: 'o-1' } }],
    ['target.id', { target: { workflow: 'order' } }],
    ['target.id', { target: { workflow: 'order', id: '' } }],
    ['target.id', { target: { workflow: 'order', id: 'é'.repeat(129) } }],
    ['time', { time: undefined }],
    ['time', { time: '2026-01-01T00:00:00Z' }],
    ['time', { time: -1 }],
    ['time', { time: 8.65e15 }],
    ['cause', { cause: 7 }],
    ['cause', { cause: 'x'.repeat(1025) }],
    ['source', { source: 'webhooks' }],
    ['source.name', { source: { position: 1 } }],
    ['source.name', { source: { name: 'x'.repeat(401), position: 1 } }],
    ['source.position', { source: { name: 'a', position: 1.5 } }],
    ['source.position', { source: { name: 'a', position: -1 } }],
    ['event', { event: undefined }],
    ['event', { event: 'PAY' }],
    ['event', { event: [] }],
    ['event.type', { event: {} }],
    ['event.type', { event: { type: '' } }],
    ['inputDigest', { type: 'start', inputDigest: '' }],
    ['inputDigest', { type: 'start', inputDigest: 7 }],
    ['parent.index', { type: 'start', parent: { ...parent, index: -1 } }],
    ['index', { ...settleOfBulk, outcome: { status: 'done' }, index: 1.5 }],
    ['attempt', { ...settleOfBulk, outcome: { status: 'done' }, attempt: 0 }],
    ['reason', { type: 'cancel' }],
    ['force', { type: 'cancel', reason: '', force: 1 }],
    ['graceMs', { type: 'cancel', reason: '', graceMs: -1 }],
    ['graceMs', { type: 'cancel', reason: '', graceMs: 0.5 }],
    ['graceMs', { type: 'cancel', reason: '', graceMs: 365 * 86_400_000 + 1 }],
    ['permits', { ...acquire, permits: 0 }],
    ['priority', { ...acquire, priority: 6 }],
    ['size', { ...acquire, size: 1_001 }],
    ['holder', { ...acquire, holder: undefined }],
    ['holder.incarnation', { ...acquire, holder: { ...holder, incarnation: -1 } }],
    ['holder.address.workflow', { ...acquire, holder: { ...holder, address: { workflow: '.', id: 'x' } } }],
    ['target.workflow', { ...acquire, target: { workflow: 'order', id: 'o-1' } }],
    ['target.workflow', { type: 'release', holder }],
    ['pool', { type: 'grant', pool: '', path: 'site', incarnation: 4 }],
    ['incarnation', { type: 'grant', pool: 'sites', path: 'site' }],
    ['reason', { type: 'pause', reason: 'x'.repeat(1_025) }],
    ['reason', { type: 'fail', reason: 1 }],
    ['revision', { type: 'edit', revision: 0, value: 'a' }],
    ['value', { type: 'edit', revision: 1 }],
  ])('refuses a wrong %s: %o', (field, change) => {
    const content = { ...foreignSend, ...change }

    for (const bytes of [json(content), encodeValue(content)]) {
      const error = errorOf(() => decodeEnvelope(bytes))

      expect(error).toMatchObject({ code: 'ENVELOPE_MALFORMED', fields: { field } })
      expect(error.message).toContain(field)
      expect(error.message).toContain('must be')
    }
  })

  it('says which values are allowed', () => {
    const message = (change: object) =>
      errorOf(() => decodeEnvelope(json({ ...foreignSend, ...change }))).message

    expect(message({ id: '' })).toBe(
      "id must be a string of 1 to 400 characters, without half a surrogate pair; got ''",
    )
    expect(message({ id: 'a\ud800' })).toContain('without half a surrogate pair')
    expect(message({ type: 'stop' })).toBe(
      "type must be 'start', 'send', 'settle', 'cancel', 'pause', 'resume', 'retry', 'skip', 'fail', 'edit', 'acquire', 'release' or 'grant'; got 'stop'",
    )
    expect(message({ target: { workflow: 'order', id: '' } })).toContain('1 to 256 bytes of UTF-8')
  })

  it.each(['*', 'xstate.stop', 'xstate.done.actor.charge', 'workflow.cancel'])(
    'refuses the reserved event type %s',
    type => {
      for (const bytes of [
        json({ ...foreignSend, event: { type } }),
        encodeValue({ ...foreignSend, event: { type } }),
      ]) {
        expect(errorOf(() => decodeEnvelope(bytes))).toMatchObject({
          code: 'EVENT_RESERVED',
          fields: { type },
        })
      }
    },
  )

  it.each([
    ['msgpack', encodeEnvelope(sampleSend())],
    ['JSON', json(foreignSend)],
  ])('refuses %s cut at any place', (_, bytes) => {
    for (let length = 0; length < bytes.length; length++) {
      expect(errorOf(() => decodeEnvelope(bytes.subarray(0, length))).code).toBe('ENVELOPE_MALFORMED')
    }
  })

  it.each([
    ['text', Buffer.from('PAY')],
    ['a JSON list', Buffer.from('[{}]')],
    ['JSON that is no UTF-8', Buffer.from(JSON.stringify(foreignSend).replace('PAY', 'PA\xff'), 'latin1')],
    ['a msgpack list', encodeValue([foreignSend])],
    ['a Map', encodeValue(new Map(Object.entries(foreignSend)))],
    ['nil', encodeValue(null)],
  ])('refuses %s', (_, bytes) => {
    expect(errorOf(() => decodeEnvelope(bytes)).code).toBe('ENVELOPE_MALFORMED')
  })

  it('refuses a start whose input nests too deeply to be stored', () => {
    const text = JSON.stringify(foreignStart).replace('[1,2]', '['.repeat(600) + ']'.repeat(600))

    expect(errorOf(() => decodeEnvelope(Buffer.from(text)))).toMatchObject({
      code: 'ENVELOPE_MALFORMED',
      fields: { field: 'input' },
    })
  })

  it('refuses any bytes that are no envelope', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (bytes, asJson) => {
        const framed = asJson ? Buffer.concat([Buffer.from('{'), bytes]) : bytes
        expect(errorOf(() => decodeEnvelope(framed)).code).toBe('ENVELOPE_MALFORMED')
      }),
      { numRuns: 2000 },
    )
  })
})

describe('encodeEnvelope', () => {
  it('refuses what the receiver would refuse', () => {
    const reserved = { ...sampleSend(), event: { type: 'xstate.stop' } }

    expect(errorOf(() => encodeEnvelope({ ...sampleSend(), id: '' })).code).toBe('ENVELOPE_MALFORMED')
    expect(errorOf(() => encodeEnvelope(reserved)).code).toBe('EVENT_RESERVED')
  })

  it('names the path of what cannot be sent', () => {
    const envelope = { ...sampleSend(), event: { type: 'PAY', callback: () => {} } }

    expect(errorOf(() => encodeEnvelope(envelope))).toMatchObject({
      code: 'VALUE_UNSUPPORTED',
      fields: { path: 'event.callback' },
    })
  })
})
