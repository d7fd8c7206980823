import { endedIn, type Incident } from '../../actors/incident.ts'
import type { EventObject } from '../../actors/event.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { entryOf } from './bugs.ts'

/** What an event of a sender is written down as. */
export function entryFor(event: EventObject): string {
  const tag = String(event['tag'])
  return event.type === 'TOLD' ? `told ${tag}` : tag
}

/** What has become of the incidents of an instance. */
export class Incidents {
  /** The entries at which it was ever suspended. */
  readonly kept = new Set<string>()
  /** Those that somebody has dropped. */
  readonly skipped = new Set<string>()
  /** By path and incarnation, the activities whose end an incident has kept. */
  readonly ended = new Set<string>()

  /**
   * Takes note of the next record.
   *
   * @param control type of the control envelope that it has taken
   */
  note(last: InstanceRecord | undefined, next: InstanceRecord, control: string | undefined): void {
    const before = last?.incident
    const { incident } = next
    if (before !== undefined && control === 'skip') this.skipped.add(keptEntry(before) ?? '')
    if (incident === undefined) return
    this.kept.add(keptEntry(incident) ?? '')
    const ended = endedIn(incident)
    if (ended !== undefined) this.ended.add(`${ended.path}/${ended.incarnation}`)
  }
}

/** What would be written by the step that an incident keeps; undefined when it keeps none. */
export function keptEntry(incident: Incident | undefined): string | undefined {
  const cause = incident?.cause
  if (cause?.type === 'envelope' && cause.envelope.type === 'send') return entryFor(cause.envelope.event)
  if (cause?.type === 'timer' && cause.event.type === 'RANG') return `rang ${String(cause.event['tag'])}`
  return entryOf(incident?.error)
}
