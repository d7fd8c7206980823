/**
 * Which workflows are paused: flags in the config bucket, as JSON. What goes on leaves a marker without bytes, as the
 * removed keys of a bucket do.
 *
 * A watcher has an ordered consumer without state. Whenever something may have been lost it is made anew, from the newest
 * message of every flag: there are few of them, and what is told twice changes nothing.
 */
import { AckPolicy, DeliverPolicy, nuid } from 'nats'
import type { JsMsg } from 'nats'
import { isRuntimeError } from '../../actors/errors.ts'
import type { Pause, PauseListener, Pauses, PauseScope } from '../../actors/ports.ts'
import type { NatsConnection } from './connection.ts'
import { isRemoved, readEntryNearby } from './entry.ts'
import { translate } from './errors.ts'
import { openFeed, type Feed } from './feed.ts'
import { Headers } from './headers.ts'
import type { Namespace } from './provision.ts'
import type { Subjects } from './subjects.ts'
import { pause as wait } from './wait.ts'

const prefetch = 100
const retryWaitMs = 250
/** The server removes the consumer of a watcher that has gone. */
const inactiveThresholdMs = 60_000

export class NatsPauses implements Pauses {
  readonly #connection: NatsConnection
  readonly #subjects: Subjects

  constructor(connection: NatsConnection, namespace: Namespace) {
    this.#connection = connection
    this.#subjects = namespace.subjects
  }

  async set(scope: PauseScope, pause: Pause | undefined): Promise<void> {
    const subject = this.#subjects.pause(scope)
    try {
      if (pause === undefined) {
        const headers = Headers.of({ 'KV-Operation': 'DEL' })
        await this.#connection.publish(subject, new Uint8Array(0), { headers })
      } else {
        await this.#connection.publish(subject, new TextEncoder().encode(JSON.stringify(pause)))
      }
    } catch (error) {
      throw translate(error, {
        what: pause === undefined ? 'let workflows go on' : 'pause workflows',
        subject,
      })
    }
  }

  async get(scope: PauseScope, signal?: AbortSignal): Promise<Pause | undefined> {
    const subject = this.#subjects.pause(scope)
    try {
      signal?.throwIfAborted()
      const entry = await readEntryNearby(this.#connection, this.#subjects.configStream, subject, signal)
      return entry && parsePause(entry.data, entry.time)
    } catch (error) {
      throw translate(error, { what: 'see what is paused', subject })
    }
  }

  async watch(listener: PauseListener): Promise<() => void> {
    const watch = new PausesWatch(this.#connection, this.#subjects, listener)
    await watch.open()
    return () => watch.close()
  }
}

class PausesWatch {
  readonly #connection: NatsConnection
  readonly #subjects: Subjects
  readonly #listener: PauseListener
  readonly #closing = new AbortController()
  #consumer: string | undefined
  #feed: Feed | undefined

  constructor(connection: NatsConnection, subjects: Subjects, listener: PauseListener) {
    this.#connection = connection
    this.#subjects = subjects
    this.#listener = listener
  }

  /** Resolved once all there is has been told. */
  async open(): Promise<void> {
    const { allPauses, configStream } = this.#subjects
    try {
      const consumer = await this.#connection.jsm.consumers.add(configStream, {
        name: `watch-${nuid.next()}`,
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.LastPerSubject,
        filter_subject: allPauses,
        inactive_threshold: inactiveThresholdMs * 1e6,
        mem_storage: true,
        num_replicas: 1,
      })
      this.#consumer = consumer.name
      await this.#told(consumer)
    } catch (error) {
      this.#removeConsumer()
      throw translate(error, { what: 'watch what is paused', subject: allPauses })
    }
  }

  close(): void {
    this.#closing.abort()
    this.#feed?.close()
    this.#removeConsumer()
  }

  /** Opens the feed and waits for what was there when the consumer was made. */
  async #told(consumer: Parameters<typeof openFeed>[1]): Promise<void> {
    let left = consumer.num_pending
    let isTold = false
    await new Promise<void>((resolve, reject) => {
      const told = () => {
        isTold = true
        resolve()
      }
      const listener = {
        message: (msg: JsMsg) => {
          if (this.#closing.signal.aborted) return
          this.#receive(msg)
          if (--left === 0) told()
        },
        interrupted: (error: Error) => {
          if (!isTold) return reject(error)
          this.#removeConsumer()
          // Never rejects; nothing waits for it, because closing makes it stop.
          void this.#reopen()
        },
      }
      openFeed(this.#connection, consumer, prefetch, listener).then(feed => {
        if (this.#closing.signal.aborted) feed.close()
        else this.#feed = feed
        if (left <= 0) told()
      }, reject)
    })
  }

  #receive(msg: JsMsg): void {
    const { pause } = this.#subjects
    const scope = msg.subject === pause() ? undefined : msg.subject.slice(msg.subject.lastIndexOf('.') + 1)
    this.#listener.changed(scope, parsePause(msg.data, msg.info.timestampNanos / 1e6))
  }

  async #reopen(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        await this.open()
        return
      } catch (error) {
        if (signal.aborted) return
        if (!isRuntimeError(error) || !error.retryable) {
          this.#listener.ended(error as Error)
          return
        }
      }
      await wait(this.#connection.clock, retryWaitMs, signal).catch(() => {
        // Closed: the loop ends.
      })
    }
  }

  #removeConsumer(): void {
    const name = this.#consumer
    this.#consumer = undefined
    if (name === undefined || this.#connection.nc.isClosed()) return
    this.#connection.jsm.consumers.delete(this.#subjects.configStream, name).catch(() => {
      // Then the server removes it by itself after a while.
    })
  }
}

/**
 * A flag, or undefined when there is none. One that cannot be read was set by hand: it is a pause all the same.
 *
 * @param time when it was stored
 */
function parsePause(data: Uint8Array, time: number): Pause | undefined {
  if (isRemoved(data.length)) return undefined
  try {
    const { at, reason } = JSON.parse(new TextDecoder().decode(data)) as Record<keyof Pause, unknown>
    return {
      at: typeof at === 'number' ? at : time,
      ...(typeof reason === 'string' && { reason }),
    }
  } catch {
    return { at: time }
  }
}
