import type { Envelope, SourcePosition } from './envelope.ts'
import type { InstanceRecord } from './record.ts'

/** How many ids of applied envelopes a record remembers. */
const recentLimit = 8

/**
 * How many sources a record remembers, those heard last. A message that an older one sends again is recognised only as
 * long as the inbox knows its id.
 */
const sourceLimit = 256

/** What a record remembers of the envelopes applied to it. */
export type Applied = Pick<InstanceRecord, 'cursor' | 'recent' | 'sources'>

/** Before any envelope. */
export const nothingApplied: Applied = Object.freeze({ cursor: 0, recent: [], sources: {} })

/**
 * True when the envelope has been applied before: it is at or below the cursor (delivered again), its id is among
 * the last applied (sent again), or its source has gone past it (replayed by an ordered source).
 */
export function isRepetition(applied: Applied, envelope: Envelope, seq: number): boolean {
  if (seq <= applied.cursor || applied.recent.includes(envelope.id)) return true
  const { source } = envelope
  return source !== undefined && source.position <= (applied.sources[source.name] ?? -1)
}

/** What is remembered once the envelope has been applied too. */
export function withApplied(applied: Applied, envelope: Envelope, seq: number): Applied {
  const { id, source } = envelope
  const recent = [...applied.recent.slice(1 - recentLimit), id]
  const { sources } = applied
  if (source === undefined) return { cursor: seq, recent, sources }
  return { cursor: seq, recent, sources: withSource(sources, source) }
}

/** The source heard now stands last; beyond the limit the first one is forgotten. */
function withSource(sources: Applied['sources'], { name, position }: SourcePosition): Applied['sources'] {
  const others: Record<string, number> = { ...sources }
  delete others[name]
  const names = Object.keys(others)
  if (names.length >= sourceLimit) delete others[names[0]!]
  return { ...others, [name]: position }
}
