import { describe, expect, it } from 'vitest'
import type { SchemaResult, StandardSchema } from '../../src/index.ts'
import { isStandardSchema, validate } from '../../src/workflow/schema.ts'
import { errorOf } from './error-of.ts'

function schemaOf<TOutput>(
  check: (value: unknown) => SchemaResult<TOutput> | Promise<SchemaResult<TOutput>>,
): StandardSchema<TOutput> {
  return { '~standard': { version: 1, vendor: 'test', validate: check } }
}

describe('validate', () => {
  it('answers the value the schema made of the one given', () => {
    const schema = schemaOf(value => ({ value: Number(value) }))

    expect(validate(schema, '42', 'input')).toBe(42)
  })

  it('takes an empty value for a value', () => {
    expect(
      validate(
        schemaOf(() => ({ value: undefined })),
        1,
        'input',
      ),
    ).toBe(undefined)
  })

  it.each([
    ['input', 'INPUT_INVALID'],
    ['event', 'EVENT_INVALID'],
  ] as const)('lists every issue of an %s with its path as %s', (field, code) => {
    const schema = schemaOf(() => ({
      issues: [
        { message: 'is required', path: ['items', 0, { key: 'sku' }] },
        { message: 'must be text', path: [Symbol('card'), 'token'] },
        { message: 'is odd' },
      ],
    }))

    const error = errorOf(() => validate(schema, {}, field))

    expect(error.code).toBe(code)
    expect(error.fields).toEqual({
      field,
      issues: [
        { path: `${field}.items[0].sku`, message: 'is required' },
        { path: `${field}.Symbol(card).token`, message: 'must be text' },
        { path: field, message: 'is odd' },
      ],
    })
    expect(error.message).toBe(
      `the ${field} does not match its schema: ${field}.items[0].sku: is required; ` +
        `${field}.Symbol(card).token: must be text; ${field}: is odd`,
    )
  })

  it('refuses a schema that answers asynchronously, even one that rejects', async () => {
    const unhandled: unknown[] = []
    const listen = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', listen)

    const error = errorOf(() =>
      validate(
        schemaOf(() => Promise.reject(new Error('late'))),
        1,
        'event',
      ),
    )

    // Node reports unhandled rejections after the microtasks of the current turn.
    await new Promise(resolve => setImmediate(resolve))
    process.off('unhandledRejection', listen)
    expect(error.code).toBe('WORKFLOW_INVALID')
    expect(error.message).toContain('validates asynchronously')
    expect(unhandled).toEqual([])
  })

  it('translates what a schema throws, keeping it as the cause', () => {
    const cause = new TypeError('cannot read')

    const error = errorOf(() =>
      validate(
        schemaOf(() => {
          throw cause
        }),
        1,
        'input',
      ),
    )

    expect(error.code).toBe('INPUT_INVALID')
    expect(error.cause).toBe(cause)
  })
})

describe('isStandardSchema', () => {
  it.each([
    ['an object', schemaOf(() => ({ value: 1 }))],
    [
      'a function',
      Object.assign(
        () => {},
        schemaOf(() => ({ value: 1 })),
      ),
    ],
  ])('knows %s with a version 1 validator', (_name, value) => {
    expect(isStandardSchema(value)).toBe(true)
  })

  it.each([
    undefined,
    null,
    'text',
    {},
    { '~standard': null },
    { '~standard': { version: 2, validate() {} } },
    { '~standard': { version: 1 } },
  ])('refuses %j', value => {
    expect(isStandardSchema(value)).toBe(false)
  })
})
