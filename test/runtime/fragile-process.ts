/** A node that runs `fragile`, to be killed: `fragile-process.ts <url> <namespace> <broken|fixed>`. */
import { createNode } from '../../src/index.ts'
import { fragile } from '../support/fragile.ts'
import { tally } from '../support/workflows.ts'

const [servers = '', namespace = '', state = ''] = process.argv.slice(2)
await createNode({
  servers,
  namespace,
  name: 'mortal',
  partitions: 1,
  workflows: [fragile(state === 'fixed'), tally],
  log: 'error',
})
process.send!('ready')
