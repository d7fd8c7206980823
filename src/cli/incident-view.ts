import { inspect } from 'node:util'

import { eventTypeOf, type Incident } from '../../actors/incident.ts'
import type { InstanceSnapshot } from '../client/instance-snapshot.ts'
import { formatAddress } from '../workflow/address.ts'
import type { Style } from './style.ts'
import type { Column } from './table.ts'
import { pad, printable } from './text.ts'
import { formatAge, formatDate } from './time.ts'

/** So many lines of a stack say where it was; the rest is XState. */
const mostStackLines = 4

/** A row of a list: a suspended instance without what may be large. */
export interface IncidentRow {
  readonly at: number
  readonly error: string
  readonly event: string
  readonly name: string
  readonly tries: number
}

export function incidentRow({ address, incident }: InstanceSnapshot): IncidentRow {
  const { at, error, tries } = incident!
  return {
    at,
    error: errorText(error),
    event: eventTypeOf(incident!) ?? '',
    name: formatAddress(address),
    tries,
  }
}

export function incidentColumns(style: Style, now: number): Column<IncidentRow>[] {
  return [
    { title: 'INSTANCE', text: ({ name }) => name, paint: text => style.bold(text) },
    { title: 'AGE', align: 'right', text: ({ at }) => formatAge(now - at) },
    { title: 'TRIES', align: 'right', text: ({ tries }) => String(tries) },
    { title: 'EVENT', cut: 'start', text: ({ event }) => event },
    { title: 'ERROR', cut: 'end', text: ({ error }) => error, paint: text => style.red(text) },
  ]
}

/** A suspended instance, for programs. */
export function incidentJson({ address, incident, revision }: InstanceSnapshot): object {
  return { address: formatAddress(address), ...address, revision, incident }
}

/** What has suspended an instance, for people. */
export function describeIncident(incident: Incident, now: number, style: Style): string[] {
  const { actor, at, code, error, tries } = incident
  const event = eventTypeOf(incident)
  const when = `${formatDate(new Date(at))}, ${formatAge(now - at)} ago`
  const rows = [
    ['Code', code],
    ...(event === undefined ? [] : [['Event', event]]),
    ...(actor === '' ? [] : [['Actor', actor]]),
    ['Thrown', tries === 1 ? when : `${when}, the last of ${tries} tries`],
    ['Error', errorText(error)],
  ] as const
  const facts = rows.map(([title, text]) => `${style.dim(pad(title!, 10))}${printable(text!)}`)
  return [...facts, ...stackOf(error).map(line => style.dim(pad('', 10) + printable(line)))]
}

function errorText(error: unknown): string {
  if (error instanceof Error) return `${error.name}: ${error.message}`
  return inspect(error, { breakLength: Infinity })
}

function stackOf(error: unknown): string[] {
  if (!(error instanceof Error) || error.stack === undefined) return []
  const lines = error.stack.split('\n').map(line => line.trim())
  return lines.filter(line => line.startsWith('at ')).slice(0, mostStackLines)
}
