import fc from 'fast-check'
import { MsgHdrsImpl } from 'nats'
import { describe, expect, it } from 'vitest'
import type { RecordSummary } from '../../actors/ports.ts'
import { instanceStatuses } from '../../actors/record.ts'
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
function overTheWire(headers: ReturnType<typeof recordHeaders>): ReturnType<typeof recordHeaders> {
  return MsgHdrsImpl.decode((headers as MsgHdrsImpl).encode())
}

describe('record headers', () => {
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
    const missing = recordHeaders(sampleSummary(), 0)
    missing.delete('Hf-Commit')
    const wrong = recordHeaders(sampleSummary(), 0)
    wrong.set('Hf-Status', 'finished')

    expect(summaryOf(missing)).toBeUndefined()
    expect(summaryOf(wrong)).toBeUndefined()
  })
})
