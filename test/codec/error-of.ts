import { RuntimeError } from '../../actors/errors.ts'

/** The RuntimeError that `action` throws; any other outcome is thrown as the failure it is. */
export function errorOf(action: () => unknown): RuntimeError {
  try {
    action()
  } catch (error) {
    if (error instanceof RuntimeError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
