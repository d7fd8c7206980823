import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RuntimeError } from '../../actors/errors.ts'
import { stringify, toJson } from '../../src/codec/json.ts'
import { plainValue, value as anyValue } from './arbitraries.ts'

describe('toJson', () => {
  it.each<[string, unknown, unknown]>([
    ['undefined', { a: undefined, b: [undefined] }, { a: null, b: [null] }],
    ['numbers JSON has no word for', [NaN, Infinity, -Infinity], ['NaN', 'Infinity', '-Infinity']],
    ['a BigInt', 12345678901234567890n, '12345678901234567890'],
    ['a Date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['an invalid Date', new Date(NaN), 'Invalid Date'],
    ['a Map with text as keys', new Map([['a', new Map([['b', 1n]])]]), { a: { b: '1' } }],
    [
      'a Map with other keys',
      new Map<unknown, unknown>([
        [1, 'a'],
        [{ b: 2n }, 'c'],
      ]),
      [
        [1, 'a'],
        [{ b: '2' }, 'c'],
      ],
    ],
    ['a Set', new Set([1, new Date(0)]), [1, '1970-01-01T00:00:00.000Z']],
    ['a RegExp', /a+/g, '/a+/g'],
    ['a URL', new URL('https://example.org/'), 'https://example.org/'],
    ['a Uint8Array', Uint8Array.of(1, 2, 3), 'AQID'],
    ['a Buffer', Buffer.from('hello'), 'aGVsbG8='],
    ['part of an ArrayBuffer', new DataView(Uint8Array.of(9, 1, 2, 3).buffer, 1), 'AQID'],
    ['an ArrayBuffer', Uint8Array.of(1, 2, 3).buffer, 'AQID'],
    ['numbers in a typed array', Float64Array.of(0.5, NaN), [0.5, 'NaN']],
    ['BigInts in a typed array', BigInt64Array.of(-1n), ['-1']],
    [
      'an instance',
      new (class Point {
        x = 1
      })(),
      { x: 1 },
    ],
    ['a function', { f: function pay() {} }, { f: '[function pay]' }],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['a field __proto__', JSON.parse('{"__proto__":{"a":1}}'), JSON.parse('{"__proto__":{"a":1}}')],
  ])('shows %s', (_, value, shown) => {
    expect(toJson(value)).toStrictEqual(shown)
    expect(stringify(value)).toBe(JSON.stringify(shown))
  })

  it('shows an error with its cause and its own fields', () => {
    const cause = new RuntimeError('TIMEOUT', 'too late', { fields: { waited: 5n } })
    const error = Object.assign(new TypeError('bad', { cause }), { code: 'E_BAD', stack: 'the stack' })

    expect(toJson(error)).toEqual({
      name: 'TypeError',
      message: 'bad',
      code: 'E_BAD',
      cause: {
        name: 'RuntimeError',
        message: 'too late',
        code: 'TIMEOUT',
        fields: { waited: '5' },
        retryable: false,
        stack: cause.stack,
      },
      stack: 'the stack',
    })
  })

  it('shows the errors of an AggregateError', () => {
    expect(toJson(new AggregateError([new Error('a')], 'b'))).toMatchObject({
      errors: [{ message: 'a' }],
      message: 'b',
      name: 'AggregateError',
    })
  })

  it('shows an object inside itself as such, and one that only occurs twice in full', () => {
    const shared = { a: 1 }
    const order: Record<string, unknown> = { one: shared, two: shared }
    order['self'] = [order]

    expect(toJson(order)).toEqual({ one: { a: 1 }, two: { a: 1 }, self: ['[circular]'] })
  })

  it('shows what is too deep or cannot be read without failing', () => {
    let deep: unknown = 'bottom'
    for (let level = 0; level < 100_000; level++) deep = [deep]
    const unreadable = {
      a: 1,
      b: {
        get secret(): never {
          throw new Error('no')
        },
      },
    }

    expect(stringify(deep)).toContain('[deeper than 500 levels]')
    expect(toJson(unreadable)).toEqual({ a: 1, b: '[unreadable: Error: no]' })
  })

  it('leaves plain values as they are', () => {
    fc.assert(
      fc.property(plainValue, value => {
        expect(toJson(value)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('shows every value with nothing that JSON would change', () => {
    fc.assert(
      fc.property(anyValue, value => {
        expect(isDeepStrictEqual(JSON.parse(stringify(value)), toJson(value))).toBe(true)
      }),
    )
  })
})

describe('stringify', () => {
  it('indents when asked to', () => {
    expect(stringify(new Map([['a', 1n]]), 2)).toBe('{\n  "a": "1"\n}')
  })
})
