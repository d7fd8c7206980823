import type { EventObject } from './event.ts'

/** The tag of a state that is committed on entering it, whatever the strategy. */
export const commitTag = 'commit'

/** What a turn has done that no record says yet. */
export interface Held {
  /** How many things have been applied: events, reports of activities, timers. */
  readonly applied: number
  /** Whether no record of the instance exists yet. */
  readonly isNew: boolean
  /** Whether the instance has finished. */
  readonly isFinal: boolean
  /** Whether it only waits: for an event from outside or a timer. */
  readonly isResting: boolean
  /** Whether it asks for something that must not happen before a record says so. */
  readonly isAsking: boolean
}

/**
 * When an instance is committed. Whatever the strategy, nothing is acknowledged, and no message, event or action leaves,
 * before the record that contains it is stored; and nothing is held longer than `maxHoldMs`.
 */
export interface Persistence {
  /** False: no record is ever written, and the instance is gone with its process. */
  readonly isStored: boolean
  /** Whether each thing applied gets a revision of its own. */
  readonly isSingle: boolean
  /** Whether `mustCommit` can ever answer false. */
  readonly mayHold: boolean
  /** Whether activities begin before a record lists them: after a crash they begin again. */
  readonly startsEarly: boolean
  readonly maxHoldMs: number
  /**
   * Whether the state just come to must be committed before anything else is applied.
   *
   * @param snapshot the live one of the root machine
   * @param event the last that was applied
   */
  isChosen(snapshot: unknown, event: EventObject | undefined): boolean
  /** Whether what is held must be committed once nothing more waits. */
  mustCommit(held: Held): boolean
}

/** How long a change may wait for its commit. */
const maxHoldMs = 1000

/** A revision for every drained mailbox. */
export const perTurn: Persistence = Object.freeze({
  isStored: true,
  isSingle: false,
  mayHold: false,
  startsEarly: false,
  maxHoldMs,
  isChosen: () => false,
  mustCommit: () => true,
})

/** A revision for every event. */
export const perTransition: Persistence = Object.freeze({ ...perTurn, isSingle: true })

/** A revision on arrival at rest. After a crash everything since the last rest happens again. */
export const atRest: Persistence = Object.freeze({
  ...perTurn,
  mayHold: true,
  startsEarly: true,
  isChosen: isTagged,
  mustCommit: held => held.isFinal || held.isResting,
} satisfies Persistence)

/** No revision: for work that need not survive. */
export const never: Persistence = Object.freeze({ ...perTurn, isStored: false })

/** A revision at most every `everyMs` or `events` things applied; sooner when something must go out. */
export function everySoOften(everyMs: number, events: number): Persistence {
  return Object.freeze({
    ...perTurn,
    mayHold: true,
    maxHoldMs: everyMs,
    isChosen: isTagged,
    mustCommit: held => isDue(held) || held.applied >= events,
  } satisfies Persistence)
}

/** A revision in the states that the workflow chooses; sooner when something must go out. */
export function whenChosen(
  isChosen: (snapshot: unknown, event: EventObject | undefined) => boolean,
): Persistence {
  return Object.freeze({
    ...perTurn,
    mayHold: true,
    isChosen: (snapshot, event) => isTagged(snapshot) || isChosen(snapshot, event),
    mustCommit: isDue,
  } satisfies Persistence)
}

/** Whether more than a change of state waits for the commit. */
function isDue({ isNew, isFinal, isAsking }: Held): boolean {
  return isNew || isFinal || isAsking
}

function isTagged(snapshot: unknown): boolean {
  return (snapshot as { readonly tags: ReadonlySet<string> }).tags.has(commitTag)
}
