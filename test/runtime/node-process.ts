/**
 * A node in a process of its own, to be killed: `node --import tsx node-process.ts <url> <namespace> [options]`, the
 * options of the node as JSON.
 */
import { createNode, type NodeOptions } from '../../src/index.ts'
import { gatherer } from '../support/bulks.ts'
import { bookingOf, type Work } from '../support/cancelling.ts'
import { child, parent } from '../support/families.ts'
import { visitor } from '../support/pools.ts'
import { delegator } from '../support/remotes.ts'
import { echo, tally } from '../support/workflows.ts'

/** What undoes a booking takes until the next process. */
const undoAgain = ({ attempt, finish, name }: Work) => {
  if (name === 'undo' && attempt > 1) finish('undone by the next')
}

const [servers = '', namespace = '', options = '{}'] = process.argv.slice(2)
await createNode({
  servers,
  namespace,
  name: 'mortal',
  partitions: 4,
  workflows: [tally, echo, gatherer, child, parent, delegator, visitor, bookingOf(undoAgain)],
  log: 'error',
  ...(JSON.parse(options) as Partial<NodeOptions>),
})
process.stdout.write('ready\n')
process.send?.('ready')
