import type { AnyActorRef } from 'xstate'

import { RuntimeError } from '../errors.ts'

/** More than this, and a step counts as endless. What a machine does with one event is bounded by its `maxIterations`. */
const mostWork = 100_000
/** An event from actor to actor counts one, and an actor made ten, for the memory it takes. */
const spawnWork = 10

/** How much the actors of an instance have done in a step. */
export class StepWork {
  #done = 0
  #endless: RuntimeError | undefined

  /** Why the step does not end; undefined while it may. */
  get endless(): RuntimeError | undefined {
    return this.#endless
  }

  begin(): void {
    this.#done = 0
  }

  /** Counts an event on its way. False once it has been too much. */
  mayDeliver(target: AnyActorRef, type: string): boolean {
    return this.#spend(1, target, type) === undefined
  }

  /** An actor has thrown, maybe because XState has found that it does not come to rest. */
  threw({ sessionId, logic, _snapshot }: any): void {
    const { error } = _snapshot
    if (isLoop(error)) this.#endless ??= actorEndless(sessionId, logic.options.maxIterations, error)
  }

  /**
   * Counts an actor that is being made.
   *
   * @throws RuntimeError `STEP_ENDLESS` once it has been too much
   */
  spawn(ref: AnyActorRef): void {
    const endless = this.#spend(spawnWork, ref, 'xstate.init')
    if (endless !== undefined) throw endless
  }

  #spend(work: number, { sessionId }: AnyActorRef, event: string): RuntimeError | undefined {
    this.#done += work
    if (this.#done > mostWork) this.#endless ??= stepEndless(sessionId, event)
    return this.#endless
  }
}

function stepEndless(actor: string, event: string): RuntimeError {
  return new RuntimeError(
    'STEP_ENDLESS',
    `the step does not end: it still had '${event}' to deliver to '${actor}' after ${mostWork} events inside the ` +
      'instance; an actor sends to itself, or actors to each other, without end',
    { fields: { actor, event, limit: mostWork } },
  )
}

/** Only its message tells it from what a machine itself throws. */
function isLoop(error: unknown): boolean {
  return (
    error instanceof Error && error.message.startsWith('Infinite loop detected: the machine has processed')
  )
}

function actorEndless(actor: string, limit: number, cause: unknown): RuntimeError {
  return new RuntimeError(
    'STEP_ENDLESS',
    `the step does not end: '${actor}' had not come to rest after ${limit} transitions for one event; ` +
      "its 'always' transitions or the events that it raises lead round in a circle",
    { cause, fields: { actor, limit } },
  )
}
