import type { DeadLetter } from '../client/dead-letters.ts'
import { formatAddress } from '../workflow/address.ts'
import { indented, inspected, section, type View } from './commands/show.ts'
import type { Style } from './style.ts'
import type { Column } from './table.ts'
import { pad, printable } from './text.ts'
import { formatAge, formatDate } from './time.ts'

/** So much is shown of bytes that are no envelope. */
const mostCharacters = 2_000

/** A row of a list: a letter without what may be large. */
export interface DeadLetterRow {
  readonly code: string
  readonly reason: string
  readonly seq: number
  /** Whom it was for, else where it was published. */
  readonly target: string
  readonly time: Date
  /** The type of the event, or of the envelope. */
  readonly what: string
}

export function deadLetterRow(letter: DeadLetter): DeadLetterRow {
  const { code, reason, seq, time } = letter
  return { code, reason, seq, target: targetOf(letter), time, what: whatOf(letter) }
}

export function deadLetterColumns(style: Style, now: number): Column<DeadLetterRow>[] {
  return [
    { title: 'SEQ', align: 'right', text: ({ seq }) => String(seq), paint: text => style.bold(text) },
    { title: 'AGE', align: 'right', text: ({ time }) => formatAge(now - time.getTime()) },
    { title: 'CODE', text: ({ code }) => code, paint: text => style.red(text) },
    { title: 'FOR', cut: 'start', text: ({ target }) => target },
    { title: 'WHAT', cut: 'end', text: ({ what }) => what },
    {
      title: 'REASON',
      cut: 'end',
      isOptional: true,
      text: ({ reason }) => reason,
      paint: text => style.dim(text),
    },
  ]
}

/** A letter in full, for people. */
export function describeDeadLetter(letter: DeadLetter, view: View): string[] {
  const { code, envelope, origin, problem, reason, seq, sizeBytes, time } = letter
  const { now, style } = view
  const rows = [
    ['For', targetOf(letter)],
    ['Reason', reason],
    ['Kept', `${formatDate(time)}, ${formatAge(now - time.getTime())} ago`],
    ['From', `${origin.subject}, message ${origin.seq} of ${origin.stream}`],
    ['Size', `${sizeBytes} bytes`],
    ...(problem === undefined ? [] : [['No replay', problem]]),
  ] as const
  const facts = rows.map(([title, text]) => `${style.dim(pad(title!, 10))}${printable(text!)}`)
  return [
    `${style.bold(`dead letter ${seq}`)}  ${style.red(printable(code))}`,
    '',
    ...indented(facts),
    ...section('Envelope', envelope === undefined ? [] : inspected(envelope, view), style),
    ...section('Bytes', envelope === undefined ? bytesLines(letter) : [], style),
  ]
}

/** The same for programs: the bytes only where they are no envelope. */
export function deadLetterJson(letter: DeadLetter): object {
  const { code, data, envelope, origin, problem, reason, seq, sizeBytes, target, time } = letter
  return {
    seq,
    time,
    code,
    reason,
    ...(target !== undefined && { address: formatAddress(target), ...target }),
    ...(envelope === undefined ? { problem, data } : { envelope }),
    origin,
    sizeBytes,
  }
}

function targetOf({ origin, target }: DeadLetter): string {
  return target === undefined ? origin.subject : formatAddress(target)
}

function whatOf({ envelope }: DeadLetter): string {
  if (envelope === undefined) return ''
  return envelope.type === 'send' ? envelope.event.type : envelope.type
}

/** As text where they are, else as hexadecimal digits. */
function bytesLines({ data }: DeadLetter): string[] {
  if (data.length === 0) return []
  const shown = shownBytes(data)
  const cut = shown.length > mostCharacters ? `${shown.slice(0, mostCharacters)}…` : shown
  return cut.split('\n').map(printable)
}

function shownBytes(data: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(data)
  } catch {
    // Not text: nothing is wrong with that.
    return Buffer.from(data.subarray(0, mostCharacters)).toString('hex')
  }
}
