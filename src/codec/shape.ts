import { RuntimeError } from '../../actors/errors.ts'
import type { ErrorCode } from '../../actors/errors.ts'

/** What one field of decoded data must be. */
export interface Field {
  readonly name: string
  /** The allowed values, for people. */
  readonly allowed: string
  readonly matches: (value: unknown) => boolean
}

/**
 * Answers the content as an object if its fields have this shape. Others may be there too.
 *
 * @param path of the object, empty at the root; the error names `path.field`
 * @throws RuntimeError `code`
 */
export function checkFields(
  code: ErrorCode,
  path: string,
  content: unknown,
  shape: readonly Field[],
): Readonly<Record<string, unknown>> {
  if (!isObject(content)) throw misshapen(code, path === '' ? 'the content' : path, 'an object', content)
  const misfit = shape.find(field => !field.matches(content[field.name]))
  if (misfit === undefined) return content
  const fieldPath = path === '' ? misfit.name : `${path}.${misfit.name}`
  throw misshapen(code, fieldPath, misfit.allowed, content[misfit.name])
}

/** The error that names a field, what it may be and what it is. */
export function misshapen(code: ErrorCode, field: string, allowed: string, value: unknown): RuntimeError {
  return new RuntimeError(code, `${field} must be ${allowed}; got ${summary(value)}`, {
    fields: { allowed, field },
  })
}

/** True for what can have fields. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Text of any length. */
export const text = (name: string): Field => ({
  name,
  allowed: 'a string',
  matches: value => typeof value === 'string',
})

/** Text of a bounded length, in UTF-16 code units as JavaScript counts them. */
export const textOf = (name: string, min: number, max: number): Field => ({
  name,
  allowed: `a string of ${min} to ${max} characters`,
  matches: value => typeof value === 'string' && value.length >= min && value.length <= max,
})

/** One of these texts. */
export const oneOf = (name: string, ...values: readonly string[]): Field => ({
  name,
  allowed: listed(values.map(value => `'${value}'`)),
  matches: value => values.includes(value as string),
})

/** A whole number that JavaScript holds exactly. */
export const whole = (name: string, min: number): Field => ({
  name,
  allowed: `a whole number from ${min}`,
  matches: value => Number.isSafeInteger(value) && (value as number) >= min,
})

/** The same, up to a limit. */
export const wholeOf = (name: string, min: number, max: number): Field => ({
  name,
  allowed: `a whole number from ${min} to ${max}`,
  matches: value => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
})

/** The latest moment a Date can hold. */
const LATEST = 8.64e15

/** A moment as a number. */
export const moment = (name: string): Field => ({
  name,
  allowed: `a number of milliseconds since the epoch, 0 to ${LATEST}`,
  matches: value => typeof value === 'number' && value >= 0 && value <= LATEST,
})

/** A boolean. */
export const flag = (name: string): Field => ({
  name,
  allowed: 'true or false',
  matches: value => typeof value === 'boolean',
})

/** An array of anything. */
export const list = (name: string): Field => ({ name, allowed: 'an array', matches: Array.isArray })

/** An object of anything. */
export const object = (name: string): Field => ({ name, allowed: 'an object', matches: isObject })

/** The same field where it may also be absent. */
export const optional = (field: Field): Field => ({
  ...field,
  allowed: `${field.allowed}, or absent`,
  matches: value => value === undefined || field.matches(value),
})

/** The same field where it may also be absent or null. */
export const nullable = (field: Field): Field => ({
  ...field,
  allowed: `${field.allowed}, or absent`,
  matches: value => value === undefined || value === null || field.matches(value),
})

function summary(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 40 ? `${value.slice(0, 40)}…` : value}'`
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  if (Array.isArray(value)) return 'an array'
  return value === undefined ? 'nothing' : `a value of type ${typeof value}`
}

/** `a, b or c`. */
function listed(values: readonly string[]): string {
  return [values.slice(0, -1).join(', '), ...values.slice(-1)].filter(part => part !== '').join(' or ')
}
