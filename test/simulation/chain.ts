import type { RecordSummary } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { Envelope } from '../../actors/envelope.ts'
import type { EventObject } from '../../actors/event.ts'
import { isFinal as isFinalStatus, type InstanceRecord } from '../../actors/record.ts'
import { decodeRecord } from '../../src/codec/record.ts'
import type { MemoryRecord } from '../../src/memory/namespace.ts'
import { entryFor, Incidents } from './kept-incidents.ts'
import type { LedgerContext } from './ledger.ts'

/** The records of an instance so far, the last one in full. */
export interface Chain {
  readonly address: Address
  readonly record: InstanceRecord
  readonly summary: RecordSummary
  /** What it has gone through; empty for what is not a ledger. */
  readonly log: readonly string[]
  readonly harvests: LedgerContext['harvests']
  /** What the last record has added to it. */
  readonly added: readonly string[]
  readonly commits: Set<string>
  /** Everything that a record has asked for: effects by their id, activities by path and incarnation. */
  readonly asked: Set<string>
  readonly incidents: Incidents
  /** Type of the control envelope that the last record has taken, if any: what happened by it may be its event. */
  readonly control: Envelope['type'] | undefined
}

/**
 * The chain with that record as its last, which takes over the sets of the chain before.
 *
 * @param controls the type of each control envelope, by its id
 */
export function linked(
  chain: Chain | undefined,
  { address, data, summary }: MemoryRecord,
  controls: ReadonlyMap<string, Envelope['type']>,
): Chain {
  const record = decodeRecord(data)
  // There is none before the first step has succeeded.
  const { harvests = [], log = [] } = (record.snapshot.context ?? {}) as Partial<LedgerContext>
  const { asked, commits, incidents } = chain ?? {
    asked: new Set(),
    commits: new Set(),
    incidents: new Incidents(),
  }
  const taken = idsTaken(record).find(id => controls.has(id) && !idsTaken(chain?.record).includes(id))
  const control = taken === undefined ? undefined : controls.get(taken)
  incidents.note(chain?.record, record, control)
  for (const { path, incarnation } of record.activities) asked.add(`${path}/${incarnation}`)
  for (const { effectId } of record.outbox) asked.add(effectId)
  const added = log.slice(chain?.log.length ?? 0)
  return { address, record, summary: summary!, log, harvests, added, asked, commits, incidents, control }
}

/** The last envelopes that it has taken. */
function idsTaken(record: InstanceRecord | undefined): readonly string[] {
  return [...(record?.recent ?? []), ...(record?.control?.recent ?? [])]
}

export function isFinal(chain: Chain | undefined): boolean {
  return chain !== undefined && isFinalStatus(chain.record.status)
}

/** Whether it has been cancelled: it may pass over what it is sent. */
export function isUnwanted(chain: Chain | undefined): boolean {
  return chain?.record.cancellation !== undefined
}

/** Whether the event has been applied. */
export function isApplied(chain: Chain | undefined, event: EventObject): boolean {
  return chain?.log.includes(entryFor(event)) === true
}

/** Whether an incident has kept the event, once. */
export function isKept(chain: Chain | undefined, event: EventObject): boolean {
  return chain?.incidents.kept.has(entryFor(event)) === true
}

/** Whether it is stopped: nothing of it runs. */
export function isStopped(chain: Chain | undefined): boolean {
  return chain?.record.status === 'paused' || chain?.record.status === 'suspended'
}

/** What shows that the next record was not made from the last one. */
export function brokenBy(last: Chain, next: Chain): string | undefined {
  if (last.commits.has(next.summary.commit)) return 'one commit is stored twice'
  if (last.log.some((entry, index) => next.log[index] !== entry)) {
    return `it was not stepped from the last record: ${last.log.join(', ')} became ${next.log.join(', ')}`
  }
  if (next.record.cursor < last.record.cursor) return 'its cursor goes back'
  if ((next.record.control?.cursor ?? 0) < (last.record.control?.cursor ?? 0))
    return 'its cursor for control envelopes goes back'
  if (last.record.status === 'paused' && next.added.length > 0) return 'it was paused'
  if (isStopped(next) && next.summary.dueAt !== undefined)
    return `it is ${next.record.status}, and something is due`
  if (next.record.counter < last.record.counter) return 'its counter goes back'
  if (isFinal(last) && (next.added.length > 0 || !isFinal(next))) return 'it had finished'
  return wrongCancellation(last.record, next.record)
}

/** Who is cancelled stays so, and may only have less time for it. */
function wrongCancellation(last: InstanceRecord, next: InstanceRecord): string | undefined {
  if (last.cancellation === undefined) return undefined
  if (next.cancellation === undefined) return 'it was cancelled'
  if (next.cancellation.deadline > last.cancellation.deadline) return 'its deadline was put off'
  if (next.status === 'running' || next.status === 'done') return `it was cancelled, and is ${next.status}`
  return undefined
}
