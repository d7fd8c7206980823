/**
 * One partition of the inbox during one term.
 *
 * ```
 *              open                 a gap, a reconnection
 *  (new) ───────────────▶ feeding ───────────────▶ reopening ─┐ NATS does not answer
 *             later term │   ▲                      │   │  ▲  │
 *  REVISION_CONFLICT ◀───┘   └──────────────────────┘   │  └──┘
 *                                                       │ a later term, or our consumer was deleted,
 *                                                       ▼ or the stream is gone
 *                                                     ended
 * ```
 *
 * A term deletes the consumers of earlier terms, whose acknowledgements and requests die with them, and makes its own,
 * which begins behind the floor of the earlier ones: the last envelope up to which all are acknowledged. Then it looks once
 * more: of two terms that begin at the same time, whichever made its consumer second sees the other, and the later one
 * stays. Should both be served for a moment, revisions decide.
 *
 * What is acknowledged stays in the stream at first. A work queue would remove each message by itself, which costs a server
 * that syncs its writes 0.6 ms of processor time, more than to store the message, and the disk a write. So it is removed
 * behind the floor, all at once, every now and then (see inbox-sweep.ts).
 *
 * Crashes: an owner that is killed, or loses the lease, leaves what is acknowledged and not removed; the next one begins
 * behind it, by the floor. With the server the consumer and its floor are gone, and what was not removed comes again: to
 * its instances it is known.
 *
 * Whenever an envelope may have been lost on its way, the consumer is replaced in the same manner: waiting for
 * redelivery would put it behind later ones. Every consumer has a name of its own, because an acknowledgement meant
 * for an earlier one would make a server skip what it has not delivered yet. What the listener holds is not told to
 * it again, and what it has settled is acknowledged once more: it hears of each envelope once a term, in order.
 */
import { AckPolicy, DeliverPolicy, nuid } from 'nats'
import type { ConsumerInfo, JsMsg } from 'nats'
import { RuntimeError } from '../../actors/errors.ts'
import type { InboxConsumer, InboxListener } from '../../actors/ports.ts'
import { partitionOf } from '../workflow/address.ts'
import type { NatsConnection } from './connection.ts'
import type { DeadLetters } from './dead-letters.ts'
import { apiErrorOf, apiErrors } from './errors.ts'
import { NatsInboxMessage, type InboxMessageContext } from './inbox-message.ts'
import { floorOf, InboxSweep } from './inbox-sweep.ts'
import { LastingFeed } from './lasting-feed.ts'
import type { Namespace } from './provision.ts'

export interface InboxTermContext {
  readonly ackWaitMs: number
  readonly connection: NatsConnection
  readonly deadLetters: DeadLetters
  readonly namespace: Namespace
  readonly prefetch: number
}

export class InboxTerm implements InboxConsumer {
  readonly #context: InboxTermContext
  readonly #partition: number
  readonly #term: number
  readonly #listener: InboxListener
  readonly #messageContext: InboxMessageContext
  /** Told to the listener and not settled, by sequence. */
  readonly #held = new Map<number, NatsInboxMessage>()
  readonly #feed: LastingFeed
  readonly #sweep: InboxSweep
  #highestTold = 0
  /** How many envelopes were there when the consumer was made. */
  #backlog = 0
  #isOver = false
  /** The consumer that must still be there unless another term has taken over, or its server was restarted since. */
  #ownConsumer: { readonly name: string; readonly reconnections: number } | undefined

