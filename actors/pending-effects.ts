import type { Effect } from './effect.ts'
import type { ActorPath, Address } from './address.ts'

const forTheLog: ReadonlySet<Effect['type']> = new Set(['complaint', 'log'])
const ofActivities: ReadonlySet<Effect['type']> = new Set([
  'startActivity',
  'stopActivity',
  'hear',
  'deliver',
])

/** What the steps since the last commit ask of the world, in the order they asked. */
export class PendingEffects {
  #effects: Effect[] = []

  /** Whether anything must wait for the commit. */
  get isAsking(): boolean {
    return this.#effects.some(({ type }) => !forTheLog.has(type))
  }

  add(effect: Effect): void {
    this.#effects.push(effect)
  }

  /** Takes back the start of an activity. False when it is not among them. */
  withdrawActivity(incarnation: number): boolean {
    const index = this.#effects.findIndex(
      effect => effect.type === 'startActivity' && effect.activity.incarnation === incarnation,
    )
    if (index >= 0) this.#effects.splice(index, 1)
    return index >= 0
  }

  /** Takes back the message that starts an instance, and answers its id. Undefined when it is not among them. */
  withdrawStart(target: Address): string | undefined {
    for (const [index, effect] of this.#effects.entries()) {
      if (effect.type !== 'post' || effect.message.type !== 'start' || effect.target !== target) continue
      this.#effects.splice(index, 1)
      return effect.effectId
    }
    return undefined
  }

  /** Takes back the starts of the children of a bulk, and answers their indexes. */
  withdrawItems(path: ActorPath): ReadonlySet<number> {
    const indexes = new Set<number>()
    this.#effects = this.#effects.filter(effect => {
      if (effect.type !== 'startItem' || effect.parent.path !== path) return true
      indexes.add(effect.parent.index!)
      return false
    })
    return indexes
  }

  /** Takes back the task of a remote activity, and answers its id. Undefined when it is not among them. */
  withdrawTask(path: ActorPath): string | undefined {
    const index = this.#effects.findIndex(effect => effect.type === 'task' && effect.task.path === path)
    const [task] = index >= 0 ? this.#effects.splice(index, 1) : []
    return task?.type === 'task' ? task.effectId : undefined
  }

  /** Takes out those that concern activities. */
  takeOfActivities(): readonly Effect[] {
    const taken = this.#effects.filter(({ type }) => ofActivities.has(type))
    this.#effects = this.#effects.filter(({ type }) => !ofActivities.has(type))
    return taken
  }

  /** Takes out all of them. */
  take(): readonly Effect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }
}
