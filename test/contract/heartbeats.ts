import { describe, expect, it } from 'vitest'
import type { HeartbeatListener, Heartbeats } from '../../actors/ports.ts'
import { until } from './until.ts'

export interface HeartbeatsFixture {
  /** How long a heartbeat is remembered. */
  readonly ttlMs: number
  /** The heartbeats of a node of that name, each over a connection of its own. */
  readonly heartbeatsOf: (node: string) => Promise<Heartbeats>
  /** Lets time pass until the last heartbeat of that node is forgotten. */
  readonly forgotten: (node: string) => Promise<void>
  /** Lets that much time pass. */
  readonly pass: (durationMs: number) => Promise<void>
  /** Whether it is known how long ago a stored heartbeat was. Old servers do not tell. */
  readonly knowsAges: boolean
}

/** Keeps what it hears: `+a` for a heartbeat of a, `-a` when a leaves. */
class Heard implements HeartbeatListener {
  readonly news: string[] = []
  readonly agesMs = new Map<string, number>()
  readonly avoided = new Map<string, readonly number[]>()

  alive(name: string, agoMs: number, avoided: readonly number[]): void {
    this.news.push(`+${name}`)
    this.avoided.set(name, avoided)
    this.agesMs.set(name, agoMs)
  }

  left(name: string): void {
    this.news.push(`-${name}`)
  }

  /** Waits until that was heard last. */
  async last(news: string): Promise<void> {
    await until(() => this.news.at(-1) === news)
  }
}

/** What all Heartbeats must do. `makeFixture` answers a namespace in which nobody is alive. */
export function describeHeartbeats(name: string, makeFixture: () => Promise<HeartbeatsFixture>): void {
  describe(`Heartbeats: ${name}`, () => {
    it('tells of nobody when nobody is alive', async () => {
      const { heartbeatsOf } = await makeFixture()
      const heard = new Heard()

      await (await heartbeatsOf('a')).listen(heard)

      expect(heard.news).toEqual([])
    })

    it('lets every node hear every heartbeat, its own too', async () => {
      const { heartbeatsOf } = await makeFixture()
      const [a, b] = await Promise.all([heartbeatsOf('a'), heartbeatsOf('b')])
      const [atA, atB] = [new Heard(), new Heard()]
      await Promise.all([a.listen(atA), b.listen(atB)])

      await a.beat()
      await Promise.all([atA.last('+a'), atB.last('+a')])
      await b.beat()
      await Promise.all([atA.last('+b'), atB.last('+b')])
      await a.beat()
      await Promise.all([atA.last('+a'), atB.last('+a')])

      expect([atA.news, atB.news]).toEqual([
        ['+a', '+b', '+a'],
        ['+a', '+b', '+a'],
      ])
      expect(atB.agesMs.get('a')).toBe(0)
    })

    it('looks who is alive when that is said which is to be said before', async () => {
      const { heartbeatsOf } = await makeFixture()
      const [a, b] = await Promise.all([heartbeatsOf('a'), heartbeatsOf('b')])
      const heard = new Heard()

      await a.listen(heard, () => b.beat())

      expect(heard.news).toContain('+b')
    })

    it('tells who begins to listen of everyone alive, once, before it resolves', async () => {
      const { heartbeatsOf } = await makeFixture()
      const [a, b] = await Promise.all([heartbeatsOf('a'), heartbeatsOf('b')])
      for (const node of [a, b, a]) await node.beat()
      const heard = new Heard()

      await (await heartbeatsOf('c')).listen(heard)

      expect(heard.news.toSorted()).toEqual(['+a', '+b'])
    })

    it('says of a node alive before how long ago it has said so', async () => {
      const { heartbeatsOf, knowsAges, pass, ttlMs } = await makeFixture()
      await (await heartbeatsOf('a')).beat()
      const heard = new Heard()

      await pass(ttlMs / 4)
      await (await heartbeatsOf('b')).listen(heard)

      expect(heard.agesMs.get('a')).toBeGreaterThanOrEqual(knowsAges ? ttlMs / 4 - 50 : 0)
      expect(heard.agesMs.get('a')).toBeLessThan(ttlMs)
    })

    it('does not tell who begins to listen of a node that was not heard for the time a lease lasts', async () => {
      const { forgotten, heartbeatsOf } = await makeFixture()
      const [a, b] = await Promise.all([heartbeatsOf('a'), heartbeatsOf('b')])
      await a.beat()
      await forgotten('a')
      await b.beat()
      const heard = new Heard()

      await (await heartbeatsOf('c')).listen(heard)

      expect(heard.news).toEqual(['+b'])
    })

    it('tells everyone who leaves, and who begins to listen later not of it', async () => {
      const { heartbeatsOf } = await makeFixture()
      const [a, b] = await Promise.all([heartbeatsOf('a'), heartbeatsOf('b')])
      const [early, late] = [new Heard(), new Heard()]
      await b.listen(early)
      await a.beat()
      await b.beat()

      await a.leave()
      await early.last('-a')
      await (await heartbeatsOf('c')).listen(late)

      expect(early.news).toEqual(['+a', '+b', '-a'])
      expect(late.news).toEqual(['+b'])
    })

    it('lets a node come back that has left', async () => {
      const { heartbeatsOf } = await makeFixture()
      const [a, b] = await Promise.all([heartbeatsOf('a'), heartbeatsOf('b')])
      const [early, late] = [new Heard(), new Heard()]
      await b.listen(early)
      await a.beat()
      await a.leave()

      await a.beat()
      await early.last('+a')
      await b.listen(late)

      expect(early.news).toEqual(['+a', '-a', '+a'])
      expect(late.news).toEqual(['+a'])
    })

    it('tells nothing more once told to stop, and goes on telling others', async () => {
      const { heartbeatsOf } = await makeFixture()
      const [a, b] = await Promise.all([heartbeatsOf('a'), heartbeatsOf('b')])
      const [stopped, other] = [new Heard(), new Heard()]
      const stop = await b.listen(stopped)
      await b.listen(other)

      const beating = a.beat()
      stop()
      await beating
      await other.last('+a')

      expect(stopped.news).toEqual([])
    })

    it('says what a node stays away from, as it said last, to those who listen and who begin to', async () => {
      const { heartbeatsOf } = await makeFixture()
      const [a, b] = await Promise.all([heartbeatsOf('a'), heartbeatsOf('b')])
      const [early, late, last] = [new Heard(), new Heard(), new Heard()]
      await b.listen(early)

      await a.beat([3, 5])
      await early.last('+a')
      await b.listen(late)
      const avoided = [early.avoided.get('a'), late.avoided.get('a')]
      await a.beat()
      await b.beat()
      await early.last('+b')
      await b.listen(last)

      expect(avoided).toEqual([
        [3, 5],
        [3, 5],
      ])
      expect([early.avoided.get('a'), last.avoided.get('a')]).toEqual([[], []])
    })

    it('keeps names apart that differ in case or in a sign', async () => {
      const { heartbeatsOf } = await makeFixture()
      const names = ['node_1', 'node-1', 'Node-1', 'n'.repeat(64)]
      for (const node of names) await (await heartbeatsOf(node)).beat()
      const heard = new Heard()

      await (await heartbeatsOf('a')).listen(heard)

      expect(heard.news.toSorted()).toEqual(names.map(node => `+${node}`).toSorted())
    })
  })
}
