import { RuntimeError } from '../../actors/errors.ts'
import type { ErrorCode } from '../../actors/errors.ts'

/**
 * What is stored of an error. `cause` and `errors` are absent, not undefined, when the error has none.
 */
export interface ErrorForm {
  /** The class it comes back as: the nearest one of the built-in classes and `RuntimeError`. */
  readonly class: string
  readonly name: string
  readonly message: string
  readonly stack?: string
  /** Only when `code` is not an ordinary field, as with a getter of the class. */
  readonly code?: unknown
  readonly cause?: unknown
  /** The errors of an AggregateError. */
  readonly errors?: unknown
  /** The ordinary fields: own and enumerable, such as `code` of Node's errors. */
  readonly fields?: Readonly<Record<string, unknown>>
}

type Build = (form: ErrorForm) => Error

/** From the most to the least specific, so that the first match is the nearest. */
const classes: readonly (readonly [string, new (...args: never[]) => Error, Build])[] = [
  ['RuntimeError', RuntimeError, runtimeError],
  ['AggregateError', AggregateError, form => new AggregateError([], form.message)],
  ['EvalError', EvalError, form => new EvalError(form.message)],
  ['RangeError', RangeError, form => new RangeError(form.message)],
  ['ReferenceError', ReferenceError, form => new ReferenceError(form.message)],
  ['SyntaxError', SyntaxError, form => new SyntaxError(form.message)],
  ['TypeError', TypeError, form => new TypeError(form.message)],
  ['URIError', URIError, form => new URIError(form.message)],
  ['DOMException', DOMException, form => new DOMException(form.message, form.name)],
]

/** Takes an error apart. The parts may be anything and are not looked at. */
export function takeError(error: Error): ErrorForm {
  const className = classes.find(([, Class]) => error instanceof Class)?.[0] ?? 'Error'
  const fields = Object.fromEntries(Object.entries(error))
  const { code, errors, stack } = error as Error & { code?: unknown; errors?: unknown }
  const own = (key: string) => Object.hasOwn(error, key) && !Object.hasOwn(fields, key)
  return {
    class: className,
    name: String(error.name),
    message: String(error.message),
    ...(typeof stack === 'string' && { stack }),
    ...(code !== undefined && !Object.hasOwn(fields, 'code') && { code }),
    ...(own('cause') && { cause: error.cause }),
    ...(own('errors') && { errors }),
    ...(Object.keys(fields).length > 0 && { fields }),
  }
}

/**
 * Puts an error together again. A class unknown here becomes Error.
 *
 * @throws TypeError when the form is not one
 */
export function makeError(form: ErrorForm): Error {
  if (typeof form?.message !== 'string' || typeof form.name !== 'string') {
    throw new TypeError('an Error is written with a name and a message')
  }
  const error = withoutTrace(classes.find(([name]) => name === form.class)?.[2] ?? plainError, form)
  if (error.name !== form.name) hide(error, 'name', form.name)
  hide(error, 'stack', form.stack)
  for (const key of ['code', 'cause', 'errors'] as const) {
    if (Object.hasOwn(form, key)) hide(error, key, form[key])
  }
  for (const [key, value] of Object.entries(form.fields ?? {})) {
    Object.defineProperty(error, key, { configurable: true, enumerable: true, value, writable: true })
  }
  return error
}

/** Its other fields are ordinary ones and follow with the rest. */
function runtimeError(form: ErrorForm): Error {
  const code = form.fields?.['code']
  if (typeof code !== 'string') throw new TypeError('a RuntimeError is written with a code')
  return new RuntimeError(code as ErrorCode, form.message)
}

function plainError(form: ErrorForm): Error {
  return new Error(form.message)
}

/** The trace of this place says nothing, is replaced at once, and is most of what making an error costs. */
function withoutTrace(build: Build, form: ErrorForm): Error {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return build(form)
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** Defines a field as the language itself does on errors: there, but not listed. */
function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { configurable: true, enumerable: false, value, writable: true })
}
