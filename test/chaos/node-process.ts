/** A node of the chaos run, in a process of its own: takes its options as JSON, tells `ready`. */
import { createNode, type NodeOptions } from '../../src/index.ts'
import { counter, doubler } from './workload.ts'

const options = JSON.parse(process.argv[2]!) as Omit<NodeOptions, 'workflows'>
await createNode({ ...options, workflows: [counter, doubler] })
// Who started it is gone.
process.on('disconnect', () => process.exit())
process.send!('ready')
