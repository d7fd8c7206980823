import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RECORD_FORMAT } from '../../actors/record.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { encodeValue } from '../../src/codec/msgpack.ts'
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts'
import { plainValue } from './arbitraries.ts'
import { errorOf } from './error-of.ts'
import { readMsgpack } from './msgpack-reader.ts'
import type { ReadMap } from './msgpack-reader.ts'
import { sampleRecord, withStack } from './samples.ts'

/** With every field a record can have: a new one that is missing here is an error of types. */
const fullRecord = (): Required<InstanceRecord> => ({
  ...sampleRecord(),
  control: { cursor: 43, recent: ['p-1'] },
  stopReason: 'the bank is closed',
  cancellation: { reason: 'out of stock', deadline: 1_770_091_536_789, isParents: true },
  incident: {
    at: 1_770_091_506_789,
    code: 'STEP_FAILED',
    actor: 'child',
    error: withStack(new TypeError('no total'), 'TypeError: no total\n    at guard'),
    tries: 2,
    cause: { type: 'timer', path: 'child', event: { type: 'LATE' }, dueAt: 1_770_091_506_000, seq: 9 },
  },
  parent: { address: { workflow: 'shop', id: 's-1' }, path: 'order', incarnation: 4, depth: 1 },
})

/** The stored form of content that no build writes. */
const stored = (content: unknown, format: unknown = 1) => encodeValue([format, content])

const without = (name: keyof InstanceRecord) => {
  const { [name]: _, ...rest } = sampleRecord()
  return rest
}

const emptiable = ['timers', 'activities', 'outbox', 'recent', 'sources'] as const
const required = (Object.keys(sampleRecord()) as (keyof InstanceRecord)[]).filter(
  name => !(emptiable as readonly string[]).includes(name),
)

describe('encodeRecord and decodeRecord', () => {
  it('give back the record with every field it can have', () => {
    expect(decodeRecord(encodeRecord(fullRecord()))).toStrictEqual(fullRecord())
  })

  it('give back any context, output and input', () => {
    fc.assert(
      fc.property(plainValue, plainValue, (context, input) => {
        const sample = sampleRecord()
        const record: InstanceRecord = {
          ...sample,
          status: 'done',
          snapshot: { status: 'done', output: input, context },
          activities: [{ ...sample.activities[0]!, input }],
        }

        expect(decodeRecord(encodeRecord(record))).toStrictEqual(record)
      }),
    )
  })

  it('give back what an invocation waits for, and refuse it when it is wrong', () => {
    const sample = sampleRecord()
    const waiting = (permit: object): InstanceRecord =>
      ({ ...sample, activities: [{ ...sample.activities[0]!, permit }] }) as InstanceRecord

    const permits = [
      { pool: 'sites', isHeld: true },
      { pool: 'sites', isHeld: false },
      { pool: 'sites', isHeld: true, claim: 7 },
      { pool: 'sites', isHeld: false, claim: 7, askedAt: 1_000, dueAt: 6_000 },
    ]
    for (const permit of permits) {
      const stored = waiting(permit)
      expect(decodeRecord(encodeRecord(stored))).toStrictEqual(stored)
    }
    const wrong = { isHeld: undefined, claim: -1, askedAt: 'now', dueAt: Number.NaN }
    for (const [field, value] of Object.entries(wrong)) {
      const stored = waiting({ pool: 'sites', isHeld: true, [field]: value })
      expect(errorOf(() => decodeRecord(encodeRecord(stored)))).toMatchObject({
        code: 'RECORD_MALFORMED',
        fields: { field: `activities[0].permit.${field}` },
      })
    }
  })

  it('give back the progress of a bulk, and what it owes', () => {
    const sample = sampleRecord()
    const results = [
      { index: 4, status: 'done', output: new Date(7) },
      { index: 2, status: 'failed', error: new TypeError('no') },
    ] as const
    const bulk = {
      workflow: 'square',
      total: 100_000,
      started: 7,
      completed: 5,
      failed: 1,
      running: [5, 6],
      results,
      chunks: 3,
    }
    const record: InstanceRecord = {
      ...sample,
      activities: [{ ...sample.activities[0]!, bulk }],
      outbox: [
        { type: 'item', effectId: 'order/o-1:8', path: 'squares', index: 6 },
        { type: 'chunk', effectId: 'order/o-1:9', name: 'bulk-3-2', results, sizeBytes: 40_000 },
      ],
    }

    expect(decodeRecord(encodeRecord(record))).toStrictEqual(record)
  })

  it('write an array of two, the format in front, for any msgpack library', () => {
    const [format, record] = readMsgpack(encodeRecord(sampleRecord())) as [number, ReadMap]

    expect(format).toBe(1)
    expect(record.pairs.map(([name]) => name)).toEqual(Object.keys(sampleRecord()))
  })

  it('write a small record in few bytes', () => {
    const { snapshot: _, ...rest } = sampleRecord()
    const small = {
      ...rest,
      snapshot: { status: 'active', value: 'idle', context: { count: 1 } },
      timers: [],
      activities: [],
      outbox: [],
    } as const

    expect(encodeRecord(small).length).toBeLessThan(JSON.stringify(small).length)
  })
})

