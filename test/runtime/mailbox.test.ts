import { pino } from 'pino'
import { describe, expect, it } from 'vitest'

import type { Envelope } from '../../actors/envelope.ts'
import type { InboxMessage, Parking } from '../../actors/ports.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { MemoryParking } from '../../src/memory/parking.ts'
import type { Received } from '../../src/runtime/hosting.ts'
import { Mailbox } from '../../src/runtime/mailbox.ts'

const address = { workflow: 'order', id: 'o-1' }
const prefetch = 8
const quiet = () => new Promise(resolve => setImmediate(resolve))

/** A mailbox, the instance that is handed what comes, and the inbox that is told what is settled. */
class Bench {
  readonly clock = new ManualClock()
  readonly namespace = new MemoryNamespace({ clock: this.clock, maxPayloadBytes: 2_000 })
  readonly parking = new MemoryParking(this.namespace)
  /** In the hands of the instance. */
  handed: Received[] = []
  /** Everything it was ever handed. */
  readonly seqs: number[] = []
  /** Acknowledged in the inbox. */
  readonly acked: number[] = []
  readonly buried: number[] = []
  /** Parked envelopes that were checked, those that shall be refused, and those that have been. */
  readonly admitted: number[] = []
  readonly refuses = new Set<number>()
  readonly refused = new Set<number>()
  flushes = 0
  emptied = 0
  loads = 0
  yields = true
  isOver = false
  readonly mailbox: Mailbox

  constructor(parking?: (parking: Parking) => Parking) {
    this.mailbox = new Mailbox({
      address,
      clock: this.clock,
      log: pino({ level: 'silent' }),
      parking: parking?.(this.parking) ?? this.parking,
      prefetch,
      admit: message => {
        this.admitted.push(message.content.seq)
        if (!this.refuses.has(message.content.seq)) return received(message)
        this.refused.add(message.content.seq)
        return undefined
      },
      isRefused: message => this.refused.has(message.content.seq),
      load: () => void this.loads++,
      hand: delivery => {
        this.handed.push(delivery)
        this.seqs.push(delivery.seq)
      },
      flush: () => void this.flushes++,
      yield: () => {
        if (this.yields) this.handed = []
        return this.yields
      },
      bury: message => void this.buried.push(message.content.seq),
      isOver: () => this.isOver,
      track: work => void work.catch(() => expect.unreachable('it never rejects')),
      emptied: () => void this.emptied++,
    })
  }

  take(seq: number, message: object = { type: 'send', event: { type: 'GO' } }): void {
    const envelope = { id: `e-${seq}`, target: address, time: 0, ...message } as Envelope
    this.mailbox.take(received(this.message(envelope, seq)))
  }
  /** As it would come from the inbox. */
  message(envelope: Envelope, seq: number): InboxMessage {
    return {
      content: { envelope, seq },
      wire: { data: encodeEnvelope(envelope), headers: [] },
      ack: () => void this.acked.push(seq),
      working() {},
      reply() {},
      deadLetter: async () => {},
    }
  }
  /** The instance settles the first of those it has, in order. */
  settle(count: number): void {
    for (const { message } of this.handed.splice(0, count)) {
      message.ack()
      this.mailbox.settled(message)
    }
  }
  stop(): void {
    this.handed = []
    this.mailbox.stopped()
  }
  parked(): number[] {
    return (this.namespace.parked.get('order/o-1') ?? []).map(({ seq }) => seq)
  }
}

function received(message: InboxMessage): Received {
  if ('malformed' in message.content) throw message.content.malformed
  return { ...message.content, message }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, n) => from + n)
}

