/**
 * A node with errands in a process of its own, to be killed, or to kill itself: `node --import tsx errand-process.ts <url>
 * <namespace> <file>`. The file is where attempts are written down.
 */
import { createNode } from '../../src/index.ts'
import { errandsOf } from '../support/errands.ts'

const [servers = '', namespace = '', file = ''] = process.argv.slice(2)
await createNode({
  servers,
  namespace,
  name: 'mortal',
  partitions: 4,
  workflows: [errandsOf(file)],
  log: 'error',
})
