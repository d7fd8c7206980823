/** DBOS Transact on PostgreSQL: a library, so its runtime is the process that asks. */
import { DBOS } from '@dbos-inc/dbos-sdk'

import { takePart, type Run } from '../contest/contestant.ts'
import { counters, type Count } from '../contest/counters.ts'
import { crash } from '../contest/crash.ts'
import { Diary } from '../contest/diary.ts'
import { family } from '../contest/family.ts'
import { steps } from '../contest/steps.ts'
import { timers } from '../contest/timers.ts'
import { MortalWorker } from './dbos-mortal.ts'
import { launch, poolSize, registerWorkflows, type Addition } from './dbos-workflows.ts'
import { startPostgres } from './postgres.ts'
import { versionOf } from './version.ts'

/** How long a client waits for an answer. */
const answerSeconds = 120

/** The event of each instance that came last, as far as its senders were told. */
const last = new Map<string, { readonly count: number; readonly n: number }>()

await takePart(async () => {
  const postgres = await startPostgres()
  const { counter, parent, steps: stepsWorkflow, timed } = registerWorkflows(new Diary(postgres.diary.path))
  await launch(postgres.url)
  const mortal = new MortalWorker(postgres.diary, postgres.otherUrl)
  const crashOf = (kill: () => Promise<void>): Run => {
    const run = crash(mortal.crashing(kill))
    return async (order, metering) => {
      if (mortal.pid === undefined) await mortal.begin()
      return run(order, metering)
    }
  }
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
    roots: () => ({
      ...(mortal.pid === undefined ? { runtime: process.pid } : { client: process.pid, runtime: mortal.pid }),
      server: postgres.pid,
    }),
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
          await DBOS.startWorkflow(counter, { workflowID: id })()
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
      timers: timers({
        diary: postgres.diary,
        async start(id, delayMs) {
          await DBOS.startWorkflow(timed, { workflowID: id })(delayMs)
        },
        async dueAt(id) {
          const status = await DBOS.getWorkflowStatus(id)
          if (status?.status === 'SUCCESS') return status.output as number
          throw new Error(`${id} is ${status?.status}`)
        },
      }),
      'crash-node': crashOf(() => mortal.crash()),
      'crash-server': crashOf(() => postgres.crash()),
      family: family({
        async run(id, children) {
          const handle = await DBOS.startWorkflow(parent, { workflowID: id })(children)
          return handle.getResult()
        },
      }),
    },
    async [Symbol.asyncDispose]() {
      await mortal[Symbol.asyncDispose]()
      await postgres[Symbol.asyncDispose]()
    },
  }
})
