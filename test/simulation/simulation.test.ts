import { describe, expect, it } from 'vitest'

import { describeRun, runSeeds } from './run-seeds.ts'
import { simulate } from './simulate.ts'
import { Stage } from './stage.ts'

const batches = Array.from({ length: 6 }, (_, batch) => 1 + batch * 50)

describe('the simulation', () => {
  it('does the same again under the same seed, alone and among others', async () => {
    const among: number[] = []
    await runSeeds(1, 8, ({ seed, hash }) => {
      among[seed] = hash
      return true
    })

    const stage = new Stage()
    for (const seed of [1, 4, 8]) {
      const alone = await simulate(seed, stage)

      expect(alone.hash).toBe(among[seed])
    }
  })

  it.each(batches)('finds no promise broken under the 50 seeds from %i', { timeout: 120_000 }, async from => {
    const broken: string[] = []

    await runSeeds(from, 50, run => {
      if (run.violation !== undefined) broken.push(describeRun(run))
      return true
    })

    expect(broken).toEqual([])
  })
})