  constructor(context: InboxTermContext, partition: number, term: number, listener: InboxListener) {
    this.#context = context
    this.#partition = partition
    this.#term = term
    this.#listener = listener
    const { partitions, subjects } = context.namespace
    this.#messageContext = {
      connection: context.connection,
      deadLetters: context.deadLetters,
      subjectOf: address => subjects.envelope(partitionOf(address, partitions), address),
      settled: seq => {
        this.#held.delete(seq)
        this.#sweep.settled(seq)
      },
    }
    this.#sweep = new InboxSweep(context.connection, {
      stream: subjects.inboxStream,
      filter: subjects.envelopes(partition),
      partitions,
      consumer: () => this.#ownConsumer?.name,
      isOver: () => this.#isOver,
      lowestHeld: () => this.#held.keys().next().value,
      failed: error => this.#fail(error),
    })
    this.#feed = new LastingFeed({
      attempted: {
        what: `open partition ${partition} of the inbox`,
        subject: subjects.envelopes(partition),
      },
      connection: context.connection,
      prefetch: context.prefetch,
      // That is part of the protocol.
      removesConsumers: false,
      makeConsumer: () => this.#takeOver(),
      message: msg => this.#receive(msg),
      ended: error => this.#fail(error),
    })
  }

  /** @throws as `Inbox.open` */
  open(): Promise<void> {
    return this.#feed.open()
  }

  close(): Promise<void> {
    this.#isOver = true
    return this.#feed.close()
  }

  /** It cannot go on. */
  #fail(error: Error): void {
    if (this.#isOver) return
    // Never rejects, and there is nothing to wait for.
    void this.close()
    this.#listener.ended(error)
  }

  #receive(msg: JsMsg): void {
    const { seq } = msg
    if (seq > this.#highestTold) {
      this.#highestTold = seq
      const isBacklog = msg.info.deliverySequence <= this.#backlog
      const message = new NatsInboxMessage(msg, this.#messageContext, isBacklog)
      this.#held.set(seq, message)
      this.#listener.message(message)
      return
    }
    const held = this.#held.get(seq)
    if (held === undefined) {
      // Settled before: the acknowledgement was lost.
      msg.ack()
      this.#sweep.settled(seq)
    } else if (held.redelivered(msg)) this.#listener.message(held)
  }

  /** Removes the consumers of this and earlier terms, and makes a new one. */
  async #takeOver(): Promise<ConsumerInfo> {
    const { connection, namespace } = this.#context
    const stream = namespace.subjects.inboxStream
    const floor = await this.#removeConsumers(stream)
    const name = `p${this.#partition}-${this.#term}-${nuid.next()}`
    const consumer = await connection.jsm.consumers.add(stream, {
      ack_policy: AckPolicy.Explicit,
      ack_wait: this.#context.ackWaitMs * 1e6,
      deliver_policy: DeliverPolicy.StartSequence,
      durable_name: name,
      filter_subject: namespace.subjects.envelopes(this.#partition),
      max_ack_pending: this.#context.prefetch,
      // On disk it takes seven times as long to make, and everything is to be had without.
      mem_storage: true,
      opt_start_seq: floor + 1,
    })
    this.#backlog = consumer.num_pending
    await this.#settleWithRivals(stream, name)
    this.#ownConsumer = { name, reconnections: connection.reconnections }
    if (floor > 0) this.#sweep.settled(floor)
    return consumer
  }

  /** Removes consumers that were made at the same time as ours, unless one of them is of a later term. */
  async #settleWithRivals(stream: string, ownName: string): Promise<void> {
    const { connection } = this.#context
    const others = (await consumersOf(connection, stream, this.#partition)).filter(
      ({ name }) => name !== ownName,
    )
    try {
      this.#refuseLater(others)
    } catch (error) {
      await deleteConsumer(connection, stream, ownName)
      throw error
    }
    await Promise.all(others.map(({ name }) => deleteConsumer(connection, stream, name)))
  }

  #refuseLater(consumers: readonly PartitionConsumer[]): void {
    const later = consumers.find(({ term }) => term > this.#term)
    if (later !== undefined) throw this.#superseded(`term ${later.term} has begun`)
  }

  /** Answers up to where all was acknowledged, as far as is known. */
  async #removeConsumers(stream: string): Promise<number> {
    const { connection } = this.#context
    const found = await consumersOf(connection, stream, this.#partition)
    this.#refuseLater(found)
    const own = this.#ownConsumer
    const mustBeThere = own?.reconnections === connection.reconnections
    if (mustBeThere && !found.some(({ name }) => name === own.name)) {
      throw this.#superseded('its consumer was deleted, as the next owner does')
    }
    // From here on its absence may be our own doing, even if no answer comes.
    this.#ownConsumer = undefined
    const floors = await Promise.all(
      found.map(async ({ name }) => {
        const floor = await floorOf(connection, stream, name)
        await deleteConsumer(connection, stream, name)
        return floor ?? 0
      }),
    )
    return Math.max(0, ...floors)
  }

  #superseded(reason: string): RuntimeError {
    return new RuntimeError(
      'REVISION_CONFLICT',
      `term ${this.#term} of partition ${this.#partition} is over: ${reason}`,
      { fields: { partition: this.#partition, term: this.#term } },
    )
  }
}

interface PartitionConsumer {
  readonly name: string
  readonly term: number
}

async function consumersOf(
  connection: NatsConnection,
  stream: string,
  partition: number,
): Promise<readonly PartitionConsumer[]> {
  const found: PartitionConsumer[] = []
  for (let offset = 0; ;) {
    const page = (await connection.askApi(`$JS.API.CONSUMER.NAMES.${stream}`, { offset })) as ConsumerNames
    for (const name of page.consumers ?? []) {
      const [, number, term] = /^p(\d+)-(\d+)-/.exec(name) ?? []
      if (Number(number) === partition) found.push({ name, term: Number(term) })
    }
    offset += page.consumers?.length ?? 0
    if (offset >= page.total || (page.consumers ?? []).length === 0) return found
  }
}

interface ConsumerNames {
  readonly consumers: readonly string[] | null
  readonly total: number
}

async function deleteConsumer(connection: NatsConnection, stream: string, name: string): Promise<void> {
  try {
    await connection.jsm.consumers.delete(stream, name)
  } catch (error) {
    if (apiErrorOf(error) !== apiErrors.consumerNotFound) throw error
  }
}
