/**
 * Who waits for a slot, and who gets the next one.
 *
 * First comes what is in the highest class; within a class the fairness keys take turns, whatever the number of their
 * items; within a key order of arrival decides. An item begins in the class of its priority and rises by one class
 * every `agingMs`, so that after `(priority - 1) * agingMs` it is in class 1, where nothing of its key that came later
 * is taken before it. That bounds its wait under any load: from then on at most `n * k` others are taken before it,
 * where `n` counts the items of its key that came before it, itself included, and `k` the keys that wait meanwhile.
 *
 * Ten seconds a class: longer than most attempts take, so that a burst of urgent ones does overtake, and the least
 * urgent is as urgent as any after 40 s.
 *
 * A key is known only while something of it waits. A key that comes back queues up behind the others: it gains nothing
 * by having left. Adding, taking and removing cost O(log k), since only keys, not items, are ever moved by age.
 *
 * Nothing of this is stored. Whoever waits is a running activity to its record, and asks again after a crash.
 */
import { DueQueue } from './due-queue.ts'
import { LinkedList, type Linked } from './linked-list.ts'

/** 1 goes first. */
export type Priority = 1 | 2 | 3 | 4 | 5

export const leastUrgent = 5

/** How long an item waits before it rises by one class. */
export const agingMs = 10_000

/** Where an item queues up. */
export interface Place {
  readonly priority: Priority
  /** Those of one key take turns with those of others. Those without one are as of one key. */
  readonly fairness: string | undefined
}

/** Something that waits; hand it back to stop waiting. */
export interface QueueItem<T> extends Linked<QueueItem<T>> {
  readonly value: T
  readonly priority: Priority
  /** Milliseconds of the queue's clock. */
  readonly arrivedAt: number
  readonly number: number
  /** Undefined when it no longer waits. */
  flow: Flow<T> | undefined
}

/** What waits of one fairness key. */
interface Flow<T> extends Linked<Flow<T>> {
  readonly fairness: string | undefined
  /** By priority, from 1 on, each in the order of arrival. */
  readonly byPriority: readonly LinkedList<QueueItem<T>>[]
  /** The class of its most urgent item; 0 while it has none. */
  urgency: number
  /** When one of its items may rise next. */
  risesAt: number
}

export class ActivityQueue<T> {
  readonly #now: () => number
  readonly #flows = new Map<string | undefined, Flow<T>>()
  /** By class, from 1 on: the keys whose most urgent item is of that class, in the order of their turns. */
  readonly #turns = newLists<Flow<T>>()
  readonly #rising = new DueQueue<Flow<T>>()
  #size = 0
  #arrivals = 0

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now
  }

  /** How many wait. */
  get size(): number {
    return this.#size
  }

  /** How many fairness keys it knows. */
  get keyCount(): number {
    return this.#flows.size
  }

  /** Class of the one that is next, 1 to 5; undefined when none waits. */
  get urgency(): number | undefined {
    return this.#nextFlow(this.#now())?.urgency
  }

  add(value: T, { priority, fairness }: Place): QueueItem<T> {
    const now = this.#now()
    let flow = this.#flows.get(fairness)
    if (flow === undefined) {
      flow = newFlow<T>(fairness)
      this.#flows.set(fairness, flow)
    }
    const number = ++this.#arrivals
    const item = { value, priority, arrivedAt: now, number, flow, previous: undefined, next: undefined }
    const alike = flow.byPriority[priority - 1]!
    alike.append(item)
    this.#size++
    // Behind another of its kind it changes nothing for the key.
    if (alike.first === item) this.#place(flow, now)
    return item
  }

  /** It no longer waits. Nothing happens when it has not waited any more. */
  remove(item: QueueItem<T>): void {
    const { flow, previous } = item
    if (flow === undefined) return
    this.#takeOut(item, flow)
    if (previous === undefined) this.#place(flow, this.#now())
  }

  /** Removes and answers the next one; undefined when none waits. */
  take(): T | undefined {
    const now = this.#now()
    const flow = this.#nextFlow(now)
    if (flow === undefined) return undefined
    const item = nextItem(flow, now)
    this.#takeOut(item, flow)
    this.#endTurn(flow)
    this.#place(flow, now)
    return item.value
  }

  #nextFlow(now: number): Flow<T> | undefined {
    for (const flow of this.#rising.takeDue(now)) {
      flow.risesAt = Infinity
      this.#place(flow, now)
    }
    for (const flows of this.#turns) if (flows.first !== undefined) return flows.first
    return undefined
  }

  #takeOut(item: QueueItem<T>, flow: Flow<T>): void {
    flow.byPriority[item.priority - 1]!.remove(item)
    item.flow = undefined
    this.#size--
  }

  /** Gives the key a turn in the class of its most urgent item. It keeps the turn it has when that is of this class. */
  #place(flow: Flow<T>, now: number): void {
    let urgency = 0
    let risesAt = Infinity
    for (const { first } of flow.byPriority) {
      if (first === undefined) continue
      const itsClass = classOf(first, now)
      if (urgency === 0 || itsClass < urgency) urgency = itsClass
      risesAt = Math.min(risesAt, first.arrivedAt + (first.priority - itsClass + 1) * agingMs)
    }
    if (urgency !== flow.urgency) {
      this.#endTurn(flow)
      flow.urgency = urgency
      if (urgency > 0) this.#turns[urgency - 1]!.append(flow)
    }
    // From the highest class nothing rises.
    this.#riseAt(flow, urgency === 1 ? Infinity : risesAt)
    if (urgency === 0) this.#flows.delete(flow.fairness)
  }

  #endTurn(flow: Flow<T>): void {
    if (flow.urgency > 0) this.#turns[flow.urgency - 1]!.remove(flow)
    flow.urgency = 0
  }

  #riseAt(flow: Flow<T>, risesAt: number): void {
    if (risesAt === flow.risesAt) return
    flow.risesAt = risesAt
    if (risesAt === Infinity) this.#rising.delete(flow)
    else this.#rising.set(flow, risesAt)
  }
}

/** The one that arrived first among the most urgent. */
function nextItem<T>(flow: Flow<T>, now: number): QueueItem<T> {
  let next: QueueItem<T> | undefined
  for (const { first } of flow.byPriority) {
    if (first === undefined || classOf(first, now) > flow.urgency) continue
    if (next === undefined || first.number < next.number) next = first
  }
  // A key has a turn only while it has an item of that class.
  return next!
}

function classOf({ priority, arrivedAt }: QueueItem<unknown>, now: number): number {
  return Math.max(1, priority - Math.floor((now - arrivedAt) / agingMs))
}

function newFlow<T>(fairness: string | undefined): Flow<T> {
  const byPriority = newLists<QueueItem<T>>()
  return { fairness, byPriority, urgency: 0, risesAt: Infinity, previous: undefined, next: undefined }
}

/** One list for each class. */
function newLists<T extends Linked<T>>(): readonly LinkedList<T>[] {
  return Array.from({ length: leastUrgent }, () => new LinkedList<T>())
}
