import { RuntimeError } from '../../src/index.ts'

/** The RuntimeError that `run` throws; throws when it throws none or another error. */
export function errorOf(run: () => unknown): RuntimeError {
  try {
    run()
  } catch (error) {
    if (error instanceof RuntimeError) return error
    throw error
  }
  throw new Error('expected an error, got none')
}
