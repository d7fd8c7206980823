import { inLanes } from '../lanes.ts'
import { closedLoop } from './closed-loop.ts'
import type { Run } from './contestant.ts'

/** Instances of five trivial asynchronous steps, each of which adds one, and each of which is stored. */
export interface Steps {
  /** Starts an instance; answers its output once the client has it. */
  run(id: string, n: number): Promise<number>
  /** The output that is stored; undefined when the instance has not ended. */
  read(id: string): Promise<number | undefined>
}

export const stepCount = 5

/** W1: start to result. */
export function steps(subject: Steps): Run {
  return async ({ concurrency, count, run }, metering) => {
    const check = (index: number, output: number | undefined) => {
      if (output !== index + stepCount) throw new Error(`${run}-${index} came to ${output}`)
    }
    const loop = await metering(() =>
      closedLoop({ concurrency, count }, async index =>
        check(index, await subject.run(`${run}-${index}`, index)),
      ),
    )
    await inLanes(count, 64, async index => check(index, await subject.read(`${run}-${index}`)))
    return { ...loop, checked: count }
  }
}
