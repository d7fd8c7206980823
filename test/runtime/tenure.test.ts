import { describe, expect, it } from 'vitest'

import { RuntimeError } from '../../actors/errors.ts'
import type { Lease, Leases } from '../../actors/ports.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { MemoryStore } from '../../src/memory/store.ts'
import { Committer } from '../../src/runtime/committer.ts'
import { rootLog } from '../../src/runtime/log.ts'
import { Tenure } from '../../src/runtime/tenure.ts'
import { numbered, sampleSummary } from '../contract/samples.ts'

const leaseTtlMs = 1200
const trustMs = 900
const address = { workflow: 'order', id: 'o-1' }

/** One tenure, whose renewals the test answers. */
class Bench {
  readonly clock = new ManualClock()
  readonly store = new MemoryStore(new MemoryNamespace({ clock: this.clock, leaseTtlMs }))
  readonly committer = new Committer(this.store, this.clock)
  readonly asked: Question[] = []
  readonly tenure = new Tenure(this.lease(), {
    clock: this.clock,
    leases: { renew: () => this.#ask() } as Partial<Leases> as Leases,
    leaseTtlMs,
    log: rootLog('silent'),
  })
  lost = 0
  readonly stop = this.tenure.keep(() => this.lost++)

  lease(): Lease {
    return { partition: 3, term: 7, trustedUntil: this.clock.monotonic() + trustMs }
  }

  /** Commits, and tells how that ended. */
  commit(): { outcome: unknown } {
    const commit: { outcome: unknown } = { outcome: undefined }
    void this.committer.commit(numbered(address, 1), sampleSummary(), 0, this.tenure).then(
      revision => (commit.outcome = revision),
      (error: RuntimeError) => (commit.outcome = error.code),
    )
    return commit
  }

  async pass(durationMs: number): Promise<void> {
    this.clock.advance(durationMs)
    await settle()
  }

  #ask(): Promise<Lease> {
    const lease = this.lease()
    return new Promise((resolve, reject) => {
      this.asked.push({ grant: () => resolve(lease), refuse: reject })
    })
  }
}

interface Question {
  /** As of when it was asked for. */
  readonly grant: () => void
  readonly refuse: (error: Error) => void
}

const conflict = new RuntimeError('REVISION_CONFLICT', 'another node has it')
const silence = new RuntimeError('STORE_UNAVAILABLE', 'no answer', { retryable: true })

describe('a tenure', () => {
  it('is renewed three times within the life of a lease, and stays trusted', async () => {
    const bench = new Bench()

    for (let n = 0; n < 9; n++) {
      await bench.pass(leaseTtlMs / 3)
      bench.asked.at(-1)!.grant()
      await settle()
      expect(bench.tenure.isTrusted).toBe(true)
    }

    expect(bench.asked).toHaveLength(9)
  })

  it('has commits wait while a renewal is late, and go on when it comes', async () => {
    const bench = new Bench()
    await bench.pass(trustMs)
    const commit = bench.commit()
    await settle()
    expect([bench.tenure.isTrusted, bench.tenure.isOver, commit.outcome]).toEqual([false, false, undefined])
    expect(await bench.store.load(address)).toBeUndefined()

    bench.asked[0]!.grant()
    await settle()

    expect(commit.outcome).toEqual(expect.any(Number))
  })

  it('asks again while nothing answers, until the server has forgotten it, and is then lost once', async () => {
    const bench = new Bench()
    while (bench.lost === 0 && bench.clock.monotonic() < 10 * leaseTtlMs) {
      await bench.pass(leaseTtlMs / 30)
      bench.asked.at(-1)?.refuse(silence)
      await settle()
    }

    const lostAt = bench.clock.monotonic()
    await bench.pass(10 * leaseTtlMs)
    expect(lostAt).toBeGreaterThanOrEqual(leaseTtlMs)
    expect(lostAt).toBeLessThan(1.2 * leaseTtlMs)
    expect(bench.lost).toBe(1)
  })

  it('is lost at once when another node has the lease', async () => {
    const bench = new Bench()
    await bench.pass(leaseTtlMs / 3)

    bench.asked[0]!.refuse(conflict)
    await settle()

    expect(bench.lost).toBe(1)
  })

  it('refuses those who wait when it ends, and everyone after', async () => {
    const bench = new Bench()
    await bench.pass(trustMs)
    const waiting = bench.commit()
    await settle()

    bench.tenure.end()
    const late = bench.commit()
    bench.asked[0]!.grant()
    await settle()

    expect([waiting.outcome, late.outcome]).toEqual(['REVISION_CONFLICT', 'REVISION_CONFLICT'])
    expect(bench.tenure.isTrusted).toBe(false)
    expect(await bench.store.load(address)).toBeUndefined()
  })

  it('is renewed no more once it is stopped or over', async () => {
    const [stopped, over] = [new Bench(), new Bench()]

    stopped.stop()
    over.tenure.end()
    await stopped.pass(leaseTtlMs)
    await over.pass(leaseTtlMs)

    expect([stopped.asked, over.asked]).toEqual([[], []])
  })
})

/** Everything that is decided happens. */
function settle(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}
