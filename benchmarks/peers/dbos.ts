/** DBOS Transact on PostgreSQL: a library, so its runtime is the process that asks. */
import { DBOS } from '@dbos-inc/dbos-sdk'

import { takePart } from '../contest/contestant.ts'
import { counters, type Count } from '../contest/counters.ts'
import { stepCount, steps } from '../contest/steps.ts'
import { startPostgres } from './postgres.ts'
import { versionOf } from './version.ts'

/** The library's default, which is the fastest. */
const poolSize = 10
/** How long a client waits for an answer. */
const answerSeconds = 120

interface Addition {
  readonly n: number
}

const stepsWorkflow = DBOS.registerWorkflow(
  async (n: number) => {
    let value = n
    for (let step = 0; step < stepCount; step++) {
      const before = value
      value = await DBOS.runStep(async () => before + 1, { name: `step ${step}` })
    }
    return value
  },
  { name: 'steps' },
)

/** An instance lives on and counts what it is sent; what it came to with an event is an event of its own. */
const counterWorkflow = DBOS.registerWorkflow(
  async () => {
    let state: Count = { count: 0, squares: 0, sum: 0 }
    for (;;) {
      const addition = await DBOS.recv<Addition>('add', 86_400)
      if (addition === null) continue
      const { n } = addition
      state = { count: state.count + 1, squares: state.squares + n * n, sum: state.sum + n }
      await DBOS.setEvent(`with ${n}`, state)
    }
  },
  { name: 'counter' },
)

/** The event of each instance that came last, as far as its senders were told. */
const last = new Map<string, { readonly count: number; readonly n: number }>()

await takePart(async () => {
  const postgres = await startPostgres()
  DBOS.setConfig({
    name: 'contest',
    logLevel: 'error',
    systemDatabaseUrl: postgres.url,
    systemDatabasePoolSize: poolSize,
  })
  await DBOS.launch()
  return {
    about: {
      durability: 'power loss (fsync on, synchronous_commit on)',
      settings: { poolSize, ...postgres.settings },
      versions: {
        dbos: versionOf('@dbos-inc/dbos-sdk'),
        node: process.version,
        postgres: postgres.version,
      },
    },
    roots: () => ({ runtime: process.pid, server: postgres.pid }),
    workloads: {
      steps: steps({
        async run(id, n) {
          const handle = await DBOS.startWorkflow(stepsWorkflow, { workflowID: id })(n)
          return handle.getResult()
        },
        async read(id) {
          const status = await DBOS.getWorkflowStatus(id)
          return status?.status === 'SUCCESS' ? (status.output as number) : undefined
        },
      }),
      counters: counters({
        async create(id) {
          await DBOS.startWorkflow(counterWorkflow, { workflowID: id })()
        },
        async add(id, n) {
          await DBOS.send<Addition>(id, { n }, 'add')
          const state = await DBOS.getEvent<Count>(id, `with ${n}`, answerSeconds)
          if (state === null) throw new Error(`event ${n} for ${id} was not answered in ${answerSeconds} s`)
          if (state.count > (last.get(id)?.count ?? 0)) last.set(id, { count: state.count, n })
          return state
        },
        async read(id) {
          return (await DBOS.getEvent<Count>(id, `with ${last.get(id)!.n}`, answerSeconds))!
        },
      }),
    },
    async [Symbol.asyncDispose]() {
      await postgres[Symbol.asyncDispose]()
    },
  }
})
