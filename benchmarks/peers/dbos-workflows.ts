/** The workflows of the contestant `dbos`. */
import { setTimeout as pause } from 'node:timers/promises'

import { DBOS } from '@dbos-inc/dbos-sdk'

import type { Count } from '../contest/counters.ts'
import { stepMs } from '../contest/crash.ts'
import type { Diary } from '../contest/diary.ts'
import { stepCount } from '../contest/steps.ts'

/** The library's default, which is the fastest. */
export const poolSize = 10

export interface Addition {
  readonly n: number
}

/** How long an instance waits for what it is sent. */
const daySeconds = 86_400

/** Has to be done before the launch. */
export function registerWorkflows(diary: Diary) {
  const steps = async (n: number) => {
    let value = n
    for (let step = 0; step < stepCount; step++) {
      const before = value
      value = await DBOS.runStep(async () => before + 1, { name: `step ${step}` })
    }
    return value
  }

  /** An instance lives on and counts what it is sent; what it came to with an event is an event of its own. */
  const counter = async () => {
    let state: Count = { count: 0, squares: 0, sum: 0 }
    for (;;) {
      const addition = await DBOS.recv<Addition>('add', daySeconds)
      if (addition === null) continue
      const { n } = addition
      state = { count: state.count + 1, squares: state.squares + n * n, sum: state.sum + n }
      await DBOS.setEvent(`with ${n}`, state)
    }
  }

  /** Answers when the timer was due. */
  const timed = async (delayMs: number) => {
    const startedAt = await DBOS.now()
    await DBOS.sleep(delayMs)
    diary.note(DBOS.workflowID!, Date.now())
    return startedAt + delayMs
  }

  const slow = async (n: number) => {
    const id = DBOS.workflowID!
    for (let step = 0; step < stepCount; step++) {
      const work = async () => {
        diary.note('begin', id, step, Date.now())
        await pause(stepMs)
        diary.note('end', id, step, Date.now())
      }
      await DBOS.runStep(work, { name: `step ${step}` })
    }
    return n + stepCount
  }

  const square = DBOS.registerWorkflow(async (n: number) => n * n, { name: 'square' })
  const parent = async (count: number) => {
    const numbers = Array.from({ length: count }, (_, n) => n)
    const children = await Promise.all(numbers.map(n => DBOS.startWorkflow(square)(n)))
    return Promise.all(children.map(child => child.getResult()))
  }

  return {
    counter: DBOS.registerWorkflow(counter, { name: 'counter' }),
    parent: DBOS.registerWorkflow(parent, { name: 'parent' }),
    slow: DBOS.registerWorkflow(slow, { name: 'slow' }),
    steps: DBOS.registerWorkflow(steps, { name: 'steps' }),
    timed: DBOS.registerWorkflow(timed, { name: 'timed' }),
  }
}

/** Runs what was registered, and what a process before left unfinished in that database. */
export async function launch(systemDatabaseUrl: string): Promise<void> {
  DBOS.setConfig({
    name: 'contest',
    // Else a digest of the code decides whether what was left is taken up.
    applicationVersion: '1',
    logLevel: 'error',
    systemDatabaseUrl,
    systemDatabasePoolSize: poolSize,
  })
  await DBOS.launch()
}
