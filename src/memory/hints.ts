import type { Hint, Hints } from '../../actors/ports.ts'
import type { MemoryNamespace } from './namespace.ts'

/** Hints in memory. */
export class MemoryHints implements Hints {
  readonly #namespace: MemoryNamespace

  constructor(namespace: MemoryNamespace) {
    this.#namespace = namespace
  }

  send(hint: Hint): void {
    const { hintListeners } = this.#namespace
    for (const listener of hintListeners) {
      queueMicrotask(() => {
        if (hintListeners.has(listener)) listener(hint)
      })
    }
  }

  async listen(listener: (hint: Hint) => void): Promise<() => void> {
    const { hintListeners } = this.#namespace
    // One of its own, so that whoever listens twice hears it twice.
    const heard = (hint: Hint) => listener(hint)
    hintListeners.add(heard)
    return () => hintListeners.delete(heard)
  }
}
