/** One way of running a machine, so that two ways can be compared event by event. */
import type { AnyStateMachine } from 'xstate'

import type { EventObject } from '../../actors/event.ts'
import type { PersistedSnapshot } from '../../actors/snapshot.ts'

/** Runs one machine in virtual time. Every driver starts at the same moment. */
export interface Driver {
  start(machine: AnyStateMachine, input?: unknown): void
  send(event: EventObject): void
  /** Lets virtual time pass; timers fire at the moment they are due, in the order they are due. */
  advance(ms: number): void
  /** Lets running leaves get on until nothing more happens at the present virtual time. */
  settle(): Promise<void>
  /** What the outside can see of the machine: references to actors are plain data. */
  readonly view: View
  /** What the root machine has emitted so far. */
  readonly emitted: readonly EventObject[]
  /** Stops whatever still runs. */
  stop(): void
}

/** The visible part of an actor: the input that a promise or callback keeps while it runs is none. */
export interface View {
  readonly status: PersistedSnapshot['status']
  readonly value: unknown
  readonly context: unknown
  readonly output: unknown
  readonly error: unknown
  /** The actors it has; none once it has finished. */
  readonly children: Readonly<Record<string, View>>
}

/** When virtual time begins: milliseconds since the epoch. */
export const epoch = Date.UTC(2030, 0, 1)

/** The id of the root actor in every driver. */
export const rootId = 'conformance/case'

/** What a persisted snapshot shows. */
export function viewOf(snapshot: PersistedSnapshot): View {
  const { status, value, context, output, error } = snapshot
  const children = status === 'active' ? Object.entries(snapshot.children ?? {}) : []
  // XState numbers actors without an id, through all actors of a process, and knows some only as 'undefined'.
  let nameless = 0
  const nameOf = (id: string) => (/^(x:\d+|undefined)$/.test(id) ? `nameless ${++nameless}` : id)
  return {
    status,
    value,
    context: withPlainMarks(context),
    output,
    error,
    children: Object.fromEntries(children.map(([id, child]) => [nameOf(id), viewOf(child.snapshot)])),
  }
}

/** What is stored may tell more about a reference to an actor than XState does: only what XState tells is shown. */
function withPlainMarks(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withPlainMarks)
  if (typeof part !== 'object' || part === null || Object.getPrototypeOf(part) !== Object.prototype)
    return part
  if ('xstate$$type' in part && 'id' in part) return { xstate$$type: part.xstate$$type, id: part.id }
  return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, withPlainMarks(value)]))
}

/** Resolves once everything that was ready to run has run. */
export function macrotask(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}
