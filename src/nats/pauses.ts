/**
 * Which workflows are paused: flags in the config bucket, as JSON. What goes on leaves a marker without bytes, as the
 * removed keys of a bucket do.
 *
 * A watcher has an ordered consumer without state. Whenever something may have been lost it is made anew, from the newest
 * message of every flag: there are few of them, and what is told twice changes nothing.
 */
import { AckPolicy, DeliverPolicy, nuid } from 'nats'
import type { ConsumerInfo, JsMsg } from 'nats'
import type { Pause, PauseListener, Pauses, PauseScope } from '../../actors/ports.ts'
import type { NatsConnection } from './connection.ts'
import { isRemoved, readEntryNearby } from './entry.ts'
import { translate } from './errors.ts'
import { Headers } from './headers.ts'
import { LastingFeed } from './lasting-feed.ts'
import type { Namespace } from './provision.ts'
import type { Subjects } from './subjects.ts'

const prefetch = 100
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
  readonly #feed: LastingFeed
  /** How much of what there was when the consumer was made has not been told. */
  #left = 0
  /** Undefined once all there was has been told. */
  #opening: { told(): void; failed(error: Error): void } | undefined

  constructor(connection: NatsConnection, subjects: Subjects, listener: PauseListener) {
    this.#connection = connection
    this.#subjects = subjects
    this.#listener = listener
    this.#feed = new LastingFeed({
      attempted: { what: 'watch what is paused', subject: subjects.allPauses },
      connection,
      prefetch,
      removesConsumers: true,
      makeConsumer: () => this.#makeConsumer(),
      message: msg => this.#receive(msg),
      ended: error => (this.#opening === undefined ? listener.ended(error) : this.#opening.failed(error)),
    })
  }

  /** Resolved once all there is has been told. */
  async open(): Promise<void> {
    const told = new Promise<void>((resolve, reject) => {
      this.#opening = { told: resolve, failed: reject }
    })
    await Promise.all([this.#feed.open(), told])
  }

  close(): void {
    // Never rejects, and there is nothing to wait for.
    void this.#feed.close()
  }

  async #makeConsumer(): Promise<ConsumerInfo> {
    const { allPauses, configStream } = this.#subjects
    const consumer = await this.#connection.jsm.consumers.add(configStream, {
      name: `watch-${nuid.next()}`,
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.LastPerSubject,
      filter_subject: allPauses,
      inactive_threshold: inactiveThresholdMs * 1e6,
      mem_storage: true,
      num_replicas: 1,
    })
    this.#left = consumer.num_pending
    if (this.#left === 0) this.#told()
    return consumer
  }

  #receive(msg: JsMsg): void {
    const { pause } = this.#subjects
    const scope = msg.subject === pause() ? undefined : msg.subject.slice(msg.subject.lastIndexOf('.') + 1)
    this.#listener.changed(scope, parsePause(msg.data, msg.info.timestampNanos / 1e6))
    if (--this.#left === 0) this.#told()
  }

  #told(): void {
    this.#opening?.told()
    this.#opening = undefined
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
