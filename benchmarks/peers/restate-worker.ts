/** The services of the contestant `restate`, in a process of their own. */
import './resolvers.ts'
import { setTimeout as pause } from 'node:timers/promises'

import * as restate from '@restatedev/restate-sdk'

import type { Count } from '../contest/counters.ts'
import { stepMs } from '../contest/crash.ts'
import { Diary } from '../contest/diary.ts'
import { stepCount } from '../contest/steps.ts'
import type { WorkerOptions } from './restate-server.ts'

const { diary: path, port } = JSON.parse(process.argv[2]!) as WorkerOptions
const diary = new Diary(path)

const steps = restate.workflow({
  name: 'steps',
  handlers: {
    run: async (context: restate.WorkflowContext, n: number) => {
      let value = n
      for (let step = 0; step < stepCount; step++) {
        const before = value
        value = await context.run(`step ${step}`, async () => before + 1)
      }
      return value
    },
  },
})

const none: Count = { count: 0, squares: 0, sum: 0 }

const counter = restate.object({
  name: 'counter',
  handlers: {
    add: async (context: restate.ObjectContext, n: number) => {
      const { count, squares, sum } = (await context.get<Count>('state')) ?? none
      const after = { count: count + 1, squares: squares + n * n, sum: sum + n }
      context.set('state', after)
      return after
    },
    read: restate.handlers.object.shared(async (context: restate.ObjectSharedContext) => {
      return (await context.get<Count>('state')) ?? none
    }),
  },
})

/** Answers when the timer was due. */
const timed = restate.workflow({
  name: 'timed',
  handlers: {
    run: async (context: restate.WorkflowContext, delayMs: number) => {
      const startedAt = await context.date.now()
      await context.sleep(delayMs)
      diary.note(context.key, Date.now())
      return startedAt + delayMs
    },
  },
})

const slow = restate.workflow({
  name: 'slow',
  handlers: {
    run: async (context: restate.WorkflowContext, n: number) => {
      for (let step = 0; step < stepCount; step++) {
        await context.run(`step ${step}`, async () => {
          diary.note('begin', context.key, step, Date.now())
          await pause(stepMs)
          diary.note('end', context.key, step, Date.now())
        })
      }
      return n + stepCount
    },
  },
})

const square = restate.service({
  name: 'square',
  handlers: { run: async (_: restate.Context, n: number) => n * n },
})

const parent = restate.workflow({
  name: 'parent',
  handlers: {
    run: (context: restate.WorkflowContext, count: number) => {
      const child = context.serviceClient(square)
      return restate.RestatePromise.all(Array.from({ length: count }, (_, n) => child.run(n)))
    },
  },
})

export type Steps = typeof steps
export type Timed = typeof timed
export type Slow = typeof slow
export type Parent = typeof parent
export type Counter = typeof counter

process.on('disconnect', () => process.exit())
const endpoint = restate.endpoint()
for (const service of [steps, counter, timed, slow, square, parent]) endpoint.bind(service)
await endpoint.listen(port)
process.send!({ type: 'serving' })
