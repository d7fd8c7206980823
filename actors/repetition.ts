import { isControl, isOvertaking, type Delivery, type Envelope, type SourcePosition } from './envelope.ts'
import type { InstanceRecord } from './record.ts'

/** How many ids of applied envelopes a record remembers, of those that nothing else tells. */
const recentLimit = 8

/**
 * How many sources a record remembers, those heard last. A message that an older one sends again is recognised only as
 * long as the inbox knows its id.
 */
const sourceLimit = 256

/** What a record remembers of the envelopes applied to it. */
export type Applied = Pick<InstanceRecord, 'control' | 'cursor' | 'recent' | 'sources'>

/** Before any envelope. */
export const nothingApplied: Applied = Object.freeze({
  control: undefined,
  cursor: 0,
  recent: [],
  sources: {},
})

/**
 * Whether the envelope has come before. `duplicate`: it has been applied. It is at or below the cursor (delivered again),
 * its id is among the last applied (sent again), or its source has gone past it (replayed by an ordered source).
 * `repeated`: it was sent again, and the first has been settled so long ago that its id would be forgotten, had it been
 * applied; so it may have been, or refused. With fewer ids than are remembered nothing is forgotten.
 *
 * Control envelopes may come before others that were sent earlier. Each of the two kinds comes in order, so each has a
 * cursor of its own, and neither says anything about the other. A control envelope that has waited with the others is one
 * of them.
 */
export function repetitionOf(applied: Applied, delivery: Delivery): 'duplicate' | 'repeated' | undefined {
  const { envelope, repeats, seq } = delivery
  const { cursor, recent } = isOvertaking(delivery) ? (applied.control ?? nothingApplied) : applied
  if (seq <= cursor || recent.includes(envelope.id)) return 'duplicate'
  const source = isControl(envelope) ? undefined : envelope.source
  const isPast = source !== undefined && source.position <= (applied.sources[source.name] ?? -1)
  if (isPast) return 'duplicate'
  const mayBeForgotten = repeats !== undefined && repeats <= cursor && recent.length >= recentLimit
  return mayBeForgotten ? 'repeated' : undefined
}

/** What is remembered once the envelope has been applied too. */
export function withApplied(applied: Applied, envelope: Envelope, seq: number): Applied {
  const { control, recent, sources } = applied
  const source = isControl(envelope) ? undefined : envelope.source
  if (source !== undefined) return { control, cursor: seq, recent, sources: withSource(sources, source) }
  // How an activity has ended is told to an invocation, which is over then.
  if (envelope.type === 'settle') return { control, cursor: seq, recent, sources }
  return { control, cursor: seq, recent: [...recent.slice(1 - recentLimit), envelope.id], sources }
}

/** The same for a control envelope that came ahead of others. */
export function withControlApplied(applied: Applied, { id }: Envelope, seq: number): Applied {
  const { cursor, recent, sources } = applied
  const ids = applied.control?.recent.slice(1 - recentLimit) ?? []
  return { control: { cursor: seq, recent: [...ids, id] }, cursor, recent, sources }
}

/** The source heard now stands last; beyond the limit the first one is forgotten. */
function withSource(sources: Applied['sources'], { name, position }: SourcePosition): Applied['sources'] {
  const others: Record<string, number> = { ...sources }
  delete others[name]
  const names = Object.keys(others)
  if (names.length >= sourceLimit) delete others[names[0]!]
  return { ...others, [name]: position }
}
