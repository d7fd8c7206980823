import { setTimeout as pause } from 'node:timers/promises'

import { inLanes } from '../lanes.ts'
import type { Run } from './contestant.ts'
import { Histogram } from './histogram.ts'

/** What a watcher sees of an instance that counts. */
export interface Sight {
  readonly count: number
  /** When it was stepped, just before its commit: milliseconds since the epoch. */
  readonly steppedAt: number
}

/** Instances that count, and can be watched. */
export interface Watched {
  /** One event more; answers how many it has counted with that one, and so all before it. */
  addLast(id: string): Promise<number>
  create(id: string): Promise<void>
  send(id: string, n: number): Promise<void>
  watch(id: string): AsyncIterable<Sight>
}

const mostInstances = 100
const eventsPerSecond = 1000
const tickMs = 10

/**
 * W7: watchers of 100 instances that take 1,000 events a second together. The concurrency is how many watchers there are;
 * the latencies are from the step to the watcher, so they contain the commit.
 */
export function fanOut(subject: Watched): Run {
  return async ({ concurrency: watchers, count, run }, metering) => {
    const instances = Math.min(mostInstances, count)
    await inLanes(instances, 64, index => subject.create(`${run}-${index}`))
    const seen = new Histogram()
    let seconds = 0
    const countOf = (instance: number) =>
      Math.floor(count / instances) + (instance < count % instances ? 1 : 0)
    const watch = async (index: number, ready: () => void) => {
      const instance = index % instances
      const last = countOf(instance)
      let before = -1
      for await (const { count: counted, steppedAt } of subject.watch(`${run}-${instance}`)) {
        if (counted <= before || counted > last)
          throw new Error(`watcher ${index} saw ${counted} after ${before}`)
        // The first is what was there before the watcher came.
        if (before === -1) ready()
        else seen.add((Date.now() - steppedAt) * 1000)
        before = counted
        if (counted === last) return
      }
      throw new Error(`watcher ${index} saw ${before} of ${last} events`)
    }
    await metering(async () => {
      const over: Promise<void>[] = []
      await Promise.all(
        Array.from({ length: watchers }, (_, index) => {
          return new Promise<void>(ready => over.push(watch(index, ready)))
        }),
      )
      const startedAt = performance.now()
      await send(count, n => subject.send(`${run}-${n % instances}`, n))
      await Promise.all(over)
      seconds = (performance.now() - startedAt) / 1000
    })
    await inLanes(instances, 64, async instance => {
      const counted = await subject.addLast(`${run}-${instance}`)
      if (counted !== countOf(instance) + 1) throw new Error(`${run}-${instance} has counted ${counted}`)
    })
    return { checked: instances, latencies: seen.counts(), seconds }
  }
}

/** Sends so many events in time, whether or not those before have been answered. */
async function send(count: number, sendOne: (n: number) => Promise<void>): Promise<void> {
  const sent: Promise<void>[] = []
  const startedAt = performance.now()
  while (sent.length < count) {
    const due = Math.min(count, ((performance.now() - startedAt) / 1000) * eventsPerSecond)
    while (sent.length < due) sent.push(sendOne(sent.length))
    await pause(tickMs)
  }
  await Promise.all(sent)
}
