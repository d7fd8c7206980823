/** The runtime of the contestant `dbos` that is killed: in a process and a database of its own. */
import { DBOS } from '@dbos-inc/dbos-sdk'

import { Diary } from '../contest/diary.ts'
import { launch, registerWorkflows } from './dbos-workflows.ts'

export interface WorkerOptions {
  /** Path of the file in which slow steps are noted. */
  readonly diary: string
  readonly url: string
}

export interface WorkerOrder {
  readonly type: 'result' | 'start'
  readonly id: string
  readonly n: number
}

export type WorkerNews =
  | { readonly type: 'serving' }
  /** The output, or that it has started. */
  | { readonly type: 'answer'; readonly id: string; readonly value: number }

const { diary, url } = JSON.parse(process.argv[2]!) as WorkerOptions
const { slow } = registerWorkflows(new Diary(diary))
process.on('disconnect', () => process.exit())
process.on('message', ({ id, n, type }: WorkerOrder) => void (type === 'start' ? start(id, n) : result(id)))
await launch(url)
tell({ type: 'serving' })

async function start(id: string, n: number): Promise<void> {
  await DBOS.startWorkflow(slow, { workflowID: id })(n)
  tell({ type: 'answer', id, value: n })
}

async function result(id: string): Promise<void> {
  const value = await DBOS.retrieveWorkflow<number>(id).getResult({ pollingIntervalMs: 250 })
  tell({ type: 'answer', id, value })
}

function tell(news: WorkerNews): void {
  process.send!(news)
}
