import {
  Bulk,
  bulkSpecOf,
  chunkNameOf,
  countItems,
  firstFailure,
  resultsKeyOf,
  type BulkItems,
  type BulkSpec,
} from './bulk.ts'
import type { Effect } from './effect.ts'
import { isRuntimeError } from './errors.ts'
import type { Family } from './family.ts'
import type { ItemEntry, Outbox, PostEntry } from './outbox.ts'
import { plainError } from './plain-error.ts'
import type { ActorPath } from './address.ts'
import type { ActivityRecord } from './record.ts'
import type { LeafOutcome } from './leaf-outcome.ts'

/** A bulk with children still to come. */
interface OpenBulk {
  readonly activity: ActivityRecord
  readonly bulk: Bulk
  /** Undefined when the actor is no bulk any more. */
  readonly spec: BulkSpec | undefined
  /** What the child at the index is given. */
  readonly itemAt: (index: number) => unknown
}

/** The bulks of an instance: starts as many children as may run, and passes on what comes of them. */
export class Bulks {
  readonly #family: Family
  readonly #outbox: Outbox
  readonly #byPath = new Map<ActorPath, OpenBulk>()

  constructor(family: Family, outbox: Outbox) {
    this.#family = family
    this.#outbox = outbox
  }

  /** Takes up the bulk of a stored record. */
  adopt(activity: ActivityRecord, logic: unknown): void {
    if (activity.bulk === undefined || activity.bulk.total === 0) return
    this.#open(activity, new Bulk(activity.bulk), bulkSpecOf(logic))
  }

  /** Starts the first children. Of one that has none, or whose items cannot be told, the record says so. */
  start(activity: ActivityRecord, spec: BulkSpec): ActivityRecord {
    try {
      const items = spec.items(activity.input)
      const bulk = Bulk.of(spec.workflow, countItems(items))
      if (!bulk.isOver) this.#startNext(this.#open(activity, bulk, spec, items))
      return { ...activity, bulk: bulk.record() }
    } catch (error) {
      return { ...activity, lastError: isRuntimeError(error) ? error : plainError(error) }
    }
  }

  /**
   * Takes how a child ended, and starts the next.
   *
   * @returns how the bulk ended, if that ended it; `ignored` for a child that does not run
   */
  settle(path: ActorPath, index: number, outcome: LeafOutcome): LeafOutcome | 'accepted' | 'ignored' {
    const open = this.#byPath.get(path)
    if (open === undefined || !open.bulk.settle(index, outcome)) return 'ignored'
    const { activity, bulk, spec } = open
    const { incarnation } = activity
    if (outcome.status === 'error' && spec?.isFailFast === true) {
      const { address } = this.#family.child(bulk.workflow, activity, index)
      return {
        status: 'error',
        error: firstFailure(`${address.workflow}/${address.id}`, index, outcome.error),
      }
    }
    this.#startNext(open)
    const chunk = bulk.takeChunk()
    if (chunk !== undefined) this.#outbox.keep(chunkNameOf(incarnation, chunk.number), chunk)
    if (!bulk.isOver) return 'accepted'
    return { status: 'done', output: bulk.outcome(resultsKeyOf(this.#family.address, incarnation)) }
  }

  /** Cancels the children that run. False when there is no such bulk, or it has no children. */
  stop(path: ActorPath): boolean {
    const open = this.#byPath.get(path)
    if (open === undefined) return false
    this.#byPath.delete(path)
    const { activity, bulk } = open
    const unstarted = this.#outbox.withdrawItems(path, entry => this.#startOf(open, entry))
    for (const index of bulk.running) {
      if (!unstarted.has(index))
        this.#family.cancel(this.#family.child(bulk.workflow, activity, index).address)
    }
    return true
  }

  /** Whether the actor at the path no longer is the bulk that it was. */
  isLost(path: ActorPath): boolean {
    const open = this.#byPath.get(path)
    return open !== undefined && open.spec === undefined
  }

  /** What starts a child. Undefined when it is no longer wanted. */
  effectOf({ effectId, index, path }: ItemEntry): Effect | undefined {
    const open = this.#byPath.get(path)
    if (open === undefined || open.spec === undefined) return undefined
    const { activity, bulk, itemAt } = open
    const { address, parent } = this.#family.child(bulk.workflow, activity, index)
    return { type: 'startItem', effectId, target: address, parent, input: () => itemAt(index) }
  }

  /** The activity as it is now, to be stored. */
  recordOf(activity: ActivityRecord): ActivityRecord {
    const open = this.#byPath.get(activity.path)
    return open === undefined ? activity : { ...activity, bulk: open.bulk.record() }
  }

  /** @param items if they are known; otherwise they are asked for with the first child that starts */
  #open(
    activity: ActivityRecord,
    bulk: Bulk,
    spec: BulkSpec | undefined,
    items?: BulkItems<unknown>,
  ): OpenBulk {
    let known = items
    const itemAt = (index: number) => (known ??= spec!.items(activity.input)).at(index)
    const open = { activity, bulk, spec, itemAt }
    this.#byPath.set(activity.path, open)
    return open
  }

  /** What starts the child of an entry, to be kept without the bulk. Undefined for one that is over, so has started. */
  #startOf(
    { activity, bulk, itemAt, spec }: OpenBulk,
    { effectId, index }: ItemEntry,
  ): PostEntry | undefined {
    if (spec === undefined || !bulk.isRunning(index)) return undefined
    const { address, parent } = this.#family.child(bulk.workflow, activity, index)
    try {
      return {
        type: 'post',
        effectId,
        target: address,
        message: { type: 'start', input: itemAt(index), parent },
      }
    } catch {
      // Items that cannot be told now could not be told when it was to start.
      return undefined
    }
  }

  #startNext({ activity, bulk, spec }: OpenBulk): void {
    if (spec === undefined) return
    for (;;) {
      const index = bulk.startNext(spec.concurrency)
      if (index === undefined) return
      this.#outbox.postItem(activity.path, index)
    }
  }
}
