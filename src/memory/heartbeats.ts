import type { HeartbeatListener, Heartbeats } from '../../actors/ports.ts'
import type { MemoryNamespace } from './namespace.ts'

/** The heartbeats of the nodes of a namespace in memory. */
export class MemoryHeartbeats implements Heartbeats {
  readonly #namespace: MemoryNamespace
  readonly #node: string

  constructor(namespace: MemoryNamespace, node: string) {
    this.#namespace = namespace
    this.#node = node
  }

  async beat(avoided: readonly number[] = []): Promise<void> {
    this.#namespace.heartbeats.set(this.#node, { at: this.#namespace.clock.monotonic(), avoided })
    this.#tell(listener => listener.alive(this.#node, 0, avoided))
  }

  async leave(): Promise<void> {
    this.#namespace.heartbeats.delete(this.#node)
    this.#tell(listener => listener.left(this.#node))
  }

  async listen(listener: HeartbeatListener, saying?: () => Promise<void>): Promise<() => void> {
    const { clock, heartbeats, heartbeatListeners, leaseTtlMs } = this.#namespace
    heartbeatListeners.add(listener)
    await saying?.()
    for (const [name, { at, avoided }] of heartbeats) {
      const agoMs = clock.monotonic() - at
      if (agoMs < leaseTtlMs) listener.alive(name, agoMs, avoided)
    }
    return () => heartbeatListeners.delete(listener)
  }

  #tell(what: (listener: HeartbeatListener) => void): void {
    const { heartbeatListeners } = this.#namespace
    for (const listener of heartbeatListeners) {
      queueMicrotask(() => {
        if (heartbeatListeners.has(listener)) what(listener)
      })
    }
  }
}
