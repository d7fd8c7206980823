/**
 * Requests and their answers, for the two that every event costs: the library's own take half a dozen promises,
 * a timer and an error object each, more than everything else that is done for a commit.
 *
 * All answers come to one subscription; one timer looks for those that are overdue. When the connection broke and came back,
 * none of those under way will be answered: who waits for them hears that at once, not after their time. Errors are the library's,
 * with its codes, for the caller to translate.
 */
import { createInbox, ErrorCode, NatsError } from 'nats'
import type { Msg, NatsConnection as LibraryConnection } from 'nats'
import type { Clock, TimerHandle } from '../../actors/ports.ts'
import { headersIn, type Headers } from './headers.ts'

interface Waiting {
  readonly deadline: number
  readonly subject: string
  resolve(msg: Msg): void
  reject(error: NatsError): void
}

/** How often overdue requests are looked for: a time-out is that much late at most. */
const sweepMs = 50
const noResponders = 503

export class Requests {
  readonly #nc: LibraryConnection
  readonly #clock: Clock
  readonly #prefix: string
  readonly #waiting = new Map<string, Waiting>()
  #count = 0
  #sweep: TimerHandle | undefined

  constructor(nc: LibraryConnection, clock: Clock, inboxPrefix: string) {
    this.#nc = nc
    this.#clock = clock
    this.#prefix = `${createInbox(inboxPrefix)}.`
    nc.subscribe(`${this.#prefix}*`, {
      callback: (error, msg) => {
        if (error === null) this.#answered(msg)
        else this.#rejectAll(error)
      },
    })
  }

  /**
   * Sends and waits for one answer.
   *
   * @throws NatsError `TIMEOUT`, `503` when nobody listens, `PERMISSIONS_VIOLATION`, `CONNECTION_CLOSED`
   */
  ask(subject: string, payload: Uint8Array, timeoutMs: number, headers?: Headers): Promise<Msg> {
    return new Promise((resolve, reject) => {
      const token = (this.#count++).toString(36)
      // Throws when the connection is closed, before anything waits.
      const reply = this.#prefix + token
      this.#nc.publish(
        subject,
        payload,
        headers === undefined ? { reply } : { reply, headers: headers.forLibrary },
      )
      const deadline = this.#clock.monotonic() + timeoutMs
      this.#waiting.set(token, { deadline, subject, resolve, reject })
      this.#sweep ??= this.#clock.setTimer(sweepMs, () => this.#rejectOverdue())
    })
  }

  /** The server has refused what was published on this subject. */
  refused(subject: string): void {
    for (const [token, waiting] of this.#waiting) {
      if (waiting.subject !== subject) continue
      const error = NatsError.errorForCode(ErrorCode.PermissionsViolation)
      error.permissionContext = { operation: 'publish', subject }
      this.#reject(token, error)
    }
  }

  /** There is another connection: on that, nothing that was asked before is answered any more. */
  reconnected(): void {
    this.#rejectAll(NatsError.errorForCode(ErrorCode.Timeout))
  }

  /** The connection is gone for good. */
  closed(): void {
    this.#rejectAll(NatsError.errorForCode(ErrorCode.ConnectionClosed))
  }

  #answered(msg: Msg): void {
    const token = msg.subject.slice(this.#prefix.length)
    const waiting = this.#waiting.get(token)
    if (waiting === undefined) return
    if (msg.data.length === 0 && headersIn(msg)?.code === noResponders) {
      this.#reject(token, NatsError.errorForCode(ErrorCode.NoResponders))
      return
    }
    this.#forget(token)
    waiting.resolve(msg)
  }

  #rejectOverdue(): void {
    this.#sweep = undefined
    const now = this.#clock.monotonic()
    for (const [token, { deadline }] of this.#waiting) {
      if (deadline <= now) this.#reject(token, NatsError.errorForCode(ErrorCode.Timeout))
    }
    if (this.#waiting.size > 0) this.#sweep = this.#clock.setTimer(sweepMs, () => this.#rejectOverdue())
  }

  #rejectAll(error: NatsError): void {
    for (const token of this.#waiting.keys()) this.#reject(token, error)
  }

  #reject(token: string, error: NatsError): void {
    const waiting = this.#waiting.get(token)
    this.#forget(token)
    waiting?.reject(error)
  }

  #forget(token: string): void {
    this.#waiting.delete(token)
    if (this.#waiting.size > 0) return
    this.#sweep?.cancel()
    this.#sweep = undefined
  }
}
