import {
  isLetterWanted,
  type DeadLetterList,
  type LetterFilter,
  type StoredLetter,
} from '../../actors/dead-letter.ts'
import type { MemoryDeadLetter, MemoryNamespace } from './namespace.ts'
import { readContent } from './partition.ts'

/** The dead letters in memory. */
export class MemoryDeadLetterList implements DeadLetterList {
  readonly #namespace: MemoryNamespace

  constructor(namespace: MemoryNamespace) {
    this.#namespace = namespace
  }

  async *list(filter: LetterFilter, signal?: AbortSignal): AsyncGenerator<StoredLetter, void, undefined> {
    signal?.throwIfAborted()
    for (const kept of this.#namespace.deadLetters.slice()) {
      signal?.throwIfAborted()
      const letter = this.#letter(kept)
      if (isLetterWanted(filter, letter)) yield letter
    }
  }

  async get(seq: number, signal?: AbortSignal): Promise<StoredLetter | undefined> {
    signal?.throwIfAborted()
    const found = this.#namespace.deadLetters.find(({ position }) => position === seq)
    return found && this.#letter(found)
  }

  async remove(seq: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted()
    const { deadLetters } = this.#namespace
    const index = deadLetters.findIndex(({ position }) => position === seq)
    if (index >= 0) deadLetters.splice(index, 1)
    return index >= 0
  }

  #letter(kept: MemoryDeadLetter): StoredLetter {
    const { code, data, partition, position, reason, seq, time } = kept
    const content = readContent(this.#namespace, partition, kept)
    return {
      seq: position,
      time,
      code,
      reason,
      origin: { stream: 'inbox', seq, subject: String(partition) },
      target: 'malformed' in content ? undefined : content.envelope.target,
      content: 'malformed' in content ? content : { envelope: content.envelope },
      data: new Uint8Array(data),
      sizeBytes: data.length,
    }
  }
}
