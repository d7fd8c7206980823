import type { SchemaIssue, StandardSchema } from '../../src/index.ts'

// Written by hand to need no library; anything that makes Standard Schemas would do as well.

/** Where in a value something is. */
export type Path = readonly (string | number)[]

/** A schema that takes what has no issues, as it is. */
export function schemaOf<TOutput>(
  issuesOf: (value: unknown) => Iterable<SchemaIssue>,
): StandardSchema<TOutput> {
  return {
    '~standard': {
      version: 1,
      vendor: 'holdfast-samples',
      validate(value) {
        const issues = [...issuesOf(value)]
        return issues.length > 0 ? { issues } : { value: value as TOutput }
      },
    },
  }
}

export function* textIssues(value: unknown, path: Path): Generator<SchemaIssue> {
  const found = at(value, path)
  if (typeof found !== 'string' || found === '') yield { path, message: 'must be text' }
}

export function* wholeNumberIssues(value: unknown, path: Path, minimum: number): Generator<SchemaIssue> {
  const found = at(value, path)
  if (!Number.isSafeInteger(found) || Number(found) < minimum) {
    yield { path, message: `must be a whole number from ${minimum}` }
  }
}

export function* choiceIssues(
  value: unknown,
  path: Path,
  choices: readonly string[],
): Generator<SchemaIssue> {
  if (!(choices as readonly unknown[]).includes(at(value, path))) {
    yield { path, message: `must be ${choices.join(', ')}` }
  }
}

/** A list may be empty; what is in it may not. */
export function* textListIssues(value: unknown, path: Path): Generator<SchemaIssue> {
  const found = at(value, path)
  if (!Array.isArray(found)) yield { path, message: 'must be a list' }
  else for (const index of found.keys()) yield* textIssues(value, [...path, index])
}

/** What is there; undefined when the way does not lead to anything. */
export function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) => (inner as Record<string, unknown> | null | undefined)?.[key],
    value,
  )
}
