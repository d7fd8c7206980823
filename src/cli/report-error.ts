import { isRuntimeError, type ErrorCode, type RuntimeError } from '../../actors/errors.ts'
import { stringify } from '../codec/json.ts'
import { exitCodes, exitUnexpected } from './exit-codes.ts'
import { nearest } from './suggest.ts'
import { writeLines, type Output } from './terminal.ts'
import { printable } from './text.ts'

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
  const hint = hintFor(error, options)
  const exitCode = exitCodes[code]
  if (options.json) {
    writeLines(output, stringify({ error: { code, message, hint, fields, exitCode } }))
    return exitCode
  }
  const { style } = output
  const [summary, ...details] = messageLines(error).map(printable)
  writeLines(output, `${style.red(`error ${code}`)}: ${summary}`, ...details.map(detail => `  ${detail}`))
  if (hint !== undefined) writeLines(output, style.dim(`  ${printable(hint)}`))
  return exitCode
}

/** The message; where a schema found several things wrong, each on a line of its own. */
function messageLines({ fields, message }: RuntimeError): string[] {
  const issues = Array.isArray(fields['issues']) ? (fields['issues'] as SchemaIssueField[]) : []
  const texts = issues.map(issue => `${issue.path}: ${issue.message}`)
  const at = texts.length < 2 ? -1 : message.indexOf(`: ${texts[0]}`)
  return at < 0 ? message.split('\n') : [message.slice(0, at), ...texts]
}

/** As `validate` puts it into the fields of its error. */
interface SchemaIssueField {
  readonly path: string
  readonly message: string
}

function reportUnexpected(error: unknown, output: Output, { json }: ReportOptions): number {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  if (json)
    writeLines(output, stringify({ error: { code: 'UNEXPECTED', message, exitCode: exitUnexpected } }))
  else {
    const lines = message.split('\n').map(printable)
    writeLines(output, `${output.style.red('error UNEXPECTED')}: ${lines.join('\n')}`)
  }
  return exitUnexpected
}

/** What to type next, where the message alone does not say. */
function hintFor({ code, fields }: RuntimeError, { command, program }: ReportOptions): string | undefined {
  const hints: Partial<Record<ErrorCode, string | undefined>> = {
    CONNECTION_FAILED: `start one here with: ${program} dev`,
    DEAD_LETTER_NOT_FOUND: `those there are: ${program} dead`,
    INSTANCE_NOT_FOUND: `those there are: ${program} list`,
    NAMESPACE_NOT_FOUND: `choose another with --namespace, or create it with: ${program} dev --namespace <name>`,
    USAGE: `more: ${program} ${command === undefined ? '' : `${command} `}--help`,
    WORKFLOW_UNKNOWN:
      meantWorkflow(fields) ?? (command === 'watch' ? 'an instance is written workflow/id' : undefined),
  }
  return hints[code]
}

function meantWorkflow({ known, workflow }: RuntimeError['fields']): string | undefined {
  if (!Array.isArray(known)) return undefined
  const meant = nearest(String(workflow), known as readonly string[])
  return meant === undefined ? undefined : `did you mean ${meant}?`
}
