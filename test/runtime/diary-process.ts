/**
 * A node with diaries in a process of its own, that writes down what it does before it does it, and may kill itself in the
 * middle: `node --import tsx diary-process.ts <url> <namespace> <file> [death]`, the death as JSON.
 */
import { appendFileSync } from 'node:fs'

import { createNode } from '../../src/index.ts'
import { diaryWorkflows, type Doing } from '../support/diaries.ts'

/** Kills the process at that doing of that diary, once it has been done so often. */
export interface Death {
  readonly diary: string
  readonly doing: Doing
  readonly count: number
}

const [servers = '', namespace = '', file = '', death = 'null'] = process.argv.slice(2)
const { diary: fatal, doing: last, count = 0 } = (JSON.parse(death) ?? {}) as Partial<Death>
let left = count

await createNode({
  servers,
  namespace,
  name: 'mortal',
  partitions: 4,
  workflows: diaryWorkflows((doing, diary, id, n) => {
    appendFileSync(file, `${doing} ${diary}/${id} ${n}\n`)
    if (doing === last && diary === fatal && --left === 0) process.kill(process.pid, 'SIGKILL')
  }),
  log: 'error',
})
process.send?.('ready')
