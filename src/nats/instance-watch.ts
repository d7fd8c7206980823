/**
 * The commits of one instance, as they happen.
 *
 * The bucket republishes every write as a plain message, so that any number of watchers cost no consumer. Such a
 * message is sent at most once, so three things close the gaps: the record is read after subscribing; it is read
 * again after every reconnection; and it is read every now and then while nothing arrives. Revisions at or below the
 * last one told are dropped: only rising ones reach the listener.
 */
import type { Msg, Subscription } from 'nats'
import { isRuntimeError } from '../../actors/errors.ts'
import type { RecordListener, TimerHandle } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import { formatAddress } from '../workflow/address.ts'
import type { NatsConnection } from './connection.ts'
import { translate } from './errors.ts'
import type { Entry } from './entry.ts'
import { headersIn } from './headers.ts'
import { storedRecord } from './record-entry.ts'
import { isUnfinished } from './record-headers.ts'

/** How often to look although nothing was heard. */
const rereadMs = 30_000
/** How soon to look again when looking failed. */
const retryMs = 500

export interface InstanceWatchSource {
  readonly address: Address
  readonly connection: NatsConnection
  /** Whether to tell of nothing before its end. */
  readonly onlyFinal: boolean
  read(): Promise<Entry | undefined>
  /** Where commits of this instance are republished. */
  readonly subject: string
}

export class InstanceWatch {
  readonly #source: InstanceWatchSource
  readonly #listener: RecordListener
  #subscription: Subscription | undefined
  #stopReconnected = () => {}
  #stopClosed = () => {}
  #timer: TimerHandle | undefined
  #isOpen = true
  #lastTold = 0
  /** Something arrived since the timer was set. */
  #isFresh = false

  constructor(source: InstanceWatchSource, listener: RecordListener) {
    this.#source = source
    this.#listener = listener
  }

  /** Resolves when the listener has been told of the record there is. */
  async open(): Promise<void> {
    const { connection, subject } = this.#source
    this.#stopClosed = connection.onClosed(error => this.#end(error))
    try {
      this.#subscription = connection.nc.subscribe(subject, {
        callback: (error, msg) => (error === null ? this.#receive(msg) : this.#end(this.#translate(error))),
      })
      // The subscription must stand at the server before the record is read. Reading goes the same way after it.
      this.#tell(await this.#source.read())
    } catch (error) {
      this.close()
      throw this.#translate(error)
    }
    this.#stopReconnected = connection.onReconnected(() => void this.#reread())
    this.#arm(rereadMs)
  }

  close(): void {
    this.#isOpen = false
    this.#timer?.cancel()
    this.#stopReconnected()
    this.#stopClosed()
    this.#subscription?.unsubscribe()
  }

  #receive(msg: Msg): void {
    const headers = headersIn(msg)
    const seq = Number(headers?.get('Nats-Sequence'))
    if (!(seq > this.#lastTold)) return
    this.#isFresh = true
    try {
      this.#tell({ data: msg.data, headers, seq })
    } catch (error) {
      this.#end(error as Error)
    }
  }

  #tell(entry: Pick<Entry, 'data' | 'headers' | 'seq'> | undefined): void {
    const { address, onlyFinal } = this.#source
    if (!this.#isOpen || entry === undefined || entry.seq <= this.#lastTold) return
    this.#lastTold = entry.seq
    if (onlyFinal && isUnfinished(entry.headers)) return
    const stored = storedRecord(entry, address)
    if (stored !== undefined) this.#listener.record(stored)
  }

  /** Never rejects: what cannot be read now is read later, and what never can ends the watch. */
  async #reread(): Promise<void> {
    this.#timer?.cancel()
    try {
      this.#tell(await this.#source.read())
      this.#arm(rereadMs)
    } catch (error) {
      if (isRuntimeError(error) && error.retryable) this.#arm(retryMs)
      else this.#end(error as Error)
    }
  }

  #arm(delayMs: number): void {
    if (!this.#isOpen) return
    this.#isFresh = false
    this.#timer?.cancel()
    this.#timer = this.#source.connection.clock.setTimer(delayMs, () => {
      if (this.#isFresh) this.#arm(rereadMs)
      else void this.#reread()
    })
  }

  #end(error: Error): void {
    if (!this.#isOpen) return
    this.close()
    this.#listener.ended(error)
  }

  #translate(error: unknown): Error {
    const { address, subject } = this.#source
    return translate(error, { what: `watch ${formatAddress(address)}`, subject })
  }
}
