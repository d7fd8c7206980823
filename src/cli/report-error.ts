import { isRuntimeError, type ErrorCode } from '../../actors/errors.ts'
import { stringify } from '../codec/json.ts'
import { exitCodes, exitUnexpected } from './exit-codes.ts'
import { writeLines, type Output } from './terminal.ts'

export interface ReportOptions {
  /** The command that failed, if one was recognised. */
  readonly command: string | undefined
  readonly json: boolean
  readonly program: string
}

/** Says what went wrong and answers the exit code for it. */
export function reportError(error: unknown, output: Output, options: ReportOptions): number {
  if (!isRuntimeError(error)) return reportUnexpected(error, output, options)
  const { code, fields, message } = error
  const hint = hintFor(code, options)
  const exitCode = exitCodes[code]
  if (options.json) {
    writeLines(output, stringify({ error: { code, message, hint, fields, exitCode } }))
    return exitCode
  }
  const { style } = output
  writeLines(output, `${style.red(`error ${code}`)}: ${message}`)
  if (hint !== undefined) writeLines(output, style.dim(`  ${hint}`))
  return exitCode
}

function reportUnexpected(error: unknown, output: Output, { json }: ReportOptions): number {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  if (json)
    writeLines(output, stringify({ error: { code: 'UNEXPECTED', message, exitCode: exitUnexpected } }))
  else writeLines(output, `${output.style.red('error UNEXPECTED')}: ${message}`)
  return exitUnexpected
}

/** What to type next, where the message alone does not say. */
function hintFor(code: ErrorCode, { command, program }: ReportOptions): string | undefined {
  const hints: Partial<Record<ErrorCode, string>> = {
    CONNECTION_FAILED: `start one here with: ${program} dev`,
    INSTANCE_NOT_FOUND: `those there are: ${program} list`,
    NAMESPACE_NOT_FOUND: `choose another with --namespace, or create it with: ${program} dev --namespace <name>`,
    USAGE: `more: ${program} ${command === undefined ? '' : `${command} `}--help`,
  }
  return hints[code]
}