describe('a mailbox', () => {
  it('hands over half a prefetch at most, and the rest in order as it is settled', async () => {
    const bench = new Bench()
    for (const seq of range(1, 8)) bench.take(seq)
    const atFirst = [...bench.seqs]
    const { flushes } = bench

    bench.settle(2)
    await quiet()
    const then = [...bench.seqs]
    bench.take(8)
    bench.settle(4)
    await quiet()
    bench.settle(4)

    expect(atFirst).toEqual([1, 2, 3, 4])
    expect(flushes).toBeGreaterThan(0)
    expect(then).toEqual(range(1, 7))
    expect(bench.seqs).toEqual(range(1, 9))
    expect(bench.acked).toEqual(range(1, 9))
    expect([bench.mailbox.isEmpty, bench.emptied]).toEqual([true, 1])
  })

  it('parks everything from the first unsettled envelope on, once its instance is stopped', async () => {
    const bench = new Bench()
    for (const seq of range(1, 8)) bench.take(seq)
    bench.settle(1)

    bench.stop()
    await quiet()
    bench.take(8)
    await quiet()

    expect(bench.parked()).toEqual(range(2, 9))
    expect(bench.acked).toEqual(range(1, 9))
    expect(bench.mailbox.hasHanded).toBe(false)
  })

  it('acknowledges nothing before it is parked', async () => {
    let park = () => {}
    const bench = new Bench(parking => ({
      instances: number => parking.instances(number),
      last: target => parking.last(target),
      read: (target, after, limit) => parking.read(target, after, limit),
      park: async (target, messages, expected) => {
        await new Promise<void>(resolve => (park = resolve))
        return parking.park(target, messages, expected)
      },
    }))
    bench.take(1)
    bench.stop()
    await quiet()
    const before = [...bench.acked]
    park()
    await quiet()

    expect([before, bench.acked]).toEqual([[], [1]])
  })

  it('hands over what is parked before what came later, with its place in the inbox', async () => {
    const bench = new Bench()
    bench.stop()
    for (const seq of range(1, 11)) bench.take(seq)
    await quiet()

    bench.mailbox.goesOn()
    for (const seq of range(11, 13)) bench.take(seq)
    await quiet()
    const atFirst = [...bench.seqs]
    for (let round = 0; round < 5; round++) {
      bench.settle(4)
      await quiet()
    }

    expect(atFirst).toEqual([1, 2, 3, 4])
    expect(bench.seqs).toEqual(range(1, 13))
    expect(bench.parked()).toEqual([])
    expect(bench.acked.toSorted((a, b) => a - b)).toEqual(range(1, 13))
    expect(bench.mailbox.isEmpty).toBe(true)
  })

  it('parks more while its instance catches up, when it is too much to be held', async () => {
    const bench = new Bench()
    bench.stop()
    bench.take(1)
    await quiet()
    bench.mailbox.goesOn()
    await quiet()

    bench.take(2)
    bench.take(3)
    await quiet()
    const few = bench.parked()
    bench.take(4)
    await quiet()
    const many = bench.parked()
    for (let round = 0; round < 4; round++) {
      bench.settle(4)
      await quiet()
    }

    expect([few, many]).toEqual([[1], [1, 2, 3, 4]])
    expect(bench.seqs).toEqual([1, 2, 3, 4])
    expect(bench.mailbox.isEmpty).toBe(true)
  })

  it('lets control envelopes go ahead of what is parked, but not of what waits to be handed over', async () => {
    const bench = new Bench()
    for (const seq of range(1, 7)) bench.take(seq)
    bench.take(7, { type: 'cancel', reason: '' })
    const waiting = [...bench.seqs]

    bench.stop()
    await quiet()
    bench.take(8, { type: 'resume' })

    expect(waiting).toEqual([1, 2, 3, 4])
    expect(bench.seqs).toEqual([1, 2, 3, 4, 7, 8])
    expect(bench.parked()).toEqual(range(1, 7))
  })

  it('begins anew with what is parked when its instance is stopped in the middle', async () => {
    const bench = new Bench()
    bench.stop()
    for (const seq of range(1, 7)) bench.take(seq)
    await quiet()
    bench.mailbox.goesOn()
    await quiet()
    bench.settle(1)

    bench.stop()
    await quiet()
    bench.mailbox.goesOn()
    await quiet()

    expect(bench.handed.map(({ seq }) => seq)).toEqual([2, 3, 4, 5])
  })

  it('takes nothing that was read before its instance was stopped', async () => {
    const bench = new Bench()
    bench.stop()
    bench.take(1)
    await quiet()

    bench.mailbox.goesOn()
    bench.stop()
    await quiet()

    expect(bench.seqs).toEqual([])
    expect(bench.parked()).toEqual([1])
  })

  it('removes once more what could not be removed, before anything newer is handed over', async () => {
    let lost = 2
    const bench = new Bench(parking => ({
      instances: number => parking.instances(number),
      last: target => parking.last(target),
      park: (target, messages, expected) => parking.park(target, messages, expected),
      read: async (target, after, limit) => {
        const found = await parking.read(target, after, limit)
        return found.map(message => ({ ...message, ack: () => (lost-- > 0 ? undefined : message.ack()) }))
      },
    }))
    bench.stop()
    for (const seq of range(1, 4)) bench.take(seq)
    await quiet()
    bench.mailbox.goesOn()
    await quiet()
    bench.take(4)
    for (let round = 0; round < 3; round++) {
      bench.settle(4)
      await quiet()
    }

    expect(bench.parked()).toEqual([])
    expect(bench.seqs).toEqual([1, 2, 3, 1, 2, 4])
  })

  it('lets no parked envelope that cannot be removed, or is refused, hold up newer ones', async () => {
    const bench = new Bench(parking => ({
      instances: number => parking.instances(number),
      last: target => parking.last(target),
      park: (target, messages, expected) => parking.park(target, messages, expected),
      read: async (target, after, limit) => {
        const found = await parking.read(target, after, limit)
        return found.map(message => ({ ...message, ack: () => {} }))
      },
    }))
    bench.refuses.add(2)
    bench.stop()
    for (const seq of range(1, 4)) bench.take(seq)
    await quiet()
    bench.mailbox.goesOn()
    await quiet()
    bench.take(4)
    for (let round = 0; round < 5; round++) {
      bench.settle(4)
      await quiet()
    }

    expect(bench.seqs).toEqual([1, 3, 1, 3, 4])
    expect(bench.admitted).toEqual([1, 2, 3, 1, 3])
    expect(bench.mailbox.isEmpty).toBe(true)
  })

  it('reads what was found parked only once its instance says that it goes on', async () => {
    const bench = new Bench()
    bench.stop()
    bench.take(1)
    await quiet()
    const next = new Bench(() => bench.parking)

    next.mailbox.found()
    next.take(2)
    await quiet()
    const before = [...next.seqs]
    next.mailbox.goesOn()
    await quiet()

    expect([before, next.seqs]).toEqual([[], [1, 2]])
  })

  it('acknowledges what an owner before it has parked, and parks behind it', async () => {
    const bench = new Bench()
    bench.stop()
    for (const seq of range(1, 4)) bench.take(seq)
    await quiet()
    const next = new Bench(() => bench.parking)

    next.mailbox.found()
    for (const seq of range(2, 6)) next.take(seq)
    await quiet()

    expect(bench.parked()).toEqual([1, 2, 3, 4, 5])
    expect(next.acked).toEqual([2, 3, 4, 5])
  })

  it('finds out what became of a write whose answer was lost, or that came second', async () => {
    let fails = 0
    const bench = new Bench(parking => ({
      instances: number => parking.instances(number),
      last: target => parking.last(target),
      read: (target, after, limit) => parking.read(target, after, limit),
      park: async (target, messages, expected) => {
        const position = await parking.park(target, messages, expected)
        if (fails++ === 0) throw new Error('the answer is lost')
        return position
      },
    }))
    const other = new Bench(() => bench.parking)
    bench.stop()
    bench.take(1)
    await quiet()
    const before = [...bench.acked]
    bench.clock.advance(1_000)
    await quiet()
    other.stop()
    for (const seq of range(1, 3)) other.take(seq)
    await quiet()
    for (const seq of range(2, 4)) bench.take(seq)
    await quiet()

    expect(before).toEqual([])
    expect([bench.acked, other.acked]).toEqual([
      [1, 2, 3],
      [1, 2],
    ])
    expect(bench.parked()).toEqual([1, 2, 3])
  })

  it('buries what is too large to be parked, and parks its neighbours', async () => {
    const bench = new Bench()
    bench.stop()
    bench.take(1)
    bench.take(2, { type: 'send', event: { type: 'BIG', text: 'x'.repeat(3_000) } })
    bench.take(3)
    await quiet()

    expect([bench.buried, bench.parked(), bench.acked]).toEqual([[2], [1, 3], [1, 3]])
  })
})

