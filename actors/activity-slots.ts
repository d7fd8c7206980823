/**
 * How many attempts may run on this node at a time, and which of those that wait begins next.
 *
 * Each limited type of activity is a lane of its own: a queue, its slots, its rate. An attempt begins when its lane has
 * a free slot, the rate allows it, and the node has a free slot. When the slots of the node are what is scarce, the
 * lane with the most urgent attempt is next, and of equal ones the lane that has waited longest for its turn.
 *
 * All of it is memory of this process. Whoever waits or holds a slot is a running activity to its record: after a crash
 * it asks again, wherever it then runs. A node that starts has all slots free and has begun nothing, so that around a
 * crash a window of time may see the rate of both lives.
 */
import { ActivityQueue, type Place, type QueueItem } from './activity-queue.ts'
import type { Clock, TimerHandle } from './ports.ts'
import { RateWindow, type Rate } from './rate-window.ts'

/** What a type of activity is held to, by identity: those that share the object share the slots. */
export interface ActivityLimits {
  /** How many attempts run at a time. Infinity: as many as like. */
  readonly concurrency: number
  /** How many begin in how much time; undefined: as many as like. */
  readonly rate: Rate | undefined
}

/** A slot that has been asked for: waited for or held. */
export interface Slot {
  /** Gives it back, or waits for it no longer. Idempotent. */
  leave(): void
}

/** What `activity()` makes of its options. */
export interface Queueing extends ActivityLimits {
  /**
   * Where an attempt with that input queues up.
   *
   * @throws RuntimeError `OPTIONS_INVALID` when its priority or fairness key is none
   */
  placeOf(input: unknown): Place
}

interface Lane {
  readonly limits: ActivityLimits
  readonly queue: ActivityQueue<Ask>
  readonly window: RateWindow | undefined
  running: number
  /** Set while the rate alone keeps it from going on. */
  opening: TimerHandle | undefined
}

interface Ask extends Slot {
  begin(): void
}

export class ActivitySlots {
  readonly #clock: Clock
  readonly #concurrency: number
  /** Limits nobody refers to any more take their lane along. */
  readonly #lanes = new WeakMap<ActivityLimits, Lane>()
  /** The lanes in which anybody waits, in the order of their turns. */
  readonly #waiting = new Set<Lane>()
  #running = 0

  /** @param concurrency of all types together. Infinity: as many as like */
  constructor(clock: Clock, concurrency: number) {
    this.#clock = clock
    this.#concurrency = concurrency
  }

  /** How many attempts wait for a slot. */
  get waiting(): number {
    let waiting = 0
    for (const { queue } of this.#waiting) waiting += queue.size
    return waiting
  }

  /** Whether attempts held to these limits must ask. */
  mayWait({ concurrency, rate }: ActivityLimits): boolean {
    return this.#concurrency !== Infinity || concurrency !== Infinity || rate !== undefined
  }

  /**
   * Asks for a slot. `begin` is called once, at once or later, unless the slot is left before; it must not throw.
   * Whoever has begun leaves the slot when it has ended.
   */
  ask(limits: ActivityLimits, place: Place, begin: (slot: Slot) => void): Slot {
    const lane = this.#laneOf(limits)
    let item: QueueItem<Ask> | undefined
    let isHeld = false
    const ask: Ask = {
      begin() {
        isHeld = true
        begin(ask)
      },
      leave: () => {
        if (isHeld) this.#free(lane)
        else if (item !== undefined) this.#giveUp(lane, item)
        isHeld = false
      },
    }
    if (lane.queue.size === 0 && this.#running < this.#concurrency && this.#mayBegin(lane)) {
      this.#begin(lane, ask)
    } else {
      item = lane.queue.add(ask, place)
      this.#waiting.add(lane)
    }
    return ask
  }

  #begin(lane: Lane, ask: Ask): void {
    lane.running++
    this.#running++
    lane.window?.count(this.#clock.monotonic())
    ask.begin()
  }

  #free(lane: Lane): void {
    lane.running--
    this.#running--
    this.#fill()
  }

  #giveUp(lane: Lane, item: QueueItem<Ask>): void {
    lane.queue.remove(item)
    if (lane.queue.size === 0) this.#rest(lane)
  }

  /** Begins as many as may. */
  #fill(): void {
    while (this.#running < this.#concurrency) {
      const lane = this.#nextLane()
      if (lane === undefined) return
      const ask = lane.queue.take()!
      // Its next turn comes after those of the others.
      this.#waiting.delete(lane)
      if (lane.queue.size > 0) this.#waiting.add(lane)
      else this.#rest(lane)
      this.#begin(lane, ask)
    }
  }

  #nextLane(): Lane | undefined {
    let next: Lane | undefined
    let most = Infinity
    for (const lane of this.#waiting) {
      const urgency = lane.queue.urgency!
      if (urgency >= most || !this.#mayBegin(lane)) continue
      next = lane
      most = urgency
    }
    return next
  }

  /** Whether a slot is free and the rate allows it. If only the rate does not, it goes on by itself once it does. */
  #mayBegin(lane: Lane): boolean {
    if (lane.running >= lane.limits.concurrency) return false
    if (lane.window === undefined) return true
    const leftMs = lane.window.opensAt - this.#clock.monotonic()
    if (leftMs <= 0) return true
    lane.opening ??= this.#clock.setTimer(leftMs, () => {
      lane.opening = undefined
      this.#fill()
    })
    return false
  }

  /** Nobody waits in it. */
  #rest(lane: Lane): void {
    this.#waiting.delete(lane)
    lane.opening?.cancel()
    lane.opening = undefined
  }

  #laneOf(limits: ActivityLimits): Lane {
    let lane = this.#lanes.get(limits)
    if (lane === undefined) {
      const { rate } = limits
      lane = {
        limits,
        queue: new ActivityQueue(() => this.#clock.monotonic()),
        window: rate && new RateWindow(rate),
        running: 0,
        opening: undefined,
      }
      this.#lanes.set(limits, lane)
    }
    return lane
  }
}
