import { inLanes } from '../lanes.ts'
import { closedLoop } from './closed-loop.ts'
import type { Run } from './contestant.ts'

/** What an instance has counted: how many events, the sum of their numbers, and the sum of their squares. */
export interface Count {
  readonly count: number
  readonly squares: number
  readonly sum: number
}

/** Instances that count. */
export interface Counters {
  /** Resolves once the instance takes events. */
  create(id: string): Promise<void>
  /** Sends an event; answers the state that contains it once the client has it. */
  add(id: string, n: number): Promise<Count>
  /** The state that is stored. */
  read(id: string): Promise<Count>
}

export const instanceCount = 1000
/** No divisor of the number of instances: neighbours in time are different instances, and all get the same. */
const stride = 7919

/** W2: events spread over 1,000 instances, sent to seen. */
export function counters(subject: Counters): Run {
  return async ({ concurrency, count, run, seed }, metering) => {
    const instances = Math.min(instanceCount, count)
    const instanceOf = (index: number) => (seed + index * stride) % instances
    await inLanes(instances, 64, index => subject.create(`${run}-${index}`))
    const expected = Array.from({ length: instances }, (): Count => ({ count: 0, squares: 0, sum: 0 }))
    for (let n = 0; n < count; n++) {
      const { count: before, squares, sum } = expected[instanceOf(n)]!
      expected[instanceOf(n)] = { count: before + 1, squares: squares + n * n, sum: sum + n }
    }
    const loop = await metering(() =>
      closedLoop({ concurrency, count }, async n => {
        const seen = await subject.add(`${run}-${instanceOf(n)}`, n)
        if (!(seen.count > 0 && seen.sum >= n))
          throw new Error(`event ${n} is not in ${JSON.stringify(seen)}`)
      }),
    )
    await inLanes(instances, 64, async index => {
      const found = await subject.read(`${run}-${index}`)
      const wanted = expected[index]!
      const isRight =
        found.count === wanted.count && found.sum === wanted.sum && found.squares === wanted.squares
      if (isRight) return
      throw new Error(`${run}-${index} counted ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`)
    })
    return { ...loop, checked: instances }
  }
}
