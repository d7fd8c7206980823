import { describe, expect, it } from 'vitest'

import type { Heartbeats } from '../../actors/ports.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryHeartbeats } from '../../src/memory/heartbeats.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { rootLog } from '../../src/runtime/log.ts'
import { Membership } from '../../src/runtime/membership.ts'

const ttlMs = 900

/** Nodes of one namespace in memory, whose time the test lets pass. */
class Bench {
  readonly clock = new ManualClock()
  readonly namespace = new MemoryNamespace({ clock: this.clock, leaseTtlMs: ttlMs })

  /** A member, and what it has told so far: the names alive, each time anew. */
  member(name: string, heartbeats = this.heartbeats(name)): { told: string[]; membership: Membership } {
    const told: string[] = []
    const membership = new Membership({
      clock: this.clock,
      heartbeats,
      log: rootLog('silent'),
      name,
      ttlMs,
      changed: (names, avoided) => {
        const away = (node: string) =>
          [...(avoided.get(node) ?? [])].map(partition => `-${partition}`).join('')
        told.push(names.map(node => node + away(node)).join(' '))
      },
    })
    return { told, membership }
  }

  heartbeats(name: string): Heartbeats {
    return new MemoryHeartbeats(this.namespace, name)
  }

  /** That much time passes, and everybody hears what was said in it. */
  async pass(durationMs: number): Promise<void> {
    for (let passed = 0; passed < durationMs; passed += 50) {
      this.clock.advance(Math.min(50, durationMs - passed))
      await Promise.resolve()
      await Promise.resolve()
    }
  }
}

describe('membership', () => {
  it('tells on joining who is alive, the node itself among them, once it knows all', async () => {
    const bench = new Bench()
    const { told, membership } = bench.member('b')
    await bench.heartbeats('a').beat()
    await bench.heartbeats('c').beat()

    await membership.join()

    expect(told).toEqual(['a b c'])
  })

  it('tells of a node that joins and of one that leaves, once each', async () => {
    const bench = new Bench()
    const [a, b] = [bench.member('a'), bench.member('b')]
    await a.membership.join()

    await b.membership.join()
    await bench.pass(3 * ttlMs)
    await b.membership.leave()
    await bench.pass(3 * ttlMs)

    expect(a.told).toEqual(['a', 'a b', 'a'])
  })

  it('tells of a node that falls silent a time to live after it was heard last', async () => {
    const bench = new Bench()
    const a = bench.member('a')
    await a.membership.join()
    await bench.heartbeats('b').beat()

    await bench.pass(ttlMs - 50)
    const before = [...a.told]
    await bench.pass(50)

    expect(before).toEqual(['a', 'a b'])
    expect(a.told).toEqual(['a', 'a b', 'a'])
  })

  it('gives a node that died before it joined no more time than its lease has', async () => {
    const bench = new Bench()
    await bench.heartbeats('dead').beat()
    await bench.pass(ttlMs - 100)
    const a = bench.member('a')
    await a.membership.join()

    await bench.pass(100)

    expect(a.told).toEqual(['a dead', 'a'])
  })

  it('says nothing and tells nothing once it has left', async () => {
    const bench = new Bench()
    const [a, b] = [bench.member('a'), bench.member('b')]
    await a.membership.join()
    await b.membership.join()

    await b.membership.leave()
    await bench.heartbeats('c').beat()
    await bench.pass(3 * ttlMs)

    expect(b.told).toEqual(['a b'])
    expect(bench.namespace.heartbeats.has('b')).toBe(false)
  })

  it('leaves nothing behind when it leaves', async () => {
    const bench = new Bench()
    const { membership } = bench.member('a')
    await bench.heartbeats('b').beat()
    await membership.join()
    await bench.pass(ttlMs / 2)

    await membership.leave()

    expect(bench.clock.timerCount).toBe(0)
    expect(bench.namespace.heartbeatListeners.size).toBe(0)
  })

  it('leaves in peace when nobody can be told of it', async () => {
    const bench = new Bench()
    const heartbeats = bench.heartbeats('a')
    const { membership } = bench.member('a', {
      beat: () => heartbeats.beat(),
      leave: () => Promise.reject(new Error('test')),
      listen: (listener, saying) => heartbeats.listen(listener, saying),
    })
    await membership.join()

    await expect(membership.leave()).resolves.toBeUndefined()
    expect(bench.clock.timerCount).toBe(0)
  })

  it('says at once, and goes on saying, what the node stays away from, and that it does not any more', async () => {
    const bench = new Bench()
    const [a, b] = [bench.member('a'), bench.member('b')]
    await a.membership.join()
    b.membership.avoid([3])
    await b.membership.join()

    b.membership.avoid([3, 5])
    await bench.pass(0)
    await Promise.resolve()
    const atOnce = a.told.at(-1)
    await bench.pass(2 * ttlMs)
    b.membership.avoid([])
    await bench.pass(50)
    const late = bench.member('c')
    await late.membership.join()

    expect(atOnce).toBe('a b-3-5')
    expect(a.told).toEqual(['a', 'a b-3', 'a b-3-5', 'a b', 'a b c'])
    expect(b.told).toEqual(['a b', 'a b c'])
    expect(late.told).toEqual(['a b c'])
  })

  it('goes on saying that it is alive after it could not', async () => {
    const bench = new Bench()
    const heartbeats = bench.heartbeats('b')
    let isDown = false
    const a = bench.member('a')
    const b = bench.member('b', {
      beat: () => (isDown ? Promise.reject(new Error('test')) : heartbeats.beat()),
      leave: () => heartbeats.leave(),
      listen: (listener, saying) => heartbeats.listen(listener, saying),
    })
    await a.membership.join()
    await b.membership.join()

    isDown = true
    await bench.pass(2 * ttlMs)
    isDown = false
    await bench.pass(ttlMs)

    expect(a.told).toEqual(['a', 'a b', 'a', 'a b'])
    expect(b.told).toEqual(['a b'])
  })
})
