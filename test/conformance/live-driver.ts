import { createActor, type Actor, type AnyStateMachine } from 'xstate'

import type { EventObject } from '../../actors/event.ts'
import type { PersistedSnapshot } from '../../actors/snapshot.ts'
import { macrotask, rootId, viewOf, type Driver, type View } from './driver.ts'
import { VirtualClock } from './virtual-clock.ts'

/** The reference: XState's own actor, never stored, on a virtual clock. */
export class LiveDriver implements Driver {
  readonly #clock = new VirtualClock()
  readonly #emitted: EventObject[] = []
  #actor: Actor<AnyStateMachine> | undefined
  #happened = 0

  start(machine: AnyStateMachine, input?: unknown): void {
    const actor = createActor(machine, {
      clock: this.#clock as never,
      id: rootId,
      input: input as never,
      inspect: () => this.#happened++,
      logger: () => {},
    })
    this.#actor = actor
    actor.on('*', event => this.#emitted.push(event))
    // Without an observer for errors XState throws them globally.
    actor.subscribe({ error: () => {} })
    actor.start()
  }

  send(event: EventObject): void {
    if (this.view.status === 'active') this.#started.send(event)
  }

  advance(ms: number): void {
    this.#clock.advance(ms)
  }

  async settle(): Promise<void> {
    let seen: number
    do {
      seen = this.#happened
      await macrotask()
    } while (this.#happened > seen)
  }

  stop(): void {
    this.#actor?.stop()
  }

  get view(): View {
    return viewOf(this.#started.getPersistedSnapshot() as PersistedSnapshot)
  }

  get emitted(): readonly EventObject[] {
    return this.#emitted
  }

  get #started(): Actor<AnyStateMachine> {
    if (this.#actor === undefined) throw new Error('not started')
    return this.#actor
  }
}
