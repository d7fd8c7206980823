import { describe, expect, it } from 'vitest'

import { RuntimeError } from '../../actors/errors.ts'
import { reportError } from '../../src/cli/report-error.ts'
import { recorder } from './surroundings.ts'

function reported(error: unknown): string {
  const output = recorder()
  reportError(error, output, { command: undefined, json: false, program: 'holdfast' })
  return output.text()
}

function invalid(...issues: readonly { readonly path: string; readonly message: string }[]): RuntimeError {
  const texts = issues.map(({ path, message }) => `${path}: ${message}`)
  const message = `the input does not match its schema: ${texts.join('; ')}`
  return new RuntimeError('INPUT_INVALID', message, { fields: { field: 'input', issues } })
}

describe('an error', () => {
  it('has each thing a schema found wrong on a line of its own, when there are several', () => {
    const one = { path: 'input.a', message: 'must be text; or nothing' }
    const other = { path: 'input.b', message: 'must be a number' }

    expect(reported(invalid(one, other))).toBe(
      'error INPUT_INVALID: the input does not match its schema\n' +
        '  input.a: must be text; or nothing\n' +
        '  input.b: must be a number\n',
    )
    expect(reported(invalid(other))).toBe(
      'error INPUT_INVALID: the input does not match its schema: input.b: must be a number\n',
    )
  })

  it.each([
    new RuntimeError('WORKFLOW_FAILED', 'it failed: \u001B[2J\u0007'),
    invalid({ path: 'input.\u001B[2J', message: 'a' }, { path: 'input.b', message: '\u0007' }),
    new Error('nobody foresaw \u001B[2J\u0007'),
  ])('lets nothing through that a terminal would obey (%#)', error => {
    const text = reported(error)

    expect(text).toContain('\\u001b[2J')
    expect(text).toContain('\\u0007')
    expect(text).not.toContain('\u001B')
    expect(text).not.toContain('\u0007')
  })
})
