/**
 * What one instance was sent and has not settled, in the order of the inbox.
 *
 * ```
 *                     stopped, flooded, or something found parked
 *   passing on ─────────────────────────────────────────────────▶ parking ◀─┐ goes on: reads what is parked and
 *       ▲                                                          │  │     │ hands it over, some at a time;
 *       │                                                          │  └─────┘ stopped: parks what comes
 *       └──────────────────────────────────────────────────────────┘
 *         goes on, nothing is parked any more and no write under way
 * ```
 *
 * An instance is handed half a prefetch at most; the rest is held back here, in order. So one that takes its time leaves
 * room for others, and there is something to take back from one that takes nothing at all. Whoever is stopped, or is so
 * flooded that it has settled nothing for a while, has everything parked that it has not begun with: it is written to the
 * parked envelopes, then acknowledged in the inbox, and so holds up nobody. Control envelopes are never parked: they go
 * ahead of what is. Only a cancellation does not when the instance is not there: its start may be parked, and comes first.
 *
 * What is parked of an instance is always older than what the inbox still has of it, save repetitions: everything is
 * parked from the first unsettled envelope on, and nothing is handed over past what is parked. A parked envelope has its
 * place in the inbox with it, so the cursor of the record tells whether it has been applied. If the process dies
 *
 * - before envelopes are parked: they come again from the inbox, and are parked then;
 * - after they are parked, before they are acknowledged: they come again from the inbox, and are known to be parked;
 * - after a parked one is handed over, before its turn is stored: it is read again;
 * - after its turn is stored, before it is removed: it is read again and dropped, as the cursor has passed it.
 *
 * Whoever takes over the partition learns of which instances anything is parked before it takes an envelope.
 */
import { isOvertaking } from '../../actors/envelope.ts'
import type { InboxMessage, ParkedMessage, TimerHandle } from '../../actors/ports.ts'
import type { Received } from './hosting.ts'
import { Parker, type ParkerContext } from './parker.ts'
import { persistently } from './persistently.ts'

export interface MailboxContext extends ParkerContext {
  /** The most envelopes of the partition that are unsettled at a time. */
  readonly prefetch: number
  /** Checks a parked envelope as those from the inbox are checked; undefined when that was the end of it. */
  admit(message: InboxMessage): Received | undefined
  /** Whether it has been refused, and only is not removed yet. */
  isRefused(message: InboxMessage): boolean
  /** Loads the instance, which then tells whether it is there. */
  load(): void
  /** Hands it to the instance. */
  hand(delivery: Received): void
  /** Has the instance store what it holds. */
  flush(): void
  /** Has the instance give back what it has not begun with, if it has begun with nothing. */
  yield(): boolean
  /** Work that goes on and never rejects. */
  track(work: Promise<void>): void
  /** Nothing is left in it, or nothing but the knowledge that something is parked. */
  emptied(): void
}

/** So long an instance may settle nothing while others wait. What a persistence strategy holds is stored before. */
const floodedAfterMs = 5_000

export class Mailbox {
  readonly #context: MailboxContext
  /** What the instance is to settle, in order. */
  readonly #handed = new Map<InboxMessage, Received>()
  /** What it is not handed yet, or what is to be parked. */
  #held: Received[] = []
  /** How many of those, from the first on, are being parked. */
  #parking = 0
  /** Undefined while it only passes on. */
  #parker: Parker | undefined
  /** Whether anything may be parked, when it does not only pass on. */
  #isAnyParked = false
  /** Or nobody knows, because it has not been loaded. */
  #isStopped = false
  /** Whether the instance has been started, as it has said last. Of interest when it does not only pass on. */
  #isThere: boolean | undefined
  /** Counts how often it was stopped: what was read before is then no longer next. */
  #stops = 0
  /** Up to which position parked envelopes have been handed over. */
  #readTo = 0
  /** Whether they are read once more, as removing some may have failed. */
  #isReadAgain = false
  #isWorking = false
  #isScheduled = false
  #movedAt = 0
  #flood: TimerHandle | undefined

  constructor(context: MailboxContext) {
    this.#context = context
  }

  /** Whether the instance has been handed what it has not settled. */
  get hasHanded(): boolean {
    return this.#handed.size > 0
  }

  /** Whether there is nothing to remember. */
  get isEmpty(): boolean {
    return this.#handed.size === 0 && this.#held.length === 0 && this.#parker === undefined
  }

