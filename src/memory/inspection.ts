import type { Inspection } from '../../actors/ports.ts'
import type { SupervisedNode, SupervisionQuestion } from '../../actors/supervision.ts'
import type { MemoryNamespace } from './namespace.ts'

/** Questions to the nodes of a namespace in memory. */
export class MemoryInspection implements Inspection {
  readonly #namespace: MemoryNamespace

  constructor(namespace: MemoryNamespace) {
    this.#namespace = namespace
  }

  async names(): Promise<readonly string[]> {
    const { clock, heartbeats, leaseTtlMs } = this.#namespace
    const now = clock.monotonic()
    const alive = [...heartbeats].filter(([, { at }]) => now - at < leaseTtlMs)
    return alive.map(([name]) => name).toSorted()
  }

  async ask(
    node: string,
    question: SupervisionQuestion,
    { signal }: { readonly signal?: AbortSignal | undefined },
  ): Promise<SupervisedNode | undefined> {
    signal?.throwIfAborted()
    return this.#namespace.answering.get(node)?.(question)
  }

  async answer(node: string, answer: (question: SupervisionQuestion) => SupervisedNode): Promise<() => void> {
    const { answering } = this.#namespace
    answering.set(node, answer)
    return () => {
      if (answering.get(node) === answer) answering.delete(node)
    }
  }
}
