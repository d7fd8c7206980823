import { RuntimeError } from '../../actors/errors.ts'

/**
 * A validator that follows Standard Schema v1 (standardschema.dev): Zod, Valibot, ArkType and others make them.
 * It must answer synchronously.
 */
export interface StandardSchema<TOutput = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<TOutput> | Promise<SchemaResult<TOutput>>
    readonly types?: { readonly input: unknown; readonly output: TOutput } | undefined
  }
}

/** What a validator answers: the value to use, or what is wrong with the one given. */
export type SchemaResult<TOutput> =
  | { readonly value: TOutput; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** One thing wrong with a value, and where in it. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** True when `value` has the shape of a Standard Schema v1 validator. */
export function isStandardSchema(value: unknown): value is StandardSchema {
  // ArkType's schemas are functions, the others are objects.
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard = (value as { '~standard'?: { version?: unknown; validate?: unknown } })['~standard']
  return standard?.version === 1 && typeof standard.validate === 'function'
}

/**
 * The value as the schema returns it, with its defaults and conversions applied.
 *
 * @param field what the value is: it decides the code of the error and starts each path in it
 * @throws RuntimeError `INPUT_INVALID` or `EVENT_INVALID` when the value does not match, listing all issues in
 * the message and in `fields.issues`; `WORKFLOW_INVALID` when the schema answers asynchronously
 */
export function validate<TOutput>(
  schema: StandardSchema<TOutput>,
  value: unknown,
  field: 'input' | 'event',
): TOutput {
  const result = run(schema, value, field)
  if ('then' in result) {
    // Nobody will look at how it ends; without this a rejection would end the process.
    result.then(undefined, () => {})
    throw new RuntimeError(
      'WORKFLOW_INVALID',
      `the schema of the ${field} validates asynchronously; use one that answers at once`,
      { fields: { field, vendor: schema['~standard'].vendor } },
    )
  }
  if (result.issues === undefined) return result.value

  const issues = result.issues.map(issue => ({ path: formatPath(field, issue.path), message: issue.message }))
  const lines = issues.map(issue => `${issue.path}: ${issue.message}`)
  throw new RuntimeError(codeOf(field), `the ${field} does not match its schema: ${lines.join('; ')}`, {
    fields: { field, issues },
  })
}

function run<TOutput>(schema: StandardSchema<TOutput>, value: unknown, field: 'input' | 'event') {
  try {
    return schema['~standard'].validate(value)
  } catch (cause) {
    throw new RuntimeError(codeOf(field), `the schema of the ${field} threw: ${String(cause)}`, {
      cause,
      fields: { field, issues: [] },
    })
  }
}

function codeOf(field: 'input' | 'event') {
  return field === 'input' ? 'INPUT_INVALID' : 'EVENT_INVALID'
}

function formatPath(field: string, path: SchemaIssue['path'] = []): string {
  return path.reduce<string>((text, segment) => {
    const key = typeof segment === 'object' ? segment.key : segment
    return typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`
  }, field)
}
