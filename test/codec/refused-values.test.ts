import { describe, expect, it } from 'vitest'
import { createActor, createMachine } from 'xstate'
import { InstanceRef } from '../../actors/instance-ref.ts'
import { decodeValue, encodeValue } from '../../src/codec/msgpack.ts'
import { errorOf } from './error-of.ts'

const refusalOf = (value: unknown) => errorOf(() => encodeValue(value))

/** An array in an array in an array … */
function nest(levels: number): unknown {
  let value: unknown = []
  for (let level = 1; level < levels; level++) value = [value]
  return value
}

function cycle(): Record<string, unknown> {
  const order: Record<string, unknown> = { lines: [{ n: 1 }, { n: 2 }] }
  ;(order['lines'] as Record<string, unknown>[])[1]!['order'] = order
  return order
}

function selfHolding(): Map<string, unknown> {
  const map = new Map<string, unknown>()
  return map.set('self', map)
}

function selfCaused(): Error {
  const error = new Error('x')
  error.cause = error
  return error
}

const twice = { n: 1 }

describe('encodeValue refuses', () => {
  it.each<[string, unknown, string]>([
    ['a function', { context: { items: [0, 1, 2, { callback: () => {} }] } }, 'context.items[3].callback'],
    ['a class', { type: class {} }, 'type'],
    ['a symbol', { a: { b: Symbol('s') } }, 'a.b'],
    ['a function after an object that occurs twice', { a: twice, b: twice, f: () => {} }, 'f'],
    ['a function by itself', () => {}, ''],
    ['a function under a name with spaces', { 'a b': { '': () => {} } }, '["a b"][""]'],
    ['a function beside a field __proto__', { ['__proto__']: 1, f: () => {} }, 'f'],
    ['a function in a Map', new Map([['k', { f: () => {} }]]), 'get("k").f'],
    [
      'a function as a key of a Map',
      new Map([
        [1, 2],
        [() => {}, 1],
      ] as [unknown, unknown][]),
      'keys()[1]',
    ],
    ['a function under an object as key', new Map([[{}, () => {}]]), 'values()[0]'],
    ['a function in a Set', { tags: new Set([1, () => {}]) }, 'tags.values()[1]'],
    ['a function in an error', { error: Object.assign(new Error('x'), { retry: () => {} }) }, 'error.retry'],
    ['a function in a cause', { e: new Error('x', { cause: { f: () => {} } }) }, 'e.cause.f'],
    ['a function among errors', new AggregateError([1, () => {}]), 'errors[1]'],
    [
      'a function in an instance',
      {
        point: new (class Point {
          f = () => {}
        })(),
      },
      'point.f',
    ],
    ['a promise', { result: Promise.resolve(1) }, 'result'],
    ['a WeakMap', { cache: new WeakMap() }, 'cache'],
    ['a WeakSet', [new WeakSet()], '[0]'],
    ['a WeakRef', [new WeakRef({})], '[0]'],
    ['a cycle', { order: cycle() }, 'order.lines[1].order'],
    ['a cycle at the root', cycle(), 'lines[1].order'],
    ['a cycle through a Map', { m: selfHolding() }, 'm.get("self")'],
    ['a cycle through a cause', { e: selfCaused() }, 'e.cause'],
  ])('%s, naming the path', (_, value, path) => {
    const error = refusalOf(value)

    expect(error.code).toBe('VALUE_UNSUPPORTED')
    expect(error.fields['path']).toBe(path)
    expect(error.message.startsWith(path === '' ? 'the value is a ' : `${path} `)).toBe(true)
  })

  it('a function, saying what it is and where', () => {
    expect(refusalOf({ context: { items: [{ callback: () => {} }] } }).message).toBe(
      'context.items[0].callback is a function, which cannot be stored',
    )
  })

  it('a reference to an actor, saying what to use instead', () => {
    const ref = createActor(createMachine({}), { id: 'parent' })

    expect(refusalOf({ input: { replyTo: [ref] } }).message).toBe(
      'input.replyTo[0] is a reference to an actor, which only objects and lists in a context can hold: use its id ' +
        "'parent' instead",
    )
  })

  it('a reference to an instance, which has nothing in it that could not be stored', () => {
    expect(refusalOf({ input: new InstanceRef({ workflow: 'order', id: 'o-1' }) }).message).toMatch(
      /^input is a reference to an actor, .+ use its id 'order\/o-1' instead$/,
    )
  })

  it('a cycle, saying what it refers back to', () => {
    expect(refusalOf({ order: cycle() }).message).toBe(
      'order.lines[1].order refers back to order that contains it',
    )
  })

  it('nesting beyond 500 levels, and nothing less deep', () => {
    expect(decodeValue(encodeValue(nest(500)))).toEqual(nest(500))
    expect(refusalOf(nest(501)).message).toMatch(/^(\[0\]){500} nests deeper than 500 levels$/)
    expect(refusalOf(nest(100_000)).code).toBe('VALUE_UNSUPPORTED')
  })

  it('no Map or cause that nests less deep than that', () => {
    let map = new Map<string, unknown>()
    let error = new Error('0')
    for (let level = 1; level < 500; level++) {
      map = new Map([['k', map]])
      error = new Error(String(level), { cause: error })
    }

    expect(encodeValue(decodeValue(encodeValue(map)))).toEqual(encodeValue(map))
    expect(encodeValue(decodeValue(encodeValue(error)))).toEqual(encodeValue(error))
  })

  it('what cannot be read, keeping the reason', () => {
    const reason = new Error('no')
    const value = {
      get secret(): never {
        throw reason
      },
    }

    const error = refusalOf(value)

    expect(error.code).toBe('VALUE_UNSUPPORTED')
    expect(error.cause).toBe(reason)
  })

  it('nothing after it has refused something', () => {
    refusalOf([new Map([[1, () => {}]])])

    expect(decodeValue(encodeValue({ a: new Map([[1, 2]]) }))).toStrictEqual({ a: new Map([[1, 2]]) })
  })
})
