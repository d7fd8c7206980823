/** What must hold of a suspended instance, from one of its records to the next. */
import { endedIn } from '../../actors/incident.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { entryOf } from './bugs.ts'
import type { Chain } from './chain.ts'

/** What has become of the incidents of an instance. */
export class Incidents {
  /** The entries at which it was ever suspended. */
  readonly kept = new Set<string>()
  /** Those that somebody has dropped. */
  readonly skipped = new Set<string>()
  /** By path and incarnation, the activities whose end an incident has kept. */
  readonly ended = new Set<string>()

  /** Takes note of the next record. */
  note(last: InstanceRecord | undefined, next: InstanceRecord, event: string): void {
    const before = last?.incident
    const { incident } = next
    if (before !== undefined && incident === undefined && event === 'skip') {
      this.skipped.add(entryOf(before.error) ?? '')
    }
    if (incident === undefined) return
    this.kept.add(entryOf(incident.error) ?? '')
    const ended = endedIn(incident)
    if (ended !== undefined) this.ended.add(`${ended.path}/${ended.incarnation}`)
  }
}

/** What is wrong with how an instance was suspended, or has gone on after that. */
export function wrongIncident(last: Chain | undefined, next: Chain): string | undefined {
  const before = last?.record.incident
  const { incident } = next.record
  if ((next.record.status === 'suspended') !== (incident !== undefined)) {
    return `it is ${next.record.status}, with ${incident === undefined ? 'no' : 'an'} incident`
  }
  const again = next.added.find(entry => next.incidents.skipped.has(entry) && !entry.startsWith('heard '))
  if (again !== undefined) return `${again}, which somebody has dropped`
  if (incident !== undefined) {
    const entry = entryOf(incident.error)
    if (entry === undefined && incident.code !== 'RESTARTS_EXCEEDED')
      return `it is suspended by ${String(incident.error)}`
    if (entry !== undefined && next.log.includes(entry) && !entry.startsWith('heard '))
      return `${entry} has thrown, and is there`
    if (before === undefined)
      return incident.tries === 1 ? undefined : `its first try is number ${incident.tries}`
    if (next.added.length > 0) return 'it was suspended'
    const risen = entry === entryOf(before.error) ? incident.tries - before.tries : 1 - incident.tries
    return risen === 0 || risen === 1 ? undefined : `its tries were ${before.tries} and are ${incident.tries}`
  }
  return before === undefined ? undefined : wrongEnd(last!, next, entryOf(before.error))
}

/** It is not suspended any more. */
function wrongEnd(last: Chain, next: Chain, entry: string | undefined): string | undefined {
  const { event, status } = next.summary
  const isCancelled = last.record.cancellation === undefined && next.record.cancellation !== undefined
  const isDropped = isCancelled || event === 'skip' || event === 'fail'
  const wanted = isDropped ? '' : (entry ?? '')
  if (event === 'fail' && status !== 'failed') return `it was to fail, and is ${status}`
  return next.added.join() === wanted ? undefined : `by ${event} came '${next.added.join()}', not '${wanted}'`
}
