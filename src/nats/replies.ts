import { createInbox, nuid } from 'nats'
import type { Subscription } from 'nats'
import { RuntimeError } from '../../actors/errors.ts'
import type { NatsConnection } from './connection.ts'
import { translate } from './errors.ts'
import { onAbort } from './wait.ts'

/** One answer that is waited for. */
export interface ExpectedReply {
  /** The answer. Rejects with `TIMEOUT`, the signal's reason, or `STORE_UNAVAILABLE` when the connection closes. */
  readonly answer: Promise<Uint8Array>
  /** Where to answer: what goes into {@link PublishOptions.replyTo}. */
  readonly subject: string
  /** Stops waiting; the promise then stays as it is. */
  dispose(): void
}

interface Waiting {
  answered(bytes: Uint8Array): void
  failed(error: unknown): void
}

/**
 * Answers to envelopes: one subscription for the whole process, whatever the number of answers waited for. An
 * answer travels at most once; who must know asks again.
 */
export class Replies {
  readonly #connection: NatsConnection
  readonly #prefix: string
  readonly #subscription: Subscription
  readonly #stopClosed: () => void
  readonly #waiting = new Map<string, Waiting>()
  /** Why nothing will ever come. */
  #failure: Error | undefined

  constructor(connection: NatsConnection) {
    this.#connection = connection
    this.#prefix = `${createInbox(connection.inboxPrefix)}.`
    this.#subscription = connection.nc.subscribe(`${this.#prefix}*`, {
      callback: (error, msg) => {
        if (error !== null)
          this.#fail(translate(error, { what: 'wait for answers', subject: `${this.#prefix}*` }))
        else this.#waiting.get(msg.subject.slice(this.#prefix.length))?.answered(msg.data)
      },
    })
    this.#stopClosed = connection.onClosed(error => this.#fail(error))
  }

  /**
   * Begins to wait for one answer.
   *
   * @param timeoutMs how long; undefined: until disposed
   */
  expect(timeoutMs?: number, signal?: AbortSignal): ExpectedReply {
    const token = nuid.next()
    let settle: Waiting
    const answer = new Promise<Uint8Array>((resolve, reject) => {
      settle = { answered: resolve, failed: reject }
    })
    // Who disposes of it before it is awaited is not interested in how it ends.
    answer.catch(() => {})
    const fail = (error: unknown) => {
      dispose()
      settle.failed(error)
    }
    let stopAbort = () => {}
    const timer =
      timeoutMs === undefined
        ? undefined
        : this.#connection.clock.setTimer(timeoutMs, () => fail(timedOut(timeoutMs)))
    const dispose = () => {
      this.#waiting.delete(token)
      timer?.cancel()
      stopAbort()
    }
    const answered = (bytes: Uint8Array) => {
      dispose()
      settle.answered(bytes)
    }
    this.#waiting.set(token, { answered, failed: fail })
    stopAbort = onAbort(signal, () => fail(signal!.reason))
    if (this.#failure !== undefined) fail(this.#failure)
    return { answer, subject: `${this.#prefix}${token}`, dispose }
  }

  /** Waits for nothing more: every promise open is rejected. May be called again. */
  close(): void {
    this.#stopClosed()
    this.#subscription.unsubscribe()
    this.#fail(
      new RuntimeError('STORE_UNAVAILABLE', 'no answer is waited for any more: the client is closed'),
    )
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const waiting of this.#waiting.values()) waiting.failed(error)
  }
}

function timedOut(timeoutMs: number): RuntimeError {
  return new RuntimeError('TIMEOUT', `no answer came within ${timeoutMs} ms; it may still be applied`, {
    fields: { timeoutMs },
    retryable: true,
  })
}
