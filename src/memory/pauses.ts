import type { Pause, PauseListener, Pauses, PauseScope } from '../../actors/ports.ts'
import type { MemoryNamespace } from './namespace.ts'

/** The pauses of a namespace in memory. */
export class MemoryPauses implements Pauses {
  readonly #namespace: MemoryNamespace

  constructor(namespace: MemoryNamespace) {
    this.#namespace = namespace
  }

  async set(scope: PauseScope, pause: Pause | undefined): Promise<void> {
    const { pauseListeners, pauses } = this.#namespace
    if (pause === undefined) pauses.delete(scope)
    else pauses.set(scope, pause)
    for (const listener of pauseListeners) {
      queueMicrotask(() => {
        if (pauseListeners.has(listener)) listener.changed(scope, pause)
      })
    }
  }

  async get(scope: PauseScope, signal?: AbortSignal): Promise<Pause | undefined> {
    signal?.throwIfAborted()
    return this.#namespace.pauses.get(scope)
  }

  async watch(listener: PauseListener): Promise<() => void> {
    const { pauseListeners, pauses } = this.#namespace
    pauseListeners.add(listener)
    for (const [scope, pause] of pauses) listener.changed(scope, pause)
    return () => pauseListeners.delete(listener)
  }
}
