/** The inside of a contestant: does what the runner orders, and ends with it. */
import { metered, type Roots, type Taken } from './meter.ts'
import type { About, News, Order, Outcome, RunOrder } from './protocol.ts'

/** Takes what is taken while the work lasts: once in a run, around what is timed. */
export type Metering = <T>(work: () => Promise<T>) => Promise<T>

/** Does a workload, checks what it came to, and throws when anything is wrong. */
export type Run = (order: RunOrder, metering: Metering) => Promise<Outcome>

/** Something that runs, and what it can be asked to do. */
export interface Contestant extends AsyncDisposable {
  readonly about: About
  readonly roots: () => Roots
  readonly workloads: Readonly<Record<string, Run>>
}

/** What a contestant needs is not on this machine. */
export class Absent extends Error {}

/** Takes part until the runner says stop, or is gone. */
export async function takePart(start: () => Promise<Contestant>): Promise<void> {
  // A Ctrl-C is for the runner, which stops us.
  process.on('SIGINT', () => {})
  let contestant: Contestant
  try {
    contestant = await start()
  } catch (error) {
    tell(error instanceof Absent ? { type: 'absent', why: error.message } : failed(error))
    process.disconnect()
    return
  }
  const { about, workloads } = contestant
  const stop = async () => {
    await contestant[Symbol.asyncDispose]()
    process.exit()
  }
  process.on('message', (order: Order) => {
    void (order.type === 'stop' ? stop() : obey(contestant, order).then(tell, error => tell(failed(error))))
  })
  process.on('disconnect', () => void stop())
  tell({ type: 'ready', about, workloads: Object.keys(workloads) })
}

async function obey({ roots, workloads }: Contestant, order: RunOrder): Promise<News> {
  let taken: Taken | undefined
  const outcome = await workloads[order.workload]!(order, async work => {
    const [result, took] = await metered(roots, work)
    taken = took
    return result
  })
  if (taken === undefined) throw new Error(`${order.workload} timed nothing`)
  return { type: 'ran', outcome, taken }
}

function failed(error: unknown): News {
  return { type: 'failed', error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

/** A runner that has been interrupted listens no more. */
function tell(news: News): void {
  if (process.connected) process.send!(news)
}
