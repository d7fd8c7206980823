import { describe, expect, it } from 'vitest'

import { playBoth } from '../play-both.ts'
import { StepDriver } from '../step-driver.ts'
import type { Scenario } from '../scenario.ts'
import { carVitals } from '../workflows/car-vitals.ts'
import { loanApplication } from '../workflows/loan-application.ts'
import * as control from './control.ts'
import * as history from './history.ts'
import * as leaves from './leaves.ts'
import * as messages from './messages.ts'
import * as nesting from './nesting.ts'
import * as spawning from './spawning.ts'

const rooms: Readonly<Record<string, Readonly<Record<string, () => Scenario>>>> = {
  control,
  history,
  leaves,
  messages,
  nesting,
  spawning,
}

describe.each(Object.entries(rooms))('features of XState: %s', (_, scenarios) => {
  const names = Object.keys(scenarios)

  it.each(names)('%s goes the way of live XState', async name => {
    const { live, stepped, ends } = await playBoth(scenarios[name]!)

    expect(stepped).toEqual(live)
    expect(stepped.at(-1)?.view).toMatchObject(ends)
  })
})

describe('leaves that do not hear that they are no longer wanted', () => {
  it.each([
    { name: 'left and entered again', scenario: leaves.staleResultAfterReentry },
    { name: 'asked again after a failure', scenario: loanApplication },
    { name: 'inside a child machine that is gone', scenario: carVitals },
  ])('tell results that are dropped: $name', async ({ scenario }) => {
    const { live, stepped, ends } = await playBoth(scenario, new StepDriver({ hearsStops: false }))

    expect(stepped).toEqual(live)
    expect(stepped.at(-1)?.view).toMatchObject(ends)
  })
})
