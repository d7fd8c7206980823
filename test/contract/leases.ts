import { describe, expect, it } from 'vitest'
import type { Clock, Leases } from '../../actors/ports.ts'
import { until } from './until.ts'

export interface LeasesFixture {
  readonly clock: Clock
  /** How long a lease lasts after its last renewal. */
  readonly ttlMs: number
  /** The leases as a node sees them that runs under that name. */
  readonly leasesOf: (node: string, incarnation?: string) => Leases
  /** Lets time pass until the lease of that partition has expired. */
  readonly expired: (partition: number) => Promise<void>
  /** Lets that much time pass. */
  readonly pass: (durationMs: number) => Promise<void>
}

/** What all Leases must do. `makeFixture` answers a namespace in which nobody holds anything. */
export function describeLeases(name: string, makeFixture: () => Promise<LeasesFixture>): void {
  describe(`Leases: ${name}`, () => {
    it('gives a free partition to who asks, to be trusted for less than it lasts', async () => {
      const { clock, leasesOf, ttlMs } = await makeFixture()
      const startedAt = clock.monotonic()

      const lease = await leasesOf('a').acquire(3)

      expect(lease).toMatchObject({ partition: 3 })
      expect(lease!.term).toBeGreaterThan(0)
      expect(lease!.trustedUntil).toBeGreaterThan(startedAt)
      expect(lease!.trustedUntil).toBeLessThan(clock.monotonic() + ttlMs)
    })

    it('refuses a partition that another node holds, and gives others', async () => {
      const { leasesOf } = await makeFixture()
      await leasesOf('a').acquire(3)

      const [held, free] = await Promise.all([leasesOf('b').acquire(3), leasesOf('b').acquire(4)])

      expect(held).toBeUndefined()
      expect(free).toMatchObject({ partition: 4 })
    })

    it('gives a partition to exactly one of many who ask at the same time', async () => {
      const { leasesOf } = await makeFixture()
      const nodes = Array.from({ length: 10 }, (_, n) => leasesOf(`node-${n}`))

      const leases = await Promise.all(nodes.map(node => node.acquire(3)))

      expect(leases.filter(lease => lease !== undefined)).toHaveLength(1)
    })

    it('gives a released partition at once, under a higher term', async () => {
      const { leasesOf } = await makeFixture()
      const [a, b] = [leasesOf('a'), leasesOf('b')]
      const first = await a.acquire(3)

      await a.release(first!)
      const second = await b.acquire(3)

      expect(second!.term).toBeGreaterThan(first!.term)
    })

    it('gives an expired partition to another node under a higher term, and refuses the old one', async () => {
      const { expired, leasesOf } = await makeFixture()
      const [a, b] = [leasesOf('a'), leasesOf('b')]
      const first = await a.acquire(3)

      await expired(3)
      const second = await b.acquire(3)
      const renewing = a.renew(first!)

      await expect(renewing).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })
      expect(second!.term).toBeGreaterThan(first!.term)
    })

    it('does not renew what has expired, even when nobody has taken it', async () => {
      const { expired, leasesOf } = await makeFixture()
      const a = leasesOf('a')
      const lease = await a.acquire(3)

      await expired(3)

      await expect(a.renew(lease!)).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })
    })

    it('keeps a lease that is renewed, in the same term, for as long as it is', async () => {
      const { leasesOf, pass, ttlMs } = await makeFixture()
      const [a, b] = [leasesOf('a'), leasesOf('b')]
      const first = await a.acquire(3)

      let lease = first!
      const taken: unknown[] = []
      for (let round = 0; round < 5; round += 1) {
        await pass(ttlMs / 4)
        const renewed = await a.renew(lease)
        expect(renewed.trustedUntil).toBeGreaterThan(lease.trustedUntil)
        lease = renewed
        taken.push(await b.acquire(3))
      }

      expect(lease.term).toBe(first!.term)
      expect(taken).toEqual([undefined, undefined, undefined, undefined, undefined])
    })

    it('gives a node back at once what it held before it restarted, and ends its earlier run', async () => {
      const { leasesOf } = await makeFixture()
      const [before, after] = [leasesOf('a', 'first'), leasesOf('a', 'second')]
      const first = await before.acquire(3)

      const second = await after.acquire(3)

      expect(second!.term).toBeGreaterThan(first!.term)
      await expect(before.renew(first!)).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })
      expect(await after.renew(second!)).toMatchObject({ term: second!.term })
    })

    it('does not renew a lease of an earlier term of the same node', async () => {
      const { leasesOf } = await makeFixture()
      const a = leasesOf('a')
      const first = await a.acquire(3)
      const second = await a.acquire(3)

      await expect(a.renew(first!)).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })
      expect(await a.renew(second!)).toMatchObject({ term: second!.term })
    })

    it('renews although the answer to the renewal before was lost', async () => {
      const { leasesOf } = await makeFixture()
      // Two objects with the same identity: what one writes the other has not heard of.
      const [here, unheard] = [leasesOf('a', 'same'), leasesOf('a', 'same')]
      const lease = await here.acquire(3)
      await unheard.renew(lease!)

      const renewed = await here.renew(lease!)

      expect(renewed.term).toBe(lease!.term)
      expect(await leasesOf('b').acquire(3)).toBeUndefined()
    })

    it('gives up nothing that another node holds by now', async () => {
      const { leasesOf } = await makeFixture()
      const [a, b] = [leasesOf('a'), leasesOf('b')]
      const first = await a.acquire(3)
      await a.release(first!)
      const second = await b.acquire(3)

      await a.release(first!)

      expect(await leasesOf('c').acquire(3)).toBeUndefined()
      expect(await b.renew(second!)).toMatchObject({ term: second!.term })
    })

    it('gives up a lease although the answer to the renewal before was lost', async () => {
      const { leasesOf } = await makeFixture()
      const [here, unheard] = [leasesOf('a', 'same'), leasesOf('a', 'same')]
      const lease = await here.acquire(3)
      await unheard.renew(lease!)

      await here.release(lease!)

      expect(await leasesOf('b').acquire(3)).toMatchObject({ partition: 3 })
    })

    it('gives up a lease although it is renewed at the same moment, and renews it no more', async () => {
      const { leasesOf } = await makeFixture()
      const a = leasesOf('a')
      for (let round = 0; round < 5; round += 1) {
        const lease = await a.acquire(3)

        const renewing = a.renew(lease!).catch((error: unknown) => error)
        await a.release(lease!)
        await renewing

        await expect(a.renew(lease!)).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })
        const b = leasesOf('b')
        await b.release((await b.acquire(3))!)
      }
    })

    it('tells every node of a lease that is given up, which can be taken then', async () => {
      const { leasesOf } = await makeFixture()
      const [a, b, c] = [leasesOf('a'), leasesOf('b'), leasesOf('c')]
      const [atA, atB] = [heardBy(a), heardBy(b)]
      const takenByC = new Promise(resolve => {
        c.onReleased(partition => resolve(c.acquire(partition)))
      })
      const lease = await a.acquire(3)

      await a.release(lease!)

      expect(await takenByC).toMatchObject({ partition: 3 })
      await until(() => atA.length > 0 && atB.length > 0)
      expect([atA, atB]).toEqual([[3], [3]])
    })

    it('does not tell of leases that are taken or renewed', async () => {
      const { leasesOf } = await makeFixture()
      const [a, b] = [leasesOf('a'), leasesOf('b')]
      const heard = heardBy(b)

      await a.renew((await a.acquire(3))!)
      await a.acquire(3)
      await a.release((await a.acquire(4))!)
      await until(() => heard.length > 0)

      expect(heard).toEqual([4])
    })

    it('does not tell of leases that expire', async () => {
      const { expired, leasesOf } = await makeFixture()
      const [a, b] = [leasesOf('a'), leasesOf('b')]
      const heard = heardBy(b)
      await a.acquire(3)

      await expired(3)
      await a.release((await a.acquire(4))!)
      await until(() => heard.length > 0)

      expect(heard).toEqual([4])
    })

    it('tells nothing more once told to stop, and goes on telling others', async () => {
      const { leasesOf } = await makeFixture()
      const a = leasesOf('a')
      const stopped: number[] = []
      const stop = a.onReleased(partition => stopped.push(partition))
      const others = heardBy(a)
      const lease = await a.acquire(3)

      const releasing = a.release(lease!)
      stop()
      await releasing
      await until(() => others.length > 0)

      expect(stopped).toEqual([])
    })
  })
}

/** The partitions that these leases tell were given up. */
function heardBy(leases: Leases): readonly number[] {
  const heard: number[] = []
  leases.onReleased(partition => heard.push(partition))
  return heard
}
