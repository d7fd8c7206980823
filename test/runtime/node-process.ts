/** A node in a process of its own, to be killed: `node --import tsx node-process.ts <url> <namespace>`. */
import { createNode } from '../../src/index.ts'
import { echo, tally } from '../support/workflows.ts'

const [servers = '', namespace = ''] = process.argv.slice(2)
await createNode({
  servers,
  namespace,
  name: 'mortal',
  partitions: 4,
  workflows: [tally, echo],
  log: 'error',
})
process.stdout.write('ready\n')
