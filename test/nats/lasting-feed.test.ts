import { AckPolicy, DeliverPolicy, nuid } from 'nats'
import type { ConsumerInfo, JsMsg } from 'nats'
import { describe, expect, it, onTestFinished } from 'vitest'
import { RuntimeError } from '../../actors/errors.ts'
import type { NatsConnection } from '../../src/nats/connection.ts'
import { LastingFeed } from '../../src/nats/lasting-feed.ts'
import { testConnection } from '../contract/fixtures.ts'
import { until } from '../contract/until.ts'
import { ownServer } from '../support/nats.ts'
import { scratchDir } from '../support/processes.ts'

interface Wanted {
  /** Called before each consumer is made. */
  readonly before?: () => Promise<void>
  readonly removesConsumers?: boolean
  readonly url?: string
}

/** A stream of its own, a feed of it that goes on where it was, and what that has told. */
class Fixture {
  readonly connection: NatsConnection
  readonly feed: LastingFeed
  readonly stream = `lasting-${nuid.next()}`
  readonly told: string[] = []
  /** The names of all that were made. */
  readonly made: string[] = []
  error: Error | undefined
  #lastSeq = 0

  private constructor(connection: NatsConnection, wanted: Wanted) {
    this.connection = connection
    this.feed = new LastingFeed({
      attempted: { what: 'read a stream', subject: this.stream },
      connection,
      prefetch: 10,
      removesConsumers: wanted.removesConsumers ?? true,
      makeConsumer: async () => {
        await wanted.before?.()
        return this.#makeConsumer()
      },
      message: msg => this.#receive(msg),
      ended: error => {
        this.error = error
      },
    })
  }

  static async make(wanted: Wanted = {}): Promise<Fixture> {
    const fixture = new Fixture(await testConnection(wanted.url), wanted)
    const { connection, feed, stream } = fixture
    await connection.jsm.streams.add({ name: stream, subjects: [stream] })
    onTestFinished(async () => {
      await feed.close()
      await connection.jsm.streams.delete(stream).catch(() => {})
    })
    return fixture
  }

  async publish(text: string): Promise<void> {
    await until(async () => {
      const stored = this.connection.publish(this.stream, new TextEncoder().encode(text))
      return stored.then(
        () => true,
        () => false,
      )
    })
  }

  /** The names of those that there are. */
  async consumers(): Promise<readonly string[]> {
    const consumers = await this.connection.jsm.consumers.list(this.stream).next()
    return consumers.map(({ name }) => name)
  }

  /** What somebody else does to it, once it is seen to work: until then, nobody would tell it. */
  async deleteConsumer(): Promise<void> {
    const before = this.told.length
    await this.publish('before')
    await until(() => this.told.length > before)
    await this.connection.jsm.consumers.delete(this.stream, this.made.at(-1)!)
  }

  async #makeConsumer(): Promise<ConsumerInfo> {
    const consumer = await this.connection.jsm.consumers.add(this.stream, {
      name: nuid.next(),
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      inactive_threshold: 60e9,
      mem_storage: true,
      opt_start_seq: this.#lastSeq + 1,
    })
    this.made.push(consumer.name)
    return consumer
  }

  #receive(msg: JsMsg): void {
    this.#lastSeq = msg.seq
    this.told.push(msg.string())
  }
}

describe('a lasting feed', () => {
  it('goes on with another consumer when its own is deleted', async () => {
    const fixture = await Fixture.make()
    await fixture.feed.open()

    await fixture.deleteConsumer()
    await fixture.publish('after')
    await until(() => fixture.told.length === 2)

    expect(fixture.told).toEqual(['before', 'after'])
    expect(await fixture.consumers()).toEqual([fixture.made[1]])
    expect(fixture.error).toBeUndefined()
  })

  it('tries until the server is back that was killed', async () => {
    const storeDir = await scratchDir()
    const server = await ownServer({ storeDir })
    const fixture = await Fixture.make({ url: server.url })
    await fixture.publish('a')
    await fixture.feed.open()
    await until(() => fixture.told.length === 1)

    server.kill('SIGKILL')
    await server.exited
    await ownServer({ storeDir, port: server.port })
    await fixture.publish('b')
    await until(() => fixture.told.length === 2)

    expect(fixture.told).toEqual(['a', 'b'])
    expect(fixture.error).toBeUndefined()
  })

  it('tries again for as long as there is no consumer to be had', async () => {
    let refusals = 0
    const before = async () => {
      if (fixture.made.length === 0 || ++refusals > 2) return
      throw new RuntimeError('STORE_UNAVAILABLE', 'not now', { retryable: true })
    }
    const fixture: Fixture = await Fixture.make({ before })
    await fixture.feed.open()

    await fixture.deleteConsumer()
    await fixture.publish('after')
    await until(() => fixture.told.length === 2)

    expect(refusals).toBe(3)
    expect(fixture.error).toBeUndefined()
  })

  it('ends by an error that will not go away', async () => {
    const over = new RuntimeError('REVISION_CONFLICT', 'somebody else has it')
    const before = async () => {
      if (fixture.made.length > 0) throw over
    }
    const fixture: Fixture = await Fixture.make({ before })
    await fixture.feed.open()

    await fixture.deleteConsumer()
    await until(() => fixture.error !== undefined)

    expect(fixture.error).toBe(over)
  })

  it('throws when it cannot be opened at first, whatever the reason', async () => {
    const fixture = await Fixture.make()
    await fixture.connection.jsm.streams.delete(fixture.stream)
    const refused = new RuntimeError('STORE_UNAVAILABLE', 'not now', { retryable: true })
    const another = await Fixture.make({ before: () => Promise.reject(refused) })

    await expect(fixture.feed.open()).rejects.toMatchObject({ code: 'NAMESPACE_NOT_FOUND' })
    await expect(another.feed.open()).rejects.toBe(refused)
  })

  it('leaves the consumers that it does not remove', async () => {
    const fixture = await Fixture.make({ removesConsumers: false })
    await fixture.feed.open()

    await fixture.feed.close()
    const [own] = fixture.made

    expect(await fixture.consumers()).toEqual([own])
  })

  it('leaves no consumer and tells nothing when it is closed while it opens', async () => {
    const fixture = await Fixture.make()
    await fixture.publish('a')

    const opening = fixture.feed.open()
    await fixture.feed.close()
    await opening
    await until(async () => (await fixture.consumers()).length === 0)

    expect(fixture.made).toHaveLength(1)
    expect(fixture.told).toEqual([])
  })

  it('makes no other consumer once it is closed, and waits for the one being made', async () => {
    let letIn = () => {}
    const entered = new Promise<void>(resolve => {
      letIn = resolve
    })
    let goOn = () => {}
    const waited = new Promise<void>(resolve => {
      goOn = resolve
    })
    let attempts = 0
    const before = async () => {
      if (++attempts === 1) return
      letIn()
      await waited
      throw new RuntimeError('STORE_UNAVAILABLE', 'not now', { retryable: true })
    }
    const fixture = await Fixture.make({ before })
    await fixture.feed.open()
    await fixture.deleteConsumer()
    await entered

    let isClosed = false
    const closing = fixture.feed.close().then(() => {
      isClosed = true
    })
    await fixture.connection.nc.flush()
    const wasClosed = isClosed
    goOn()
    await closing

    expect(wasClosed).toBe(false)
    expect(attempts).toBe(2)
    expect(fixture.error).toBeUndefined()
  })
})
