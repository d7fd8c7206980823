import { AckPolicy } from 'nats'
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../src/memory/clock.ts'
import { floorOf, InboxSweep, waitAfter } from '../../src/nats/inbox-sweep.ts'
import { natsFixture, testConnection } from '../contract/fixtures.ts'

describe('what is acknowledged', () => {
  it('is removed after 5 s, while that takes the server little time', () => {
    expect(waitAfter(2, 32)).toBe(5_000)
    expect(waitAfter(100, 1)).toBe(5_000)
  })

  it('is removed the less often the longer it takes, so that all partitions take a twentieth of a processor', () => {
    expect(waitAfter(16, 32)).toBe(32 * 16 * 20)
  })

  it('is removed once in a minute, however long that takes', () => {
    expect(waitAfter(100, 32)).toBe(60_000)
    expect(waitAfter(30_000, 32)).toBe(60_000)
  })
})

describe('a term', () => {
  it('looks for what it can remove as long as its consumer is there, and no longer', async () => {
    const clock = new ManualClock()
    const { namespace } = await natsFixture()
    const connection = await testConnection(undefined, { clock })
    const stream = namespace.subjects.inboxStream
    const name = 'p0-1-test'
    const filter = namespace.subjects.envelopes(0)
    await connection.jsm.consumers.add(stream, {
      ack_policy: AckPolicy.Explicit,
      durable_name: name,
      filter_subject: filter,
    })
    const failures: Error[] = []
    const sweep = new InboxSweep(connection, {
      stream,
      filter,
      partitions: 1,
      consumer: () => name,
      isOver: () => false,
      lowestHeld: () => undefined,
      failed: error => failures.push(error),
    })
    /** The server answers in order: what was asked before has been answered. */
    const lookNow = async () => {
      clock.advance(5_000)
      await floorOf(connection, stream, name)
      await new Promise(setImmediate)
      return clock.timerCount
    }

    // Its acknowledgement is on its way.
    sweep.settled(7)
    const [once, twice] = [await lookNow(), await lookNow()]
    await connection.jsm.consumers.delete(stream, name)
    const whenGone = await lookNow()
    clock.advance(600_000)

    expect([once, twice, whenGone, clock.timerCount]).toEqual([1, 1, 0, 0])
    expect(failures).toEqual([])
  })

  it('looks no more when it has ended without a consumer', async () => {
    const clock = new ManualClock()
    const { namespace } = await natsFixture()
    const connection = await testConnection(undefined, { clock })
    let isOver = false
    const sweep = new InboxSweep(connection, {
      stream: namespace.subjects.inboxStream,
      filter: namespace.subjects.envelopes(0),
      partitions: 1,
      consumer: () => undefined,
      isOver: () => isOver,
      lowestHeld: () => undefined,
      failed: () => {},
    })
    const lookNow = async () => {
      clock.advance(5_000)
      await new Promise(setImmediate)
      return clock.timerCount
    }

    sweep.settled(7)
    const whileReopened = await lookNow()
    isOver = true

    expect([whileReopened, await lookNow()]).toEqual([1, 0])
  })
})
