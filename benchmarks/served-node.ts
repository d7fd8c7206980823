/** The inside of a node in a process of its own: tells how far it is, measures itself, and dies with who started it. */
import { setTimeout as pause } from 'node:timers/promises'

import { pino } from 'pino'

import { createNode, type NodeOptions, type Workflow } from '../src/index.ts'

export interface Measures {
  /** Activities running. */
  readonly activities: number
  /** Processor time since the process began. */
  readonly cpuMs: number
  readonly heapMiB: number
  /** Served. */
  readonly partitions: number
  readonly rssMiB: number
  /** Instances in memory. */
  readonly resident: number
}

type Alive = Pick<Measures, 'activities' | 'partitions' | 'resident'>

/** Measure yourself; after garbage was collected, if it is asked for. */
export interface MeasureOrder {
  readonly type: 'measure'
  readonly gc: boolean
}

/** `at` in milliseconds since the epoch. */
export type ServedNews =
  /** Its program runs; of the node there is nothing yet. */
  | { readonly type: 'up'; readonly at: number; readonly measures: Measures }
  | { readonly type: 'serving'; readonly at: number }
  /** It has looked through the records of all its partitions. */
  | { readonly type: 'recovered'; readonly at: number }
  | { readonly type: 'measured'; readonly measures: Measures }

export interface ServedOptions extends Omit<NodeOptions, 'log' | 'workflows'> {
  /** From which level on the log is passed on. Default `warn`. */
  readonly log?: 'error' | 'warn'
  readonly partitions: number
}

const mebibyte = 2 ** 20
/** V8 gives memory back to the system in a thread of its own, after it has collected garbage. */
const giveBackMs = 500

/** Tells the one who started this process. */
export function tell<News extends { readonly type: string }>(news: News): void {
  process.send!(news)
}

/** Milliseconds since the epoch, with parts of them. */
export function preciseNow(): number {
  return performance.timeOrigin + performance.now()
}

/**
 * Runs a node until the process is killed, or the one who started it is gone.
 *
 * @param obey told of every order but `measure`
 */
export async function serve<Order extends { readonly type: string } = never>(
  options: ServedOptions,
  workflows: readonly Workflow[],
  obey: (order: Order) => void = () => {},
): Promise<void> {
  process.on('disconnect', () => process.exit())
  let alive = (): Alive => ({ activities: 0, partitions: 0, resident: 0 })
  process.on('message', (order: MeasureOrder | Order) => {
    if (isMeasure(order)) void answer(order)
    else obey(order)
  })
  const answer = async ({ gc }: MeasureOrder) => {
    if (gc) await collectGarbage()
    tell<ServedNews>({ type: 'measured', measures: measure(alive()) })
  }
  tell<ServedNews>({ type: 'up', at: preciseNow(), measures: measure(alive()) })
  let recovered = 0
  const log = logTo(options.log ?? 'warn', partitions => {
    recovered += partitions
    if (recovered === options.partitions) tell<ServedNews>({ type: 'recovered', at: preciseNow() })
  })
  const node = await createNode({ ...options, log, workflows })
  alive = () => {
    const { activities, partitions, resident } = node.status()
    return { activities: activities.running, partitions: partitions.serving, resident }
  }
  tell<ServedNews>({ type: 'serving', at: preciseNow() })
}

function isMeasure(order: { readonly type: string }): order is MeasureOrder {
  return order.type === 'measure'
}

/** Only its log tells when a node has recovered. What is wrong is passed on, from that level. */
function logTo(least: 'error' | 'warn', onRecovered: (partitions: number) => void) {
  const write = (line: string) => {
    const { level, msg, partitions } = JSON.parse(line) as {
      readonly level: number
      readonly msg: string
      readonly partitions: number
    }
    if (msg === 'recovered') onRecovered(partitions)
    if (level >= pino.levels.values[least]!) process.stderr.write(line)
  }
  return pino({ level: 'info' }, { write })
}

async function collectGarbage(): Promise<void> {
  // The second time takes what finalisers of the first have let go.
  for (let round = 0; round < 2; round++) {
    globalThis.gc!()
    await pause(giveBackMs)
  }
}

function measure(alive: Alive): Measures {
  const { heapUsed, rss } = process.memoryUsage()
  const { system, user } = process.cpuUsage()
  return {
    cpuMs: (system + user) / 1000,
    heapMiB: heapUsed / mebibyte,
    rssMiB: rss / mebibyte,
    ...alive,
  }
}
