import { describe, expect, it } from 'vitest'

import { stateLines } from '../../src/cli/state-lines.ts'
import { formatAge, formatDue } from '../../src/cli/time.ts'
import { shellWord } from '../../src/cli/instance-view.ts'

const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000]

describe('lengths of time', () => {
  it.each([
    [-5, '0 s'],
    [999, '0 s'],
    [59.9 * second, '59 s'],
    [60 * second, '1 min'],
    [23.9 * hour, '23 h'],
    [400 * day, '400 d'],
  ])('%d ms are %s', (ms, text) => {
    expect(formatAge(ms)).toBe(text)
  })

  it.each([
    [500, 'now'],
    [-500, 'now'],
    [4 * second, 'in 4 s'],
    [90 * second, 'in 1 min 30 s'],
    [7 * day - minute, 'in 6 d 23 h'],
    [2 * day + minute, 'in 2 d'],
    [-90 * minute, '1 h 30 min overdue'],
  ])('%d ms from now is %s', (ms, text) => {
    expect(formatDue(1_000_000_000_000 + ms, 1_000_000_000_000)).toBe(text)
  })
})

describe('a state value as lines', () => {
  it.each([
    ['idle', ['idle']],
    [{ paying: 'authorising' }, ['paying.authorising']],
    [{ paying: {} }, ['paying']],
    [{ a: 'x', b: { c: 'y' } }, ['a.x', 'b.c.y']],
    [
      { tracked: { facts: {}, open: { ready: { review: 'waiting', freshness: 'fresh' } } } },
      ['tracked', '  facts', '  open.ready', '    review.waiting', '    freshness.fresh'],
    ],
    [undefined, []],
  ])('%j', (value, lines) => {
    expect(stateLines(value)).toEqual(lines)
  })
})

describe('an address as an argument of a shell', () => {
  it.each([
    ['order/o-1', 'order/o-1'],
    ['pull-request/a/b#2', "'pull-request/a/b#2'"],
    ["order/it's", "'order/it'\\''s'"],
    ['order/$(reboot)', "'order/$(reboot)'"],
  ])('%s is %s', (text, word) => {
    expect(shellWord(text)).toBe(word)
  })
})
