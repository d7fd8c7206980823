import { describe, expect, it } from 'vitest'

import { pad, printable, shortenEnd, shortenStart, widthOf } from '../../src/cli/text.ts'

describe('a text for a terminal', () => {
  it('shows what a terminal would obey as its code', () => {
    expect(printable('a\u001B[31mb\nc\u0007')).toBe('a\\u001b[31mb\\u000ac\\u0007')
    expect(printable('evil\u202Etxt')).toBe('evil\\u202etxt')
    expect(printable('order/żółć 🧾')).toBe('order/żółć 🧾')
  })

  it.each([
    ['', 0],
    ['order', 5],
    ['żółć', 4],
    ['e\u0301', 1],
    ['🧾', 2],
    ['👩‍🚀', 2],
    ['注文', 4],
    ['…', 1],
  ])('knows that %j takes %i columns', (text, width) => {
    expect(widthOf(text)).toBe(width)
  })

  it('keeps the beginning or the end of what is too long, and all of what is not', () => {
    expect(shortenEnd('authorising', 8)).toBe('authori…')
    expect(shortenEnd('short', 5)).toBe('short')
    expect(shortenStart('authorising', 8)).toBe('…orising')
    expect(shortenStart('short', 5)).toBe('short')
    expect(shortenEnd('注文注文', 5)).toBe('注文…')
  })

  it('cuts the beginning off at a separator when one is near', () => {
    expect(shortenStart('tracked.lifecycle.open.ready', 16)).toBe('…open.ready')
    expect(shortenStart('pull_request_review.submitted', 16)).toBe('…submitted')
  })

  it('pads by columns, not by characters', () => {
    expect(pad('🧾', 4)).toBe('🧾  ')
    expect(pad('7', 3, 'right')).toBe('  7')
    expect(pad('longer', 3)).toBe('longer')
  })
})
