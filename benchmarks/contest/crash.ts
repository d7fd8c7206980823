import { inLanes } from '../lanes.ts'
import { untilSoMany } from '../until.ts'
import type { Run } from './contestant.ts'
import type { DiaryReader } from './diary.ts'
import { stepCount } from './steps.ts'

/** How long a step takes. */
export const stepMs = 200

/** Instances of five steps that take 200 ms each. */
export interface Crashing {
  /** Each step notes `begin <id> <step> <when>`, and `end …` when it is over. */
  readonly diary: DiaryReader
  /** Kills with SIGKILL, starts again at once; resolves when it serves. */
  crash(): Promise<void>
  /** Resolves once the instance is durable. */
  start(id: string, n: number): Promise<void>
  result(id: string): Promise<number>
}

/**
 * W4: killed when half of all steps have begun. Recovered is when every instance that had not ended takes steps again, or
 * has ended since; it counts from the kill, as the time to serving does. A step is in flight from its beginning until the
 * next one of its instance begins, by when its result is durable; the last one, until its end. One that begins again though
 * the next one had begun was durable and is undone.
 */
export function crash(subject: Crashing): Run {
  return async ({ count, run }, metering) => {
    const { diary } = subject
    diary.begin()
    const ids = Array.from({ length: count }, (_, index) => `${run}-${index}`)
    let killedAt = 0
    let servingMs = 0
    const startedAt = performance.now()
    await metering(async () => {
      await inLanes(count, 512, index => subject.start(ids[index]!, index))
      await untilSoMany((count * stepCount) / 2, 'steps have begun', () => begun(diary).length)
      killedAt = Date.now()
      await subject.crash()
      servingMs = Date.now() - killedAt
      await inLanes(count, count, async index => {
        const output = await subject.result(ids[index]!)
        if (output !== index + stepCount) throw new Error(`${ids[index]} came to ${output}`)
      })
    })
    const seconds = (performance.now() - startedAt) / 1000
    const beginnings = begun(diary)
    const distinct = new Set(beginnings.map(({ id, step }) => `${id} ${step}`))
    if (distinct.size !== count * stepCount)
      throw new Error(`${distinct.size} of ${count * stepCount} steps have begun`)
    const firstAgain = new Map<string, number>()
    for (const { at, id } of beginnings) {
      if (at > killedAt && !firstAgain.has(id)) firstAgain.set(id, at)
    }
    const figures = {
      recoveredMs: Math.max(0, ...firstAgain.values()) - killedAt,
      servingMs,
      stepsInFlight: inFlight(diary, killedAt),
      stepsTwice: beginnings.length - distinct.size,
      stepsUndone: undone(beginnings, killedAt),
    }
    return { checked: count, figures, latencies: [], seconds }
  }
}

/** How many steps were in flight at that moment: of each instance that had begun one, and not ended the last. */
function inFlight(diary: DiaryReader, moment: number): number {
  const ends = new Map<string, number>()
  for (const [what, id, , at] of diary.read()) {
    if (Number(at) <= moment) ends.set(id!, (ends.get(id!) ?? 0) + (what === 'end' ? 1 : 0))
  }
  return [...ends.values()].filter(count => count < stepCount).length
}

/** How many steps began after that moment though the next one of their instance had begun before. */
function undone(beginnings: readonly Beginning[], moment: number): number {
  const furthest = new Map<string, number>()
  for (const { at, id, step } of beginnings) {
    if (at <= moment) furthest.set(id, Math.max(furthest.get(id) ?? 0, Number(step)))
  }
  return beginnings.filter(({ at, id, step }) => at > moment && Number(step) < (furthest.get(id) ?? 0)).length
}

interface Beginning {
  readonly at: number
  readonly id: string
  readonly step: string
}

function begun({ read }: DiaryReader): readonly Beginning[] {
  return read()
    .filter(([what]) => what === 'begin')
    .map(([, id, step, at]) => ({ at: Number(at), id: id!, step: step! }))
}
