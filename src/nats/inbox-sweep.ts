/**
 * Removes envelopes from the inbox once they are acknowledged.
 *
 * The server knows up to where all is acknowledged: the floor of our consumer. Everything of the partition up to there is
 * removed at once, every now and then. Only our own consumer is asked, and its answer is what makes the removal safe: the
 * next owner deletes it before it takes anything. So whoever acknowledged up to that floor was still the owner, and went by
 * records that were not stale; what it settled may go, however late the removal arrives. An owner of old finds no consumer,
 * removes nothing, and asks no more: else every term that ever was would ask for its consumer for ever.
 */
import { isRuntimeError } from '../../actors/errors.ts'
import type { TimerHandle } from '../../actors/ports.ts'
import type { NatsConnection } from './connection.ts'
import { apiErrorOf, apiErrors, translate } from './errors.ts'

/**
 * How long what is acknowledged stays at most, while the server answers and little waits. Each removal costs the server one
 * or two milliseconds; what is still there when a server dies comes once more, and the cursors drop it.
 */
const sweepMs = 5_000

/**
 * After a removal the server counts anew what waits for each consumer of the stream. Where much waits that takes it 80 ms
 * (nats-server 2.15.1, 32 consumers, a block full of envelopes), and all partitions together took most of a processor. So
 * they keep to this share of it, as long as what is acknowledged need not stay longer than that for it.
 */
const mostShare = 1 / 20
const longestMs = 60_000

export interface InboxSweepOptions {
  readonly stream: string
  /** Subjects of the partition. */
  readonly filter: string
  /** How many there are, each of which is swept. */
  readonly partitions: number
  /** Our consumer, if there is one now. */
  readonly consumer: () => string | undefined
  /** Whether the term has ended: when it has no consumer then, it will have none. */
  readonly isOver: () => boolean
  /** The lowest sequence that is not settled, of those told. */
  readonly lowestHeld: () => number | undefined
  /** It can never be done. */
  readonly failed: (error: Error) => void
}

export class InboxSweep {
  readonly #connection: NatsConnection
  readonly #options: InboxSweepOptions
  #timer: TimerHandle | undefined
  #isSweeping = false
  /** The highest sequence that is settled. */
  #settledTo = 0
  #sweptTo = 0
  /** How long after something is settled it is removed. */
  #waitMs = sweepMs

  constructor(connection: NatsConnection, options: InboxSweepOptions) {
    this.#connection = connection
    this.#options = options
  }

  /** The envelope is settled. */
  settled(seq: number): void {
    this.#settledTo = Math.max(this.#settledTo, seq)
    this.#later()
  }

  #later(): void {
    const { clock, nc } = this.#connection
    if (this.#isSweeping || this.#timer !== undefined || nc.isClosed()) return
    this.#timer = clock.setTimer(this.#waitMs, () => {
      stopClosed()
      this.#timer = undefined
      void this.#sweep()
    })
    const stopClosed = this.#connection.onClosed(() => this.#timer?.cancel())
  }

  /** Never rejects. */
  async #sweep(): Promise<void> {
    this.#isSweeping = true
    let isOver = false
    try {
      isOver = !(await this.#removeSettled())
    } catch (error) {
      const { filter, stream } = this.#options
      const translated = translate(error, { what: `remove what is settled from ${stream}`, subject: filter })
      isOver = !isRuntimeError(translated) || !translated.retryable
      if (isOver) this.#options.failed(translated)
    }
    this.#isSweeping = false
    // Acknowledgements may have been on their way, or something before them is not settled yet.
    if (this.#sweptTo < this.#settledTo && !isOver) this.#later()
  }

  /** Answers whether there may be more to remove: not when the consumer is gone, and with it what was acknowledged. */
  async #removeSettled(): Promise<boolean> {
    const { consumer, filter, isOver, lowestHeld, partitions, stream } = this.#options
    const { clock } = this.#connection
    const name = consumer()
    if (name === undefined) return !isOver()
    const floor = await floorOf(this.#connection, stream, name)
    if (floor === undefined) return false
    const held = lowestHeld()
    const reached = held === undefined ? floor : Math.min(floor, held - 1)
    if (reached <= this.#sweptTo) return true
    const startedAt = clock.monotonic()
    await this.#connection.askApi(`$JS.API.STREAM.PURGE.${stream}`, { filter, seq: reached + 1 })
    this.#sweptTo = reached
    this.#waitMs = waitAfter(clock.monotonic() - startedAt, partitions)
    return true
  }
}

/** How long to wait before the next removal, when one has taken so long. */
export function waitAfter(tookMs: number, partitions: number): number {
  return Math.min(Math.max(sweepMs, (partitions * tookMs) / mostShare), longestMs)
}

/** Sequence up to which all that the consumer was to deliver is acknowledged; undefined when there is no such consumer. */
export async function floorOf(
  connection: NatsConnection,
  stream: string,
  name: string,
): Promise<number | undefined> {
  try {
    return (await connection.jsm.consumers.info(stream, name)).ack_floor.stream_seq
  } catch (error) {
    if (apiErrorOf(error) === apiErrors.consumerNotFound) return undefined
    throw error
  }
}
