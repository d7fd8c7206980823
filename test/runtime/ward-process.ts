/**
 * A node with patients in a process of its own, to be killed: `node --import tsx ward-process.ts <url> <namespace> <name>
 * <file>`. The file is where attempts are written down.
 */
import { createNode } from '../../src/index.ts'
import { patientOf } from '../support/wards.ts'

const [servers = '', namespace = '', name = '', file = ''] = process.argv.slice(2)
await createNode({
  servers,
  namespace,
  name,
  partitions: 4,
  leaseTtl: '1s',
  passivateAfter: '100ms',
  workflows: [patientOf(file)],
  log: 'error',
})
process.send?.('ready')
