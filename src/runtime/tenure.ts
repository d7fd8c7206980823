/**
 * The time in which this node holds a partition, under one term.
 *
 * ```
 *            the trust runs out
 *  trusted ─────────────────────▶ doubtful
 *     │  ◀───────────────────────    │
 *     │          renewed             │ refused, or unanswered until the server has forgotten it
 *     │ given up                     ▼
 *     └─────────────────────────▶  over
 * ```
 *
 * A renewal can be late because this process or NATS is busy for a moment. Until its answer comes nothing is written, but
 * nothing is thrown away either: a renewal that is stored proves that nobody else has had the partition in between, and
 * everything goes on where it stood. To begin anew for that would make a busy moment a busy minute.
 */
import { isRuntimeError } from '../../actors/errors.ts'
import type { Clock, Lease, Leases } from '../../actors/ports.ts'
import type { Log } from './log.ts'

export interface TenureContext {
  readonly clock: Clock
  readonly leases: Leases
  /** How long a lease lasts, in milliseconds. */
  readonly leaseTtlMs: number
  readonly log: Log
}

export class Tenure {
  readonly #context: TenureContext
  #lease: Lease
  #isOver = false
  /** Those who wait until it is trusted or over. */
  #waiting: (() => void)[] = []

  constructor(lease: Lease, context: TenureContext) {
    this.#context = context
    this.#lease = lease
  }

  /** As renewed last. */
  get lease(): Lease {
    return this.#lease
  }

  /** Whether this node may write the records of the partition right now. */
  get isTrusted(): boolean {
    return !this.#isOver && this.#context.clock.monotonic() < this.#lease.trustedUntil
  }

  /** Whether it never may again. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Waits until it is trusted or over, and answers whether it is trusted. */
  async trusted(): Promise<boolean> {
    while (!this.isTrusted && !this.#isOver) {
      await new Promise<void>(resolve => {
        this.#waiting.push(resolve)
      })
    }
    return !this.#isOver
  }

  /**
   * Renews the lease three times within its life, until stopped.
   *
   * @param lost called once when it cannot be renewed any more
   * @returns stops it
   */
  keep(lost: () => void): () => void {
    const { clock, leases, leaseTtlMs, log } = this.#context
    const intervalMs = leaseTtlMs / 3
    const { partition } = this.#lease
    let isStopped = false
    const schedule = (delayMs: number) => clock.setTimer(delayMs, () => void renew())
    let timer = schedule(intervalMs)
    const renew = async () => {
      if (this.#isOver) return
      try {
        const renewed = await leases.renew(this.#lease)
        if (isStopped || this.#isOver) return
        this.#lease = renewed
        this.#wake()
        timer = schedule(intervalMs)
      } catch (error) {
        if (isStopped || this.#isOver) return
        if (!isRuntimeError(error, 'REVISION_CONFLICT') && !this.#isForgotten) {
          timer = schedule(intervalMs / 10)
          return
        }
        log.warn({ err: error, partition }, 'a lease is lost')
        lost()
      }
    }
    return () => {
      isStopped = true
      timer.cancel()
    }
  }

  /** From here on nothing may be written. */
  end(): void {
    this.#isOver = true
    this.#wake()
  }

  /** Whether the server knows nothing of the lease any more, at the latest. */
  get #isForgotten(): boolean {
    const { clock, leaseTtlMs } = this.#context
    return clock.monotonic() >= this.#lease.trustedUntil + leaseTtlMs / 4
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
