import type { AnyActorRef } from 'xstate'

import { isActorRef } from '../actor-ref.ts'
import type { PersistedSnapshot } from '../snapshot.ts'
import { isMachine } from './logic.ts'

/**
 * What `getPersistedSnapshot` of XState answers, for a machine, without what is undefined. Its own copies every
 * property but twelve that it names, which on a snapshot fresh from a step costs as much as the step.
 */
export function persist(snapshot: any): PersistedSnapshot {
  const { status, output, error, value, context } = snapshot
  const children: Record<string, any> = {}
  for (const id in snapshot.children) {
    const child = snapshot.children[id]
    children[child.id] = {
      snapshot: isMachine(child.logic) ? persist(child.getSnapshot()) : child.getPersistedSnapshot(),
      src: child.src,
    }
    if (child.systemId !== undefined) children[child.id].systemId = child.systemId
    if (child._syncSnapshot === true) children[child.id].syncSnapshot = true
  }
  const persisted: Record<string, unknown> = { status, value, context: storable(context), children }
  if (output !== undefined) persisted['output'] = output
  if (error !== undefined) persisted['error'] = error
  for (const id in snapshot.historyValue) {
    const history = (persisted['historyValue'] ??= {}) as Record<string, unknown>
    history[id] = snapshot.historyValue[id].map((node: { id: string }) => ({ id: node.id }))
  }
  return persisted as unknown as PersistedSnapshot
}

/** The context with marks for actors. One that cannot be walked, such as one inside itself, is for the codec to refuse. */
function storable(context: unknown): unknown {
  try {
    return withoutRefs(context)
  } catch {
    return context
  }
}

/** Replaces references to actors by their marks, copying only what contains one. */
function withoutRefs(part: any): any {
  return Array.isArray(part) ? itemsWithoutRefs(part) : fieldsWithoutRefs(part)
}

function fieldsWithoutRefs(fields: any): any {
  let copy: any
  for (const name in fields) {
    const value = fields[name]
    if (typeof value !== 'object' || value === null) continue
    const stored = isActorRef(value) ? markOf(value) : withoutRefs(value)
    if (stored !== value) (copy ??= { ...fields })[name] = stored
  }
  return copy ?? fields
}

function itemsWithoutRefs(items: any[]): any[] {
  let copy: any[] | undefined
  for (let index = 0; index < items.length; index++) {
    const value = items[index]
    if (typeof value !== 'object' || value === null) continue
    const stored = isActorRef(value) ? markOf(value) : withoutRefs(value)
    if (stored !== value) (copy ??= [...items])[index] = stored
  }
  return copy ?? items
}

function markOf({ id, sessionId }: AnyActorRef): object {
  return { xstate$$type: 1, id, session: sessionId }
}

/** Every mark of a reference in a persisted snapshot, with where it stands. Made before XState consumes them. */
export function marksOf(snapshot: any): { holder: any; key: string; session: string; id: string }[] {
  const marks: any[] = []
  const walk = (part: any) => {
    for (const key in part) {
      const value = part[key]
      if (typeof value !== 'object' || value === null) continue
      if (value.xstate$$type === 1) marks.push({ holder: part, key, session: value.session, id: value.id })
      else walk(value)
    }
  }
  const visit = (one: any) => {
    walk(one.context)
    for (const id in one.children) visit(one.children[id].snapshot)
  }
  visit(snapshot)
  return marks
}

/** Stands for an actor that is gone: takes everything, does nothing. */
export function goneRef(id: string, sessionId: string): any {
  const gone: any = {
    id,
    sessionId,
    _send() {},
    _stop() {},
    send() {},
    getSnapshot: () => ({ status: 'stopped' }),
  }
  gone.ref = gone
  return gone
}
