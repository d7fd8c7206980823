import type { RuntimeError } from '../../actors/errors.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import type { Clock, ReceivedTask, TaskMessage, TimerHandle } from '../../actors/ports.ts'

/** Heartbeats are told no more often, unless the heartbeat timeout asks for it. */
const longestPauseMs = 1_000
/** Of the timeout: then one may be lost, and the next one late. */
const shareOfTimeout = 1 / 3

export interface JobContext {
  readonly clock: Clock
  /** How long its handler may go on once its signal was aborted: milliseconds. */
  readonly graceMs: number
}

/**
 * A task that a worker is at: from its first delivery until its result is stored, or nobody wants it any more. Then its
 * handler has its grace to end; after that the worker does not wait for it.
 */
export class Job {
  /** The newest delivery. */
  message: TaskMessage
  /** Resolves when its handler is not to be waited for: to its outcome, or undefined when there is nobody to be told. */
  readonly cut: Promise<LeafOutcome | undefined>
  readonly #context: JobContext
  readonly #silenceMs: number | undefined
  readonly #abort = new AbortController()
  #cutShort: (outcome: LeafOutcome | undefined) => void = () => {}
  #isWanted = true
  /** Of the last heartbeat that gave some. */
  #details: unknown
  #untold: unknown
  #hasBeaten = false
  #pause: TimerHandle | undefined
  #grace: TimerHandle | undefined

  constructor(message: TaskMessage, { silenceMs }: Pick<ReceivedTask, 'silenceMs'>, context: JobContext) {
    this.message = message
    this.#silenceMs = silenceMs
    this.#context = context
    this.cut = new Promise(resolve => (this.#cutShort = resolve))
    this.#begin()
  }

  /** Whether anybody wants its result. */
  get isWanted(): boolean {
    return this.#isWanted
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** The same task has been delivered again: the server had not heard of it for too long. */
  delivered(message: TaskMessage): void {
    this.message = message
    this.renew()
  }

  /** Says that it is still being worked on, and that this has begun: that may have been lost. */
  renew(): void {
    if (!this.#isWanted) return
    this.message.working()
    this.#begin()
  }

  /** Its handler is alive, and maybe says how far it is. What comes too soon is told later, the newest of it. */
  heartbeat(details: unknown): void {
    // Nobody waits for one that says nothing.
    if (!this.#isWanted || (details === undefined && this.#silenceMs === undefined)) return
    if (details !== undefined) this.#untold = this.#details = details
    if (this.#pause === undefined) this.#tell()
    else this.#hasBeaten = true
  }

  /** Tells how it has ended. */
  settle(outcome: LeafOutcome): Promise<void> {
    // What has been told may have been lost.
    return this.message.settle(outcome, outcome.status === 'error' ? this.#details : undefined)
  }

  /** Nobody wants it any more. */
  recall(reason: RuntimeError): void {
    if (!this.#isWanted) return
    this.#stop(reason)
    this.#grace = this.#context.clock.setTimer(this.#context.graceMs, () => this.#cutShort(undefined))
  }

  /** Leaves it to other workers, if it is still wanted. */
  giveBack(reason: RuntimeError): void {
    if (this.#isWanted) this.message.giveBack()
    this.#stop(reason)
  }

  /** Its handler has ended, or is not waited for, and all that is to be told has been. */
  end(): void {
    this.#isWanted = false
    this.#pause?.cancel()
    this.#grace?.cancel()
  }

  #stop(reason: RuntimeError): void {
    this.end()
    this.#abort.abort(reason)
  }

  #begin(): void {
    if (this.#silenceMs !== undefined) this.message.beat({ details: undefined, isBeginning: true })
  }

  #tell(): void {
    const details = this.#untold
    this.#untold = undefined
    this.#hasBeaten = false
    try {
      this.message.beat({ details, isBeginning: false })
    } catch (error) {
      // They can never be told: as in an activity of a node, that is its end.
      this.#details = undefined
      this.#cutShort({ status: 'error', error })
      this.#abort.abort(error)
      return
    }
    const pauseMs = Math.min(longestPauseMs, (this.#silenceMs ?? Infinity) * shareOfTimeout)
    this.#pause = this.#context.clock.setTimer(pauseMs, () => {
      this.#pause = undefined
      if (this.#hasBeaten) this.#tell()
    })
  }
}
