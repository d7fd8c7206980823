/**
 * Which workflows a partition holds, because they or the whole namespace are paused.
 *
 * ```
 *            close                     close
 *   open ─────────────▶ closed ◀───────────────┐
 *    ▲                    │ opening            │
 *    │       open         ▼                    │
 *    └──────────────── opening ────────────────┘
 * ```
 *
 * While closed, what the instances are sent is parked, and of one that is not in memory even that is forgotten: memory
 * does not depend on how many of them are sent something. So before they go on it must be read of which instances
 * anything is parked; from the moment it is read nothing is forgotten any more, and whatever is parked meanwhile is
 * known. A workflow that is paused again meanwhile stays closed, and what was read for it is not used.
 *
 * Nothing of this is stored. A process that dies holds nothing any more; the next owner reads what is paused before it
 * takes an envelope, loads no instance of it, and finds what it owes when it goes on.
 */

/** A new object every time it is closed or begins to open, so that one opening can be told from the next. */
export interface Hold {
  readonly isOpening: boolean
}

export class Holds {
  readonly #held = new Map<string, Hold>()

  constructor(workflows: Iterable<string>) {
    for (const workflow of workflows) this.close(workflow)
  }

  /** Whether its instances are held. */
  has(workflow: string): boolean {
    return this.#held.has(workflow)
  }

  /** Whether its instances are held and what is parked of them may be forgotten. */
  isClosed(workflow: string): boolean {
    return this.#held.get(workflow)?.isOpening === false
  }

  close(workflow: string): void {
    this.#held.set(workflow, { isOpening: false })
  }

  /** Begins to open those that are held. Answers what {@link open} is given. */
  opening(workflows: readonly string[]): ReadonlyMap<string, Hold> {
    const opening = new Map<string, Hold>()
    for (const workflow of workflows) {
      if (!this.#held.has(workflow)) continue
      const hold = { isOpening: true }
      this.#held.set(workflow, hold)
      opening.set(workflow, hold)
    }
    return opening
  }

  /** Opens those that have not been closed again. Answers them. */
  open(opening: ReadonlyMap<string, Hold>): ReadonlySet<string> {
    const open = new Set<string>()
    for (const [workflow, hold] of opening) {
      if (this.#held.get(workflow) !== hold) continue
      this.#held.delete(workflow)
      open.add(workflow)
    }
    return open
  }
}