describe('an instance that settles nothing', () => {
  it('has what it was sent parked after a while, and takes it in order once it moves', async () => {
    const bench = new Bench()
    for (const seq of range(1, 8)) bench.take(seq)
    bench.clock.advance(4_999)
    await quiet()
    const early = bench.parked()

    bench.clock.advance(1)
    await quiet()
    const flooded = bench.parked()
    for (const seq of range(8, 12)) bench.take(seq)
    for (let round = 0; round < 5; round++) {
      await quiet()
      bench.settle(4)
    }
    await quiet()

    expect([early, flooded]).toEqual([[], range(1, 8)])
    expect(bench.seqs).toEqual([1, 2, 3, 4, ...range(1, 12)])
    expect(bench.mailbox.isEmpty).toBe(true)
  })

  it('keeps what it has begun with, and is left alone while it settles anything', async () => {
    const bench = new Bench()
    for (const seq of range(1, 8)) bench.take(seq)
    bench.yields = false
    bench.clock.advance(6_000)
    bench.yields = true
    bench.settle(1)
    await quiet()
    bench.clock.advance(4_900)
    await quiet()

    expect(bench.parked()).toEqual([])
    bench.clock.advance(5_100)
    await quiet()
    expect(bench.parked()).toEqual(range(2, 8))
  })

  it('is left alone while nothing else waits for it', async () => {
    const bench = new Bench()
    for (const seq of range(1, 5)) bench.take(seq)
    bench.clock.advance(60_000)
    await quiet()

    expect(bench.parked()).toEqual([])
    expect(bench.clock.timerCount).toBe(0)
  })
})
