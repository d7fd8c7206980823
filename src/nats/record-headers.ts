/**
 * The headers on the write of a record: a {@link RecordSummary}, for readers that do not decode records.
 *
 * Values are any text, so they are written escaped: `%`, control characters and outer white space become `%XX` per
 * byte of UTF-8. Names of states and events are cut when they are very long; the record has them in full.
 */
import type { RecordSummary } from '../../actors/ports.ts'
import { instanceStatuses, isFinal, type InstanceStatus } from '../../actors/record.ts'
import { Headers, type HeaderReader } from './headers.ts'

/** The most characters of a state or an event that a header shows. */
export const MAX_SHOWN_CHARACTERS = 256

const names = Object.freeze({
  commit: 'Hf-Commit',
  due: 'Hf-Due',
  event: 'Hf-Event',
  input: 'Hf-Input',
  owes: 'Hf-Owes',
  state: 'Hf-State',
  status: 'Hf-Status',
  workflowVersion: 'Hf-Workflow-Version',
})

const statuses: readonly string[] = instanceStatuses

/** The headers of a write, together with the revision it replaces. */
export function recordHeaders(summary: RecordSummary, expected: number): Headers {
  return Headers.of({
    [names.workflowVersion]: String(summary.workflowVersion),
    [names.status]: summary.status,
    [names.state]: headerText(shown(summary.state)),
    [names.event]: headerText(shown(summary.event)),
    [names.commit]: headerText(summary.commit),
    [names.input]: headerText(summary.inputDigest),
    [names.owes]: String(summary.owes),
    ...(summary.dueAt !== undefined && { [names.due]: String(summary.dueAt) }),
    'Nats-Expected-Last-Subject-Sequence': String(expected),
  })
}

/** The summary of a record from its headers; undefined when they are not ours. */
export function summaryOf(headers: HeaderReader): RecordSummary | undefined {
  const status = headers.get(names.status)
  const commit = textOf(headers.get(names.commit))
  const workflowVersion = numberOf(headers.get(names.workflowVersion))
  const owes = numberOf(headers.get(names.owes))
  const due = headers.get(names.due)
  // Older builds wrote parts of milliseconds.
  const dueAt = due === '' ? undefined : Math.ceil(Number(due))
  const isOurs =
    statuses.includes(status) &&
    commit !== '' &&
    Number.isSafeInteger(workflowVersion) &&
    Number.isSafeInteger(owes) &&
    (dueAt === undefined || Number.isSafeInteger(dueAt))
  if (!isOurs) return undefined
  return {
    workflowVersion,
    status: status as InstanceStatus,
    state: textOf(headers.get(names.state)),
    event: textOf(headers.get(names.event)),
    commit,
    inputDigest: textOf(headers.get(names.input)),
    dueAt,
    owes,
  }
}

/** Whether the instance has something to do without being told: what it owes, or a timer. False when they are not ours. */
export function isOwing(headers: HeaderReader): boolean {
  const owes = headers.get(names.owes)
  return (owes !== '' && owes !== '0') || headers.get(names.due) !== ''
}

/** Whether the headers say that the instance goes on; false when they are not ours. */
export function isUnfinished(headers: HeaderReader | undefined): boolean {
  const status = headers?.get(names.status) ?? ''
  return statuses.includes(status) && !isFinal(status as InstanceStatus)
}

/** The commit that wrote the record and the last event in it; both empty when the headers are not ours. */
export function causeOf(headers: HeaderReader | undefined): Pick<RecordSummary, 'commit' | 'event'> {
  return { commit: textOf(headers?.get(names.commit) ?? ''), event: textOf(headers?.get(names.event) ?? '') }
}

/** Text as one header value: no line breaks, nothing that a reader would trim. */
export function headerText(text: string): string {
  // Most names are plain; this runs with every write.
  if (/^[!-$&-~](?:[ -$&-~]*[!-$&-~])?$/.test(text)) return text
  return text.replace(/[%\p{Cc}\u2028\u2029]|^\s+|\s+$/gu, run =>
    Array.from(Buffer.from(run), byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}

/** What {@link headerText} was given. */
export function textOf(value: string): string {
  if (!value.includes('%')) return value
  return value.replace(/(?:%[0-9A-F]{2})+/g, run => Buffer.from(run.replaceAll('%', ''), 'hex').toString())
}

/** Not a number, too, when there is none. */
function numberOf(value: string): number {
  return value === '' ? Number.NaN : Number(value)
}

function shown(text: string): string {
  if (text.length <= MAX_SHOWN_CHARACTERS) return text
  // Cut between characters, not inside a pair of surrogates.
  const cut = text.slice(0, MAX_SHOWN_CHARACTERS - 1).replace(/[\uD800-\uDBFF]$/, '')
  return `${cut}…`
}
