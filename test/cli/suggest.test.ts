import { describe, expect, it } from 'vitest'

import { nearest } from '../../src/cli/suggest.ts'

const commands = ['dev', 'start', 'send', 'update', 'show', 'watch', 'list', 'result']

describe('what was probably meant', () => {
  it.each([
    ['lst', 'list'],
    ['lits', 'list'],
    ['upd', 'update'],
    ['Watch', 'watch'],
    ['resutl', 'result'],
  ])('takes %s for %s', (typed, meant) => {
    expect(nearest(typed, commands)).toBe(meant)
  })

  it.each(['frobnicate', 'x', 'ssss', ''])('makes nothing of %j', typed => {
    expect(nearest(typed, commands)).toBeUndefined()
  })

  it('does not choose between two that begin alike', () => {
    expect(nearest('stat', ['state', 'static'])).toBe('state')
    expect(nearest('sta', ['statement', 'statistics'])).toBeUndefined()
  })
})
