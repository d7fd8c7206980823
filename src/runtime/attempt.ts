import {
  idempotencyKey,
  type ActivityContext,
  type ActivityLog,
  type ActivitySpec,
} from '../../actors/activity.ts'
import { activityTimeout } from '../../actors/activity-timeout.ts'
import type { Address } from '../../actors/address.ts'
import { RuntimeError } from '../../actors/errors.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import type { Clock, TimerHandle } from '../../actors/ports.ts'
import type { ActivityRecord } from '../../actors/record.ts'
import type { RunningLeaf } from '../../actors/xstate/leaf.ts'
import { Pulse } from './pulse.ts'

export interface AttemptOptions {
  readonly activity: ActivityRecord
  readonly address: Address
  readonly clock: Clock
  /** Makes its log, which few ask for. */
  readonly log: () => ActivityLog
  readonly spec: ActivitySpec
  /** @param details of the last heartbeat, if they have not been told; undefined when there are none */
  settled(outcome: LeafOutcome, details: unknown): void
  /** Details of a heartbeat, to be stored. */
  noted(details: unknown): void
  /** It goes on though nobody wants it any more: 1; or no longer does: -1. */
  abandoned(change: 1 | -1): void
}

/**
 * One attempt of an `activity()`, bounded by its timeouts. It ends by telling how it settled, or silently when it is
 * stopped; whatever it does after that is its own affair. Nothing here is for a policy that was not asked for: no timer,
 * and a pulse only once there is a heartbeat.
 */
export class Attempt implements RunningLeaf {
  readonly #options: AttemptOptions
  #abort: AbortController | undefined
  readonly #timeout: TimerHandle | undefined
  #pulse: Pulse | undefined
  #isLive = true
  #isCut = false

  constructor(options: AttemptOptions) {
    this.#options = options
    const { clock, spec } = options
    const { attemptTimeoutMs: limitMs, heartbeatTimeoutMs } = spec
    this.#timeout =
      limitMs === undefined ? undefined : clock.setTimer(limitMs, () => this.#timeOut('attempt', limitMs))
    if (heartbeatTimeoutMs !== undefined) this.#pulse = this.#newPulse()
    // Both ends are handled there.
    void this.#work()
  }

  deliver(): void {}

  stop(): void {
    if (!this.#isLive) return
    this.#end()
    this.#cut(new RuntimeError('ABORTED', `activity '${this.#options.spec.name}' is no longer wanted`))
  }

  async #work(): Promise<void> {
    const { spec } = this.#options
    let outcome: LeafOutcome
    try {
      // Whoever has made this first notes that it runs.
      await Promise.resolve()
      outcome = { status: 'done', output: await spec.run(this.#context()) }
    } catch (error) {
      // An activity that throws before its first await ends here too.
      outcome = { status: 'error', error }
    }
    this.#ended(outcome)
  }

  /** Made when somebody asks for it: most short attempts do not. */
  get #controller(): AbortController {
    return (this.#abort ??= new AbortController())
  }

  #context(): ActivityContext {
    const { activity, address, log } = this.#options
    const controller = () => this.#controller
    let made: ActivityLog | undefined
    return {
      input: activity.input,
      get signal() {
        return controller().signal
      },
      attempt: activity.attempt,
      idempotencyKey: idempotencyKey(address, activity),
      heartbeat: details => this.#beat(details),
      lastHeartbeat: activity.lastHeartbeat,
      get log() {
        return (made ??= log())
      },
    }
  }

  #beat(details: unknown): void {
    if (!this.#isLive) return
    // Without a timeout nobody watches, and a heartbeat that says nothing is for nobody.
    if (details !== undefined) this.#pulse ??= this.#newPulse()
    this.#pulse?.beat(details)
  }

  #newPulse(): Pulse {
    const { clock, spec } = this.#options
    const { heartbeatTimeoutMs } = spec
    return new Pulse(clock, heartbeatTimeoutMs, {
      tell: details => this.#options.noted(details),
      missed: () => this.#timeOut('heartbeat', heartbeatTimeoutMs!),
    })
  }

  #timeOut(timeout: 'attempt' | 'heartbeat', limitMs: number): void {
    const { activity, spec } = this.#options
    const error = activityTimeout(timeout, { activity: spec.name, attempt: activity.attempt, limitMs })
    this.#settle({ status: 'error', error })
    this.#cut(error)
  }

  /** Nobody wants it any more, though its work has not ended. */
  #cut(reason: RuntimeError): void {
    this.#isCut = true
    this.#options.abandoned(1)
    this.#controller.abort(reason)
  }

  /** Its work has ended, wanted or not. */
  #ended(outcome: LeafOutcome): void {
    if (this.#isCut) this.#options.abandoned(-1)
    else this.#settle(outcome)
  }

  #settle(outcome: LeafOutcome): void {
    if (this.#isLive) this.#options.settled(outcome, this.#end())
  }

  /** Answers details that have not been told. */
  #end(): unknown {
    this.#isLive = false
    this.#timeout?.cancel()
    return this.#pulse?.stop()
  }
}