  /** Whether there is nothing to remember but what can be found out again: that something is parked. */
  get isForgettable(): boolean {
    return this.#handed.size === 0 && this.#held.length === 0 && !this.#isWorking
  }

  /** An envelope from the inbox, in order. */
  take(delivery: Received): void {
    const passes =
      this.#parker === undefined
        ? this.#held.length === 0 && this.#handed.size < this.#window
        : this.#goesAhead(delivery)
    if (passes) {
      this.#hand(delivery)
    } else {
      this.#held.push(delivery)
      if (this.#isAsking) this.#context.load()
      this.#proceed()
    }
  }

  /** The instance has dealt with it. */
  settled(message: InboxMessage): void {
    if (!this.#handed.delete(message)) return
    if (this.#parker !== undefined || this.#held.length > 0) {
      this.#movedAt = this.#context.clock.monotonic()
      this.#proceedSoon()
    } else if (this.#handed.size === 0) {
      this.#context.emptied()
    }
  }

  /** Something of the instance is parked. Whether it takes any of that is not known before it is loaded. */
  found(): void {
    this.#isStopped = true
    this.#isThere = undefined
    this.#isAnyParked = true
    this.#stops++
    if (this.#parker === undefined) this.#park([])
    else this.#readAnew()
  }

  /**
   * The instance takes nothing but control envelopes, and has forgotten what else it was handed: cancellations too when
   * it is not there.
   */
  stopped(isThere = true): void {
    this.#isStopped = true
    this.#isThere = isThere
    this.#stops++
    const back = this.#takeBack()
    if (this.#parker === undefined) {
      this.#park(back)
    } else {
      this.#readAnew()
      // The others are parked. Whatever is being parked came before these.
      const unparked = back.filter(({ isInOrder }) => isInOrder !== true)
      if (unparked.length > 0) this.#held = [...unparked, ...this.#held].toSorted((a, b) => a.seq - b.seq)
      this.#handAhead()
    }
    this.#proceed()
  }

  /** The instance takes everything. */
  goesOn(isThere = true): void {
    this.#isStopped = false
    this.#isThere = isThere
    if (this.#parker === undefined) return
    this.#handAhead()
    // It was stopped, and sent nothing: what there is to read is known.
    if (!this.#isAnyParked && !this.#isWorking) this.#parker = undefined
    this.#proceed()
  }

  close(): void {
    this.#flood?.cancel()
  }

  #hand(delivery: Received): void {
    this.#handed.set(delivery.message, delivery)
    this.#context.hand(delivery)
  }

  /** Later: an instance that settles something is in the middle of it. */
  #proceedSoon(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      if (!this.#context.isOver()) this.#proceed()
    })
  }

  #proceed(): void {
    if (this.#parker === undefined) this.#passOn()
    else if (!this.#isWorking) this.#context.track(this.#work())
  }

  #passOn(): void {
    while (this.#parker === undefined && this.#held.length > 0 && this.#handed.size < this.#window) {
      this.#hand(this.#held.shift()!)
    }
    if (this.#parker !== undefined) return
    if (this.#held.length > 0) {
      this.#context.flush()
      this.#watch()
    } else if (this.#handed.size === 0) {
      this.#context.emptied()
    }
  }

  /** Looks after a while whether the instance still settles something. */
  #watch(afterMs = floodedAfterMs): void {
    if (this.#flood !== undefined) return
    const { clock, isOver, log } = this.#context
    if (afterMs === floodedAfterMs) this.#movedAt = clock.monotonic()
    this.#flood = clock.setTimer(afterMs, () => {
      this.#flood = undefined
      if (isOver() || this.#parker !== undefined || this.#held.length === 0) return
      const leftMs = this.#movedAt + floodedAfterMs - clock.monotonic()
      const isFlooded = leftMs <= 0 && this.#handed.size >= this.#window && this.#context.yield()
      if (!isFlooded) return this.#watch(leftMs > 0 ? leftMs : floodedAfterMs)
      // It is in memory, and in the middle of something.
      this.#isThere = true
      log.warn({ waiting: this.#held.length }, 'an instance takes nothing: what it is sent is parked')
      this.#park(this.#takeBack())
      this.#proceed()
    })
  }

  /** Whether it is handed over at once, whatever is parked. */
  #goesAhead(delivery: Received): boolean {
    return isOvertaking(delivery) && (this.#isThere === true || delivery.envelope.type !== 'cancel')
  }

  /** Hands over what has waited only because it was not known whether the instance is there. */
  #handAhead(): void {
    const waiting = this.#held.slice(this.#parking)
    const ahead = waiting.filter(delivery => this.#goesAhead(delivery))
    if (ahead.length === 0) return
    const rest = waiting.filter(delivery => !this.#goesAhead(delivery))
    this.#held = [...this.#held.slice(0, this.#parking), ...rest]
    for (const delivery of ahead) this.#hand(delivery)
  }

  /** What the instance has forgotten, in order. */
  #takeBack(): readonly Received[] {
    const back = [...this.#handed.values()].filter(delivery => !this.#goesAhead(delivery))
    for (const { message } of back) this.#handed.delete(message)
    return back
  }

  /** From here on it parks what comes. */
  #park(back: readonly Received[]): void {
    this.#parker = new Parker(this.#context)
    this.#readAnew()
    const all = [...back, ...this.#held]
    this.#held = all.filter(delivery => !this.#goesAhead(delivery))
    for (const delivery of all) if (this.#goesAhead(delivery)) this.#hand(delivery)
  }

  /** Parks and reads, one after the other, until there is nothing to be done. Never rejects. */
  async #work(): Promise<void> {
    this.#isWorking = true
    while (this.#parker !== undefined && !this.#context.isOver()) {
      // A cancellation waits that may go ahead of the rest, or must not.
      if (this.#isAsking) break
      // While it goes on what is held may be handed over next, without being parked, unless it is too much.
      if (this.#held.length > (this.#isStopped ? 0 : this.#window / 2)) await this.#parkHeld(this.#parker)
      else if (this.#isStopped || this.#isReading) break
      else await this.#readNext()
    }
    this.#isWorking = false
    if (this.#parker !== undefined && this.isForgettable) this.#context.emptied()
  }

  async #parkHeld(parker: Parker): Promise<void> {
    this.#isAnyParked = true
    const held = this.#held.map(({ message }) => message)
    this.#parking = held.length
    const parked = await parker.park(held)
    this.#parking = 0
    if (this.#context.isOver()) return
    for (const message of parked) message.ack()
    this.#held.splice(0, held.length)
  }

  #readAnew(): void {
    this.#readTo = 0
    this.#isReadAgain = false
  }

  /**
   * Hands over the next parked envelopes. When there are none behind the last it reads all of them again, once, as
   * removing some may have failed: they are handed over once more, dropped and removed. Then everything is as it was
   * before any were parked. What still cannot be removed has been applied, and is for the next owner to remove.
   */
  async #readNext(): Promise<void> {
    const stops = this.#stops
    const messages = await this.#read()
    if (messages === undefined || stops !== this.#stops) return
    if (messages.length === 0 && this.#readTo > 0 && !this.#isReadAgain) {
      this.#readTo = 0
      this.#isReadAgain = true
      return
    }
    if (messages.length === 0) {
      this.#parker = undefined
      this.#isAnyParked = false
      this.#passOn()
      return
    }
    for (const message of messages) {
      this.#readTo = message.position
      if (this.#context.isRefused(message)) continue
      const delivery = this.#context.admit(message)
      if (delivery !== undefined) this.#hand({ ...delivery, isInOrder: true })
    }
  }

  /** Undefined when it is over. */
  async #read(): Promise<readonly ParkedMessage[] | undefined> {
    const { address, clock, isOver, log, parking } = this.#context
    let messages: readonly ParkedMessage[] | undefined
    const failure = await persistently(
      async () => {
        messages = await parking.read(address, this.#readTo, this.#window)
      },
      clock,
      isOver,
      error => log.warn({ err: error }, 'parked envelopes could not be read'),
    )
    return failure === undefined && !isOver() ? messages : undefined
  }

  /** Whether the instance is busy with parked envelopes. */
  get #isReading(): boolean {
    for (const delivery of this.#handed.values()) if (!isOvertaking(delivery)) return true
    return false
  }

  /** Whether it matters whether the instance is there, and it has yet to say so. */
  get #isAsking(): boolean {
    return this.#isThere === undefined && this.#held.some(isOvertaking)
  }

  /** The most that the instance is handed at a time. */
  get #window(): number {
    return Math.max(1, Math.floor(this.#context.prefetch / 2))
  }
}
