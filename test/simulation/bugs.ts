import type { Random } from './random.ts'

const heading = 'there is a bug where this is written: '

/** The bugs of the workflows in a run: each sits where one entry of a log is written, and throws until it is fixed. */
export class Bugs {
  readonly #random: Random
  readonly #share: number
  /** By entry, whether there is a bug, as far as anybody has come there. */
  readonly #found = new Map<string, boolean>()

  /** @param share of the entries: 0 to 1 */
  constructor(random: Random, share: number) {
    this.#random = random
    this.#share = share
  }

  /**
   * A machine is about to write that down.
   *
   * @throws Error when it has a bug there
   */
  meet(entry: string): void {
    if (this.#share === 0) return
    const isThere = this.#found.get(entry) ?? this.#random.chance(this.#share)
    this.#found.set(entry, isThere)
    if (isThere) throw new Error(heading + entry)
  }

  /** A new version of the workflow is everywhere at once. */
  fix(entry: string): void {
    this.#found.set(entry, false)
  }
}

/** The entry at which a bug was met that has thrown this; undefined when it was something else. */
export function entryOf(error: unknown): string | undefined {
  const { message } = (error ?? {}) as { readonly message?: string }
  return message?.startsWith(heading) === true ? message.slice(heading.length) : undefined
}
