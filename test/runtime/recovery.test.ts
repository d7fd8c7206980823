import { describe, expect, it } from 'vitest'

import type { ScannedRecord, Store } from '../../actors/ports.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { Recovery } from '../../src/runtime/recovery.ts'

const silent = { info() {}, warn() {} } as never
const settle = () => new Promise<void>(resolve => setImmediate(resolve))

describe('a recovery', () => {
  it('looks through a partition asked for at the very moment the last scan ends', async () => {
    const unscanned: number[] = []
    // How many turns of the microtask queue after the last record the request comes.
    for (let turns = 0; turns < 40; turns++) {
      const clock = new ManualClock()
      const scanned: number[] = []
      let isFirst = true
      const store = {
        // eslint-disable-next-line require-yield -- nothing is owed
        async *scanOwing(partitions: readonly number[]): AsyncGenerator<ScannedRecord> {
          scanned.push(...partitions)
          if (!isFirst) return
          isFirst = false
          let left = turns
          const later = () => {
            if (left-- > 0) queueMicrotask(later)
            else recovery.request(1, { recover: async () => {} })
          }
          later()
        },
      } as unknown as Store
      const recovery = new Recovery(store, clock, silent)

      recovery.request(0, { recover: async () => {} })
      for (let round = 0; round < 20; round++) {
        await settle()
        clock.advance(100)
      }

      if (!scanned.includes(1)) unscanned.push(turns)
      await recovery.stop()
    }

    expect(unscanned).toEqual([])
  })
})
