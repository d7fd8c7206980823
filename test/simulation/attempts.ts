/** What must hold of the attempts of activities, across all processes that make them. */
import { isLive, type ActivityRecord } from '../../actors/record.ts'
import type { Chain } from './chain.ts'

/** How far an attempt is, as its heartbeat says. */
export interface Beat {
  readonly attempt: number
  readonly count: number
}

export interface StoredAttempts {
  /** Undefined for the first record. */
  readonly last: Chain | undefined
  readonly next: Chain
  /** Who has stored it, and whether the same has stored one before: then it may do a turn again, and nothing has ended. */
  readonly process: string
  readonly hasStored: boolean
  /** Whether an instance may have been held, so that not all attempts that ended did so with their process. */
  readonly mayBeHeld: boolean
  /** By how much it would be too late to end something now that was due then; 0 or less: not at all. */
  readonly latenessOf: (dueAt: number) => number
}

export class Attempts {
  /** By invocation and attempt, the heartbeat that it is told of. */
  readonly #asked = new Map<string, Beat | undefined>()
  readonly #begun = new Set<string>()
  /** By process, invocation and attempt, its last heartbeat. */
  readonly #beats = new Map<string, Beat>()

  /** A record is stored. Answers what is wrong with its activities. */
  stored(context: StoredAttempts): string | undefined {
    const { last, next } = context
    const { id, workflow } = next.address
    for (const activity of next.record.activities) {
      if (activity.src !== 'work') continue
      const { attempt, incarnation, path, permit, retryAt } = activity
      const invocation = `${workflow}/${id}/${path}/${incarnation}`
      const before = last?.record.activities.find(
        each => each.path === path && each.incarnation === incarnation,
      )
      const name = `${invocation} ${attempt}`
      const wrong =
        before &&
        (wrongSuccessor(before, activity, context) ??
          this.#lostBeat(before, activity, `${context.process} ${name}`))
      if (wrong !== undefined) return `attempt ${attempt} of ${path}: ${wrong}`
      // One that waits for a permit must not begin yet.
      const mayBegin = retryAt === undefined && permit?.isHeld !== false
      if (mayBegin && !this.#asked.has(name))
        this.#asked.set(name, activity.lastHeartbeat as Beat | undefined)
    }
    return undefined
  }

  /** An attempt begins. Answers what is wrong with that. */
  begins(invocation: string, attempt: number, lastHeartbeat: unknown): string | undefined {
    const name = `${invocation} ${attempt}`
    if (!this.#asked.has(name)) return `attempt ${attempt} is in no record`
    if (this.#begun.has(name)) return `attempt ${attempt} has begun before`
    this.#begun.add(name)
    const told = JSON.stringify(lastHeartbeat)
    const stored = JSON.stringify(this.#asked.get(name))
    return told === stored ? undefined : `attempt ${attempt} is told of heartbeat ${told}, not ${stored}`
  }

  beats(process: string, invocation: string, beat: Beat): void {
    this.#beats.set(`${process} ${invocation} ${beat.attempt}`, beat)
  }

  /** When the failure of an attempt is stored, its last heartbeat is, too. */
  #lostBeat(
    before: ActivityRecord,
    { attempt, lastHeartbeat, retryAt }: ActivityRecord,
    key: string,
  ): string | undefined {
    if (retryAt === undefined || before.retryAt !== undefined || before.attempt !== attempt) return undefined
    const beat = this.#beats.get(key)
    if (beat === undefined || JSON.stringify(beat) === JSON.stringify(lastHeartbeat)) return undefined
    return `heartbeat ${JSON.stringify(beat)} is lost, stored is ${JSON.stringify(lastHeartbeat)}`
  }
}

function wrongSuccessor(
  before: ActivityRecord,
  after: ActivityRecord,
  { hasStored, last, latenessOf, mayBeHeld, next }: StoredAttempts,
): string | undefined {
  if (after.attempt < before.attempt) return `attempt ${before.attempt} was before it`
  if (after.deadlineAt !== before.deadlineAt) return 'the time for all attempts has changed'
  if (positionOf(after) < positionOf(before)) return 'its heartbeat goes back'
  const ranAll = isLive(last!.record.status) && isLive(next.record.status) && !mayBeHeld
  if (!ranAll) return undefined
  if (after.deadlineAt !== undefined && latenessOf(after.deadlineAt) > 0) return 'its time is over'
  const isLost = !hasStored && before.retryAt === undefined && after.attempt === before.attempt + 1
  const isCounted = after.restarts !== undefined && after.restarts.at(-1) !== before.restarts?.at(-1)
  return isLost && !isCounted ? 'its restart is not counted' : undefined
}

function positionOf({ lastHeartbeat }: ActivityRecord): number {
  const beat = lastHeartbeat as Beat | undefined
  return beat === undefined ? 0 : beat.attempt * 10 + beat.count
}
