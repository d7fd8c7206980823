import { describe, expect, it } from 'vitest'

import { RuntimeError } from '../../../actors/errors.ts'
import { playBoth } from '../play-both.ts'
import { StepDriver } from '../step-driver.ts'
import type { Scenario } from '../scenario.ts'
import { carVitals } from '../workflows/car-vitals.ts'
import { loanApplication } from '../workflows/loan-application.ts'
import * as control from './control.ts'
import { endlessLoop } from './endless-loop.ts'
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

describe('a loop that never ends', () => {
  it('goes the way of live XState, with an error of ours around that of XState', async () => {
    const { live, stepped, ends } = await playBoth(endlessLoop)
    const last = stepped.at(-1)?.view
    const unwrapped = stepped.map(({ view, ...scene }) => {
      return {
        ...scene,
        view: view.error instanceof RuntimeError ? { ...view, error: view.error.cause } : view,
      }
    })

    expect(unwrapped).toEqual(live)
    expect(last).toMatchObject({ ...ends, error: { code: 'STEP_ENDLESS', fields: { limit: 50 } } })
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
