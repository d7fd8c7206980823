/** The node of the contestant `holdfast`, in a process of its own. */
import { defineWorkflow } from '../../src/index.ts'
import { serve, type ServedOptions } from '../served-node.ts'
import { counterMachine } from './counter-machine.ts'
import { stepsMachine } from './steps-machine.ts'

const counter = defineWorkflow(counterMachine)
const steps = defineWorkflow(stepsMachine)

export type Counter = typeof counter
export type Steps = typeof steps

await serve(JSON.parse(process.argv[2]!) as ServedOptions, [counter, steps])
