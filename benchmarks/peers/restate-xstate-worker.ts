/** The machines of the contestant `restate-xstate`, in a process of their own. */
import './resolvers.ts'
import * as restate from '@restatedev/restate-sdk'
import { xstate } from '@restatedev/xstate'
import { fromPromise } from '@restatedev/xstate/promise'

import { counterMachine } from '../contestants/counter-machine.ts'
import { stepsMachine } from '../contestants/steps-machine.ts'
import type { WorkerOptions } from './restate-server.ts'

// Not journaled by itself: the handler that runs the promise is.
const increment = fromPromise<number, number>(async ({ input }) => input + 1)
const steps = xstate('steps', stepsMachine.provide({ actors: { increment: increment as never } }))
const counter = xstate('counter', counterMachine)

export type Steps = typeof steps
export type Counter = typeof counter

process.on('disconnect', () => process.exit())
const { port } = JSON.parse(process.argv[2]!) as WorkerOptions
await restate.endpoint().bind(steps).bind(counter).listen(port)
process.send!({ type: 'serving' })
