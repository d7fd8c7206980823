import { createActor, type AnyActorLogic } from 'xstate'

import type { EventObject } from '../event.ts'
import type { LeafOutcome } from '../leaf-outcome.ts'
import { TreeSystem } from './system.ts'

/** What a running leaf tells. */
export interface LeafListener {
  settled(outcome: LeafOutcome): void
  /** An event for the parent: `sendBack` of a callback, a value of an event observable. */
  event(event: EventObject): void
  /** The value of an observable moved. */
  moved(context: unknown): void
}

export interface RunningLeaf {
  /** Hands it an event, which a callback `receive`s. */
  deliver(event: EventObject): void
  /** Aborts it. Nothing is told any more. */
  stop(): void
}

/** Really runs leaf logic, outside any tree, until it settles or is stopped. */
export function runLeaf(
  logic: AnyActorLogic,
  options: { readonly id: string; readonly input: unknown },
  listener: LeafListener,
): RunningLeaf {
  let live = true
  const parent: any = { sessionId: 'host' }
  parent.system = new TreeSystem(
    {
      adopt() {},
      relay(target, event) {
        if (target !== parent) {
          target._send(event)
          return
        }
        if (!live) return
        const outcome = outcomeOf(event, options.id)
        if (outcome === undefined) {
          listener.event(event)
        } else {
          live = false
          listener.settled(outcome)
        }
      },
      effect() {},
      pathOf: ref => ref.sessionId,
      transitioned() {},
      threw() {},
    },
    () => 0,
  )
  const actor: any = createActor(logic, {
    id: options.id,
    input: options.input as any,
    parent,
  } as any)
  let context: unknown
  actor.subscribe({
    next(snapshot: any) {
      if (snapshot.status !== 'active' || snapshot.context === context) return
      context = snapshot.context
      listener.moved(context)
    },
    // The outcome comes through the parent; without an observer XState would throw globally.
    error() {},
  })
  actor.start()
  return {
    deliver: event => actor._send(event),
    stop() {
      live = false
      actor._stop()
    },
  }
}

function outcomeOf(event: EventObject, id: string): LeafOutcome | undefined {
  if (event.type === `xstate.done.actor.${id}`) return { status: 'done', output: event['output'] }
  if (event.type === `xstate.error.actor.${id}`) return { status: 'error', error: event['error'] }
  return undefined
}
