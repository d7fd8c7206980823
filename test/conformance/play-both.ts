import type { Driver, View } from './driver.ts'
import { LiveDriver } from './live-driver.ts'
import { play, type Scenario, type Step } from './scenario.ts'
import { StepDriver } from './step-driver.ts'

/** What could be seen at one moment of a script. */
export interface Scene {
  readonly moment: string
  readonly view: View
  readonly emitted: readonly unknown[]
  readonly performed: readonly string[]
}

/**
 * Plays a scenario live and stepped. Both are to show the same after every step of the script: state, context,
 * output, children, emitted events, and the custom actions done, whose order is not told.
 */
export async function playBoth(
  scenario: () => Scenario,
  stepDriver = new StepDriver(),
): Promise<{
  readonly live: readonly Scene[]
  readonly stepped: readonly Scene[]
  /** What the scenario says is seen at last. */
  readonly ends: Scenario['ends']
}> {
  const live = await playAll(scenario(), new LiveDriver())
  const stepped = await playAll(scenario(), stepDriver)
  return { live, stepped, ends: scenario().ends }
}

async function playAll(scenario: Scenario, driver: Driver): Promise<readonly Scene[]> {
  const scenes: Scene[] = []
  const look = (moment: string) => {
    const performed = scenario.performed?.toSorted() ?? []
    scenes.push({ moment, view: driver.view, emitted: [...driver.emitted], performed })
  }
  try {
    driver.start(scenario.machine, scenario.input)
    look('start')
    for (const [index, step] of scenario.script.entries()) {
      // Only a step that waits may let promises get on: what they bring would be seen too early elsewhere.
      const waiting = play(step, driver)
      if (waiting !== undefined) await waiting
      look(`${index}: ${describe(step)}`)
    }
  } finally {
    driver.stop()
  }
  return scenes
}

function describe(step: Step): string {
  return step.type === 'send' ? `send ${step.event.type}` : step.type
}
