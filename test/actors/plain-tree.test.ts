import { describe, expect, it } from 'vitest'
import { copierOf } from '../../actors/plain-tree.ts'

describe('a copier', () => {
  it.each([
    ['a number', 1],
    ['undefined', undefined],
    ['plain objects and lists', { a: [1, { b: null }], c: { d: undefined, e: 'text' }, f: [] }],
    [
      'what else can be copied',
      { at: new Date(5), by: new Map([['a', { b: 1 }]]), raw: Uint8Array.of(1, 2) },
    ],
    ['a list with holes', Object.assign([1], { 2: 3 })],
    ['fields of any name', JSON.parse('{"constructor":1,"toString":2}')],
  ])('makes equal copies of %s', (_, value) => {
    expect(copierOf(value)()).toStrictEqual(value)
  })

  it('makes copies that share nothing', () => {
    const value = { list: [{ n: 1 }], dates: new Set([new Date(0)]) }
    const copy = copierOf({ list: value.list })
    const other = copierOf(value)

    copy().list[0]!.n = 2
    other().list[0]!.n = 3

    expect(value.list[0]!.n).toBe(1)
    expect([copy().list[0]!.n, other().list[0]!.n]).toEqual([1, 1])
  })

  it('keeps what is in two places one thing, also when it is inside itself', () => {
    const shared = { n: 1 }
    const around: Record<string, unknown> = { left: shared, right: shared }
    around['self'] = around

    const copy = copierOf(around)()

    expect(copy['left']).toBe(copy['right'])
    expect(copy['self']).toBe(copy)
    expect(copy['left']).not.toBe(shared)
  })

  it('makes no copy of a function', () => {
    expect(() => copierOf({ run: () => {} })()).toThrow(/could not be cloned/)
  })

  it('keeps a field that is called __proto__ a field', () => {
    const value = JSON.parse('{"__proto__":{"isAdmin":true}}') as object

    const copy = copierOf(value)()

    expect(Object.keys(copy)).toEqual(['__proto__'])
    expect('isAdmin' in copy).toBe(false)
  })
})
