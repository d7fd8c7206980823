import { describe, expect, it } from 'vitest'
import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'
import { decodeValue, encodeValue } from '../../src/codec/msgpack.ts'

const roundTrip = <T>(error: T) => decodeValue(encodeValue(error)) as T

class CardDeclined extends Error {
  override readonly name = 'CardDeclined'
  readonly code = 'DECLINED'
  readonly details = new Map([['attempts', 3n]])
}

class NamedByItsPrototype extends RangeError {
  get code(): string {
    return 'FROM_A_GETTER'
  }
}
Object.defineProperty(NamedByItsPrototype.prototype, 'name', { value: 'NamedByItsPrototype' })

describe('encodeValue and decodeValue of errors', () => {
  it.each([
    new Error('a'),
    new EvalError('b'),
    new RangeError('c'),
    new ReferenceError('d'),
    new SyntaxError('e'),
    new TypeError('f'),
    new URIError('g'),
    new AggregateError([], 'h'),
    new DOMException('i', 'AbortError'),
  ])('gives back %s as an instance of its class', error => {
    const decoded = roundTrip(error)

    expect(decoded).toStrictEqual(error)
    expect(decoded.constructor).toBe(error.constructor)
    expect(decoded.stack).toBe(error.stack)
    expect(String(decoded)).toBe(String(error))
    expect(Object.keys(decoded)).toEqual([])
  })

  it('gives back what an AbortSignal is aborted with', () => {
    const { reason } = AbortSignal.abort() as { reason: DOMException }

    expect(roundTrip(reason)).toMatchObject({ code: 20, message: reason.message, name: 'AbortError' })
  })

  it('gives back the errors of an AggregateError', () => {
    const error = new AggregateError([new TypeError('a'), 'no error', new AggregateError([new Error('b')])])

    const decoded = roundTrip(error)

    expect(decoded).toStrictEqual(error)
    expect(decoded.errors[0]).toBeInstanceOf(TypeError)
    expect((decoded.errors[2] as AggregateError).errors[0]).toBeInstanceOf(Error)
  })

  it('gives back causes at any depth, with what they carry', () => {
    const innermost = Object.assign(new TypeError('0'), { code: 'ECONNRESET', when: new Date(5) })
    let error: Error = innermost
    for (let depth = 1; depth <= 100; depth++) error = new Error(String(depth), { cause: error })

    let decoded = roundTrip(error)
    for (let depth = 100; depth >= 1; depth--) decoded = decoded.cause as Error

    expect(decoded).toStrictEqual(innermost)
    expect(decoded.stack).toBe(innermost.stack)
  })

  it('gives back a cause that is no error, undefined included', () => {
    expect(roundTrip(new Error('x', { cause: { a: [1n] } })).cause).toStrictEqual({ a: [1n] })
    expect('cause' in roundTrip(new Error('x', { cause: undefined }))).toBe(true)
    expect('cause' in roundTrip(new Error('x'))).toBe(false)
  })

  it('gives back a subclass as its nearest built-in class with name, code and fields', () => {
    const decoded = roundTrip<Error>(new CardDeclined('no funds'))

    expect(decoded).toBeInstanceOf(Error)
    expect(decoded).toMatchObject({ code: 'DECLINED', details: new Map([['attempts', 3n]]) })
    expect(String(decoded)).toBe('CardDeclined: no funds')
  })

  it('gives back a name and a code that the class itself provides', () => {
    const decoded = roundTrip<Error & { code?: unknown }>(new NamedByItsPrototype('x'))

    expect(decoded).toBeInstanceOf(RangeError)
    expect(decoded.name).toBe('NamedByItsPrototype')
    expect(decoded.code).toBe('FROM_A_GETTER')
    expect(Object.keys(decoded)).toEqual([])
  })

  it('gives back an error of Node as it was', () => {
    const error = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT', errno: -2, path: '/x' })

    const decoded = roundTrip(error)

    expect(decoded).toStrictEqual(error)
    expect(Object.keys(decoded)).toEqual(['code', 'errno', 'path'])
  })

  it('gives back a RuntimeError with its code, fields and retryable', () => {
    const cause = new RuntimeError('TIMEOUT', 'too late', { retryable: true })
    const error = new RuntimeError('ACTIVITY_FAILED', 'gave up', { cause, fields: { attempt: 3 } })

    const decoded = roundTrip(error)

    expect(decoded).toStrictEqual(error)
    expect(isRuntimeError(decoded, 'ACTIVITY_FAILED')).toBe(true)
    expect(decoded.fields).toEqual({ attempt: 3 })
    expect(decoded.cause).toMatchObject({ code: 'TIMEOUT', retryable: true })
    expect(isRuntimeError(decoded.cause)).toBe(true)
  })

  it('gives back an error whose stack was removed without inventing one', () => {
    const error = Object.assign(new Error('x'), { stack: undefined })

    expect(roundTrip(error).stack).toBeUndefined()
  })

  it('leaves the limit of traces as it was', () => {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 7

    const { stack } = roundTrip(new Error('x'))

    expect(Error.stackTraceLimit).toBe(7)
    expect(stack).toContain('errors.test.ts')
    Error.stackTraceLimit = limit
  })

  it('takes a class of a newer build for an Error', () => {
    const bytes = Buffer.from(encodeValue(new TypeError('x')))
    bytes.set(Buffer.from('NoSuchErr'), bytes.indexOf('TypeError'))

    const decoded = decodeValue(bytes) as Error

    expect(decoded).toBeInstanceOf(Error)
    expect(decoded).not.toBeInstanceOf(TypeError)
    expect(decoded.name).toBe('TypeError')
  })
})
