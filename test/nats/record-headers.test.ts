import fc from 'fast-check'
import { MsgHdrsImpl } from 'nats'
import { describe, expect, it } from 'vitest'
import type { RecordSummary } from '../../actors/ports.ts'
import { instanceStatuses } from '../../actors/record.ts'
import { Headers, ReceivedHeaders, type HeaderReader } from '../../src/nats/headers.ts'
import {
  headerText,
  MAX_SHOWN_CHARACTERS,
  recordHeaders,
  summaryOf,
  textOf,
} from '../../src/nats/record-headers.ts'
import { sampleSummary } from '../contract/samples.ts'

const text = fc.string({ unit: 'binary' })
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 })
const summaries: fc.Arbitrary<RecordSummary> = fc.record({
  workflowVersion: fc.nat(),
  status: fc.constantFrom(...instanceStatuses),
  state: fc.string({ unit: 'binary', maxLength: 60 }),
  event: name,
  commit: name,
  inputDigest: name,
  dueAt: fc.option(fc.maxSafeInteger(), { nil: undefined }),
  owes: fc.nat(),
})

/** What a reader gets of headers: through the bytes on the wire. */
const readers: readonly [string, (headers: Headers) => HeaderReader][] = [
  ['as we read them', headers => new ReceivedHeaders(new TextDecoder().decode(headers.encode()))],
  ['as the library reads them', headers => MsgHdrsImpl.decode(headers.encode())],
]

describe.each(readers)('record headers, %s,', (_, overTheWire) => {
  it('carry any text as one line that a reader does not trim, and give it back', () => {
    fc.assert(
      fc.property(text, given => {
        const value = headerText(given)

        expect(value).not.toMatch(/[\r\n]/)
        expect(value.trim()).toBe(value)
        expect(textOf(value)).toBe(given)
      }),
    )
  })

  it('leave names as people write them', () => {
    expect(headerText('paying.authorising|ż 🧾')).toBe('paying.authorising|ż 🧾')
  })

  it('carry any summary', () => {
    fc.assert(
      fc.property(summaries, summary => {
        expect(summaryOf(overTheWire(recordHeaders(summary, 7)))).toEqual(summary)
      }),
    )
  })

  it('are read where an older build has written parts of a millisecond', () => {
    const headers = recordHeaders(sampleSummary({ dueAt: 1_770_091_506_789.25 }), 0)

    expect(summaryOf(overTheWire(headers))?.dueAt).toBe(1_770_091_506_790)
  })

  it('cut names of states and events that are very long, between characters', () => {
    const summary = sampleSummary({ state: '🧾'.repeat(5_000), event: 'x'.repeat(5_000) })

    const shown = summaryOf(overTheWire(recordHeaders(summary, 0)))!

    expect(shown.state).toBe(`${'🧾'.repeat(MAX_SHOWN_CHARACTERS / 2 - 1)}…`)
    expect(shown.event).toBe(`${'x'.repeat(MAX_SHOWN_CHARACTERS - 1)}…`)
  })

  it('say that they are not ours when something is missing or wrong', () => {
    const summary = sampleSummary()
    const ours = [...overTheWire(recordHeaders(summary, 0))].map(([name, [value]]) => [name, value!] as const)
    const without = (missing: string) => Headers.of({}).withAll(ours.filter(([name]) => name !== missing))
    const wrong = without('Hf-Status').with({ 'Hf-Status': 'finished' })

    expect(summaryOf(overTheWire(Headers.of({}).withAll(ours)))).toEqual(summary)
    for (const name of ['Hf-Commit', 'Hf-Owes', 'Hf-Status', 'Hf-Workflow-Version'])
      expect(summaryOf(overTheWire(without(name)))).toBeUndefined()
    expect(summaryOf(overTheWire(wrong))).toBeUndefined()
  })
})
