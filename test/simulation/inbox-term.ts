/**
 * One partition of the inbox during one term, as `src/nats/inbox-term.ts` serves it: the listener hears of each envelope
 * once a term, in order. After a reconnection the consumer is replaced, and everything that is not acknowledged comes
 * again: what the listener holds is not told to it again, what it has settled is acknowledged once more.
 */
import { isRuntimeError } from '../../actors/errors.ts'
import type { InboxConsumer, InboxListener, InboxMessage, Wire } from '../../actors/ports.ts'
import type { MemoryNamespace } from '../../src/memory/namespace.ts'
import type { Checker } from './checker.ts'
import type { Link } from './link.ts'

const reopenWaitMs = 250
/** An envelope that could not be kept as a dead letter is delivered again after this. */
const ackWaitMs = 30_000

export interface InboxTermContext {
  readonly checker: Checker
  readonly link: Link
  readonly namespace: MemoryNamespace
  readonly partition: number
  readonly term: number
  readonly listener: InboxListener
}

export class SimInboxTerm implements InboxConsumer {
  readonly #context: InboxTermContext
  readonly #lane: string
  readonly #held = new Map<number, SimInboxMessage>()
  readonly #stopReconnected: () => void
  #highestTold = 0
  /** Counts the consumers made: what an earlier one still delivers is dropped. */
  #feed = 0
  #isFeeding = false
  #isClosed = false

  constructor(context: InboxTermContext) {
    this.#context = context
    this.#lane = `inbox ${context.partition}`
    this.#stopReconnected = context.link.onReconnected(() => this.#interrupted(this.#feed))
  }

  /** @throws as `Inbox.open` */
  async open(): Promise<void> {
    const { checker, link, listener, namespace, partition, term } = this.#context
    const feed = ++this.#feed
    this.#isFeeding = false
    const early: InboxMessage[] = []
    let take = (message: InboxMessage) => void early.push(message)
    const onServer: InboxListener = {
      message: message => link.push(this.#lane, () => take(message)),
      ended: () => link.push(this.#lane, () => this.#interrupted(feed)),
    }
    await link.request(this.#lane, `open ${partition} in term ${term}`, () =>
      namespace.inbox(partition).open(term, onServer),
    )
    checker.opened(partition)
    take = message => {
      if (feed === this.#feed && !this.#isClosed) this.#receive(message, listener)
    }
    this.#isFeeding = true
    for (const message of early) take(message)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopReconnected()
  }

  #receive(message: InboxMessage, listener: InboxListener): void {
    const { seq } = message.content
    if (seq > this.#highestTold) {
      this.#highestTold = seq
      const held = new SimInboxMessage(message, this.#context, this.#lane, {
        settled: () => this.#held.delete(seq),
        unburied: again => this.#receive(again, listener),
      })
      this.#held.set(seq, held)
      listener.message(held)
      return
    }
    const held = this.#held.get(seq)
    if (held === undefined) this.#context.link.send(this.#lane, `ack ${seq} again`, () => message.ack())
    else if (held.redelivered(message)) listener.message(held)
  }

  #interrupted(feed: number): void {
    // One that is being opened fails by itself.
    if (feed !== this.#feed || this.#isClosed || !this.#isFeeding) return
    this.#isFeeding = false
    // Never rejects.
    void this.#reopen()
  }

  async #reopen(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.open()
        return
      } catch (error) {
        if (this.#isClosed) return
        if (!isRuntimeError(error) || !error.retryable) {
          this.#context.listener.ended(error as Error)
          return
        }
      }
      await this.#context.link.process.sleep(reopenWaitMs)
    }
  }
}

interface MessageOwner {
  settled(): void
  /** It comes again. */
  unburied(message: InboxMessage): void
}

class SimInboxMessage implements InboxMessage {
  readonly content: InboxMessage['content']
  readonly #context: InboxTermContext
  readonly #lane: string
  readonly #owner: MessageOwner
  /** The newest delivery: acknowledgements of older ones reach a consumer that no longer is. */
  #delivered: InboxMessage
  #state: 'held' | 'settled' | 'unburied' = 'held'

  constructor(delivered: InboxMessage, context: InboxTermContext, lane: string, owner: MessageOwner) {
    this.#delivered = delivered
    this.#context = context
    this.#lane = lane
    this.#owner = owner
    this.content = delivered.content
  }

  redelivered(delivered: InboxMessage): boolean {
    this.#delivered = delivered
    if (this.#state !== 'unburied') return false
    this.#state = 'held'
    return true
  }

  ack(): void {
    if (this.#state === 'settled') return
    this.#state = 'settled'
    this.#owner.settled()
    const { checker, link } = this.#context
    const delivered = this.#delivered
    checker.acknowledging(link.process, this.content)
    link.send(this.#lane, `ack ${this.content.seq}`, () => delivered.ack())
  }

  get wire(): Wire {
    return this.#delivered.wire
  }

  working(): void {
    // Nothing is delivered again for slowness here.
  }

  reply(bytes: Uint8Array): void {
    const delivered = this.#delivered
    this.#context.link.send('replies', `answer ${this.content.seq}`, () => delivered.reply(bytes))
  }

  async deadLetter(code: string, reason: string): Promise<void> {
    const { checker, link } = this.#context
    const { seq } = this.content
    try {
      await link.publishOnce('dead letters', `dead letter ${seq}: ${code}`, () =>
        checker.buried(this.content, code, reason),
      )
    } catch (error) {
      if (this.#state === 'held') this.#state = 'unburied'
      const delivered = this.#delivered
      link.process.clock.setTimer(ackWaitMs, () => this.#owner.unburied(delivered))
      throw error
    }
    this.ack()
  }
}