describe('encodeRecord', () => {
  it('leaves out what is empty', () => {
    const empty = { ...sampleRecord(), timers: [], activities: [], outbox: [], recent: [], sources: {} }
    const [, record] = readMsgpack(encodeRecord(empty)) as [number, ReadMap]

    expect(record.pairs.map(([name]) => name)).toEqual(required)
    expect(decodeRecord(encodeRecord(empty))).toStrictEqual(empty)
  })

  it('names the path of what cannot be stored from the record on', () => {
    const record = {
      ...sampleRecord(),
      snapshot: { status: 'active', context: { items: [{ f: () => {} }] } },
    }

    const error = errorOf(() => encodeRecord(record as InstanceRecord))

    expect(error.code).toBe('VALUE_UNSUPPORTED')
    expect(error.fields['path']).toBe('snapshot.context.items[0].f')
  })

  it('names an activity by its path', () => {
    const record = sampleRecord()
    const [first, second] = record.activities
    const activities = [first!, { ...second!, input: { done: () => {} } }]

    expect(errorOf(() => encodeRecord({ ...record, activities })).fields['path']).toBe(
      'activities.mail.input.done',
    )
  })
})

describe('decodeRecord', () => {
  it.each([2, 127, 128, 70_000])('refuses format %i, asking for an upgrade', format => {
    const error = errorOf(() => decodeRecord(stored(sampleRecord(), format)))

    expect(error).toMatchObject({
      code: 'RECORD_FORMAT_UNSUPPORTED',
      fields: { found: format, supported: RECORD_FORMAT },
    })
    expect(error.message).toMatch(/upgrade this node$/)
  })

  it('recognises a newer format whose content it cannot understand', () => {
    const unknownExtension = Buffer.from('d46300', 'hex')
    const bytes = Buffer.concat([Buffer.of(0x93, 2, 1), unknownExtension])

    expect(errorOf(() => decodeRecord(bytes)).code).toBe('RECORD_FORMAT_UNSUPPORTED')
  })

  it('refuses a record cut at any place', () => {
    const bytes = encodeRecord(sampleRecord())

    for (let length = 0; length < bytes.length; length++) {
      expect(errorOf(() => decodeRecord(bytes.subarray(0, length))).code).toBe('RECORD_MALFORMED')
    }
  })

  it('refuses any bytes that are no record', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
        expect(errorOf(() => decodeRecord(bytes)).code).toMatch(/^RECORD_(MALFORMED|FORMAT_UNSUPPORTED)$/)
      }),
      { numRuns: 2000 },
    )
  })

  it.each<[string, unknown]>([
    ['no array', sampleRecord()],
    ['an empty array', []],
    ['a format that is no number', ['1', sampleRecord()]],
    ['format 0', [0, sampleRecord()]],
    ['a format that is no whole number', [1.5, sampleRecord()]],
    ['no content', [1]],
    ['a list as content', [1, []]],
    ['text', 'record'],
  ])('refuses %s', (_, value) => {
    expect(errorOf(() => decodeRecord(encodeValue(value))).code).toBe('RECORD_MALFORMED')
  })

  it.each(emptiable)('takes a record without %s for one where it is empty', name => {
    expect(Object.keys(decodeRecord(stored(without(name)))[name] as object)).toEqual([])
  })

  it.each(required)('refuses a record without %s', name => {
    const error = errorOf(() => decodeRecord(stored(without(name))))

    expect(error).toMatchObject({ code: 'RECORD_MALFORMED', fields: { field: name } })
    expect(error.message).toMatch(new RegExp(`^${name} must be .+; got nothing$`))
  })

  const { timers, activities, outbox, snapshot } = sampleRecord()
  const child = snapshot.children!['payment']!

  it.each<[string, Partial<Record<keyof InstanceRecord, unknown>>]>([
    ['workflow', { workflow: '' }],
    ['id', { id: 7 }],
    ['version', { version: -1 }],
    ['version', { version: 1.5 }],
    ['status', { status: 'asleep' }],
    ['control.cursor', { control: { cursor: -1, recent: [] } }],
    ['control.recent', { control: { cursor: 1 } }],
    ['control.recent[0]', { control: { cursor: 1, recent: [7] } }],
    ['stopReason', { stopReason: 7 }],
    ['cancellation.reason', { cancellation: { deadline: 1 } }],
    ['cancellation.deadline', { cancellation: { reason: '', deadline: 1e300 } }],
    ['cancellation.isParents', { cancellation: { reason: '', deadline: 1, isParents: 1 } }],
    ['incident.at', { incident: { at: 'now', code: 'STEP_FAILED', actor: '', tries: 1 } }],
    ['incident.cause.type', { incident: { at: 1, code: 'STEP_FAILED', actor: '', tries: 1, cause: {} } }],
    [
      'incident.cause.event',
      { incident: { at: 1, code: 'X', actor: '', tries: 1, cause: { type: 'self', path: '', event: {} } } },
    ],
    ['createdAt', { createdAt: '2026-01-01' }],
    ['updatedAt', { updatedAt: NaN }],
    ['cursor', { cursor: 2 ** 53 }],
    ['cursor', { cursor: -1 }],
    ['counter', { counter: null }],
    ['snapshot', { snapshot: [] }],
    ['snapshot.status', { snapshot: { ...snapshot, status: 'running' } }],
    ['snapshot.children', { snapshot: { ...snapshot, children: 'none' } }],
    ['snapshot.children["p"]', { snapshot: { ...snapshot, children: { p: 1 } } }],
    ['snapshot.children["p"].src', { snapshot: { ...snapshot, children: { p: { ...child, src: 1 } } } }],
    [
      'snapshot.children["p"].systemId',
      { snapshot: { ...snapshot, children: { p: { ...child, systemId: 1 } } } },
    ],
    [
      'snapshot.children["p"].snapshot.status',
      { snapshot: { ...snapshot, children: { p: { ...child, snapshot: {} } } } },
    ],
    ['timers', { timers: {} }],
    ['timers[1]', { timers: [timers[0], null] }],
    ['timers[0].owner', { timers: [{ ...timers[0], owner: undefined }] }],
    ['timers[0].event', { timers: [{ ...timers[0], event: { type: 1 } }] }],
    ['timers[1].dueAt', { timers: [timers[0], { ...timers[0], dueAt: 'soon' }] }],
    ['timers[0].seq', { timers: [{ ...timers[0], seq: -1 }] }],
    ['activities[0].path', { activities: [{ ...activities[0], path: 1 }] }],
    ['activities[1].attempt', { activities: [activities[0], { ...activities[1], attempt: 0 }] }],
    ['activities[0].retryAt', { activities: [{ ...activities[0], retryAt: 'later' }] }],
    [
      'activities[0].remote.format',
      { activities: [{ ...activities[0], remote: { name: 'x', format: 'xml' } }] },
    ],
    [
      'outbox[0].attempt',
      { outbox: [{ type: 'task', effectId: 'e', path: 'p', incarnation: 1, attempt: 0 }] },
    ],
    [
      'outbox[0].activity',
      { outbox: [{ type: 'recall', effectId: 'e', activity: 7, incarnation: 1, attempt: 1 }] },
    ],
    ['outbox[0].type', { outbox: [{ ...outbox[0], type: 'mail' }] }],
    ['outbox[0].effectId', { outbox: [{ ...outbox[0], effectId: undefined }] }],
    ['outbox[1].action', { outbox: [outbox[0], { ...outbox[1], action: 1 }] }],
    ['recent[1]', { recent: ['a', 1] }],
    ['sources["a"]', { sources: { a: '17' } }],
  ])('refuses a wrong %s', (field, change) => {
    const error = errorOf(() => decodeRecord(stored({ ...sampleRecord(), ...change })))

    expect(error).toMatchObject({ code: 'RECORD_MALFORMED', fields: { field } })
    expect(error.message.startsWith(`${field} must be `)).toBe(true)
  })
})
