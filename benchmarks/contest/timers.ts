import { inLanes } from '../lanes.ts'
import { untilSoMany } from '../until.ts'
import type { Run } from './contestant.ts'
import type { DiaryReader } from './diary.ts'
import { Histogram } from './histogram.ts'

/** Instances with one timer each. */
export interface Timers {
  /** Whoever handles a firing notes `<id> <when>`, in milliseconds since the epoch. */
  readonly diary: DiaryReader
  /** Resolves once the start is durable. */
  start(id: string, delayMs: number): Promise<void>
  /** When the timer was due as the runtime has promised it, which begins to count with the start; throws unless it is stored that it has fired. */
  dueAt(id: string, delayMs: number): Promise<number>
}

const leastMs = 1000
const mostMs = 10_000

/** W3: timers due within 1 to 10 s of their start. The latencies are how late they were; the rate is that of the starts. */
export function timers(subject: Timers): Run {
  return async ({ concurrency, count, run, seed }, metering) => {
    const { diary } = subject
    diary.begin()
    // Without a common divisor: every delay occurs about as often.
    const delayOf = (index: number) => leastMs + ((seed + index * 7919) % (mostMs - leastMs))
    const seconds = await metering(async () => {
      const perSecond = await inLanes(count, concurrency, index =>
        subject.start(`${run}-${index}`, delayOf(index)),
      )
      await untilSoMany(count, 'timers have fired', () => diary.read().length)
      return count / perSecond
    })
    const dueAt = new Map<string, number>()
    await inLanes(count, 64, async index => {
      const id = `${run}-${index}`
      dueAt.set(id, await subject.dueAt(id, delayOf(index)))
    })
    const late = new Histogram()
    let lateMaxMs = 0
    for (const [id, at] of diary.read() as readonly (readonly [string, string])[]) {
      const due = dueAt.get(id)
      if (due === undefined) throw new Error(`the timer of ${id} fired twice`)
      const lateMs = Number(at) - due
      if (lateMs < 0) throw new Error(`the timer of ${id} fired ${-lateMs} ms early`)
      dueAt.delete(id)
      late.add(lateMs * 1000)
      lateMaxMs = Math.max(lateMaxMs, lateMs)
    }
    return { checked: count, figures: { lateMaxMs }, latencies: late.counts(), seconds }
  }
}
