import type { AnyStateMachine, EventFrom, SnapshotFrom } from 'xstate'

import {
  atRest,
  everySoOften,
  never,
  perTransition,
  perTurn,
  whenChosen,
  type Persistence,
} from '../../actors/persistence.ts'
import { parseDuration, type Duration } from './duration.ts'

/**
 * When an instance is stored. In all of them nothing is acknowledged before the commit that covers it; an event applied
 * and not yet committed when a process dies comes again.
 *
 * - `turn`: once for all events that wait, the default. Highest throughput that stores every rest.
 * - `transition`: for each event; every state it has been in is a revision.
 * - `rest`: when it only waits for an event from outside or a timer, or has finished, at the latest after 1 s. Activities
 *   begin before they are stored: after a crash those since the last rest run again, under other idempotency keys
 *   where the crash changed their order.
 * - `{ every, events }`: at most every so often, or so many events (default 1000); sooner when a step asks for something:
 *   an activity, a message, an emitted event, an action. After a crash only state changes are stepped again.
 * - a function: where it answers true; sooner as above, and at the latest after 1 s. One that throws is treated like a
 *   guard that throws.
 * - `none`: never. Lost with the process; not to be read, listed or watched.
 *
 * With all that hold back, a state tagged `commit` is stored on entering it.
 */
export type Persist<TMachine extends AnyStateMachine> =
  | 'none'
  | 'rest'
  | 'transition'
  | 'turn'
  | { readonly every: Duration; readonly events?: number }
  | ((snapshot: SnapshotFrom<TMachine>, event: EventFrom<TMachine> | undefined) => boolean)

const named: Readonly<Record<string, Persistence>> = {
  none: never,
  rest: atRest,
  transition: perTransition,
  turn: perTurn,
}

const defaultEvents = 1000
const longestMs = 60_000

/**
 * The strategy that an option asks for.
 *
 * @throws Error saying what the option may be
 */
export function resolvePersist(option: unknown): Persistence {
  if (option === undefined) return perTurn
  if (typeof option === 'function') return whenChosen(option as Parameters<typeof whenChosen>[0])
  if (typeof option === 'string' && Object.hasOwn(named, option)) return named[option]!
  if (typeof option !== 'object' || option === null || !('every' in option)) {
    throw new Error("must be 'turn', 'transition', 'rest', 'none', { every, events } or a function")
  }
  const { every, events = defaultEvents } = option as { readonly every: Duration; readonly events?: number }
  const everyMs = parseDuration(every, 'every')
  if (everyMs < 1 || everyMs > longestMs) throw new Error('every must be 1 ms to 1 min')
  if (!Number.isSafeInteger(events) || events < 1) throw new Error('events must be a whole number from 1')
  return everySoOften(everyMs, events)
}
