/** What must hold of a suspended instance, from one of its records to the next. */
import type { Chain } from './chain.ts'
import { keptEntry } from './kept-incidents.ts'

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
    const entry = keptEntry(incident)
    if (entry === undefined && incident.code !== 'RESTARTS_EXCEEDED')
      return `it is suspended by ${String(incident.error)}`
    if (entry !== undefined && next.log.includes(entry) && !entry.startsWith('heard '))
      return `${entry} has thrown, and is there`
    if (before === undefined)
      return incident.tries === 1 ? undefined : `its first try is number ${incident.tries}`
    if (next.added.length > 0) return 'it was suspended'
    // The next incident, or the same, once more or not.
    if ([1, before.tries, before.tries + 1].includes(incident.tries)) return undefined
    return `its tries were ${before.tries} and are ${incident.tries}`
  }
  return before === undefined ? undefined : wrongEnd(last!, next, keptEntry(before))
}

/** It is not suspended any more. */
function wrongEnd(last: Chain, next: Chain, entry: string | undefined): string | undefined {
  const { control } = next
  const { status } = next.summary
  const isCancelled = last.record.cancellation === undefined && next.record.cancellation !== undefined
  const isDropped = isCancelled || control === 'skip' || control === 'fail'
  const wanted = isDropped ? '' : (entry ?? '')
  if (control === 'fail' && status !== 'failed') return `it was to fail, and is ${status}`
  return next.added.join() === wanted
    ? undefined
    : `by ${control} came '${next.added.join()}', not '${wanted}'`
}
