/** What any error has, without what its thrower has hung on it. */
export function plainError(error: unknown): Error {
  const plain = new Error(messageOf(error))
  const { name, code, stack } = (error ?? {}) as { name?: unknown; code?: unknown; stack?: unknown }
  if (typeof name === 'string') plain.name = name
  if (typeof stack === 'string') plain.stack = stack
  return typeof code === 'string' || typeof code === 'number' ? Object.assign(plain, { code }) : plain
}

/** The message of an error, or whatever else was thrown as text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
