import type { Clock, TimerHandle } from '../../actors/ports.ts'

export interface PulseListener {
  /** These are to be stored. */
  tell(details: unknown): void
  /** There was no heartbeat for too long. Nothing is told any more. */
  missed(): void
}

/** Details are stored no more often, unless the heartbeat timeout asks for it. */
const longestPauseMs = 1000
/** Then what was told last is stored before the attempt can fail for want of a heartbeat. */
const shareOfTimeout = 0.8

/** The heartbeats of one attempt: watches that they come, and passes their details on, the newest now and then. */
export class Pulse {
  readonly #clock: Clock
  readonly #pauseMs: number
  readonly #listener: PulseListener
  #beatAt: number
  #toldAt = Number.NEGATIVE_INFINITY
  #untold: unknown
  #watch: TimerHandle | undefined
  #pause: TimerHandle | undefined

  /** @param timeoutMs undefined: for ever */
  constructor(clock: Clock, timeoutMs: number | undefined, listener: PulseListener) {
    this.#clock = clock
    this.#pauseMs = Math.min(longestPauseMs, (timeoutMs ?? Number.POSITIVE_INFINITY) * shareOfTimeout)
    this.#listener = listener
    this.#beatAt = clock.monotonic()
    if (timeoutMs !== undefined) this.#watchFor(timeoutMs, timeoutMs)
  }

  beat(details: unknown): void {
    const now = this.#clock.monotonic()
    this.#beatAt = now
    if (details === undefined) return
    this.#untold = details
    if (this.#pause !== undefined) return
    const waitMs = this.#toldAt + this.#pauseMs - now
    if (waitMs <= 0) this.#tell()
    else this.#pause = this.#clock.setTimer(waitMs, () => this.#tell())
  }

  /** The attempt is over. Answers details that have not been told. */
  stop(): unknown {
    this.#watch?.cancel()
    this.#pause?.cancel()
    return this.#untold
  }

  #tell(): void {
    const details = this.#untold
    this.#pause = undefined
    this.#untold = undefined
    this.#toldAt = this.#clock.monotonic()
    this.#listener.tell(details)
  }

  /** One timer for the whole time, however often it beats. */
  #watchFor(delayMs: number, timeoutMs: number): void {
    this.#watch = this.#clock.setTimer(delayMs, () => {
      const leftMs = this.#beatAt + timeoutMs - this.#clock.monotonic()
      if (leftMs > 0) this.#watchFor(leftMs, timeoutMs)
      else this.#listener.missed()
    })
  }
}
