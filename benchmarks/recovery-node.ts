/** A node in a process of its own, for recovery.ts: runs activities that last until they are told to end. */
import { assign, setup } from 'xstate'

import { activity, defineWorkflow } from '../src/index.ts'
import { preciseNow, serve, tell, type ServedNews, type ServedOptions } from './served-node.ts'

export interface RecoveryNodeOptions {
  /** How many activities there are. */
  readonly activities: number
  readonly node: ServedOptions
}

/** Tell how many have begun; `end`: and let them end. */
export interface RecoveryOrder {
  readonly type: 'count' | 'end'
}

export type RecoveryNews = ServedNews | AllRun | Count

/** All activities have begun in this process, each once. */
interface AllRun {
  readonly type: 'allRun'
  /** When each began: milliseconds since the epoch. */
  readonly begunAt: readonly number[]
  /** The attempts that were begun, each number once. */
  readonly attempts: readonly number[]
}

interface Count {
  readonly type: 'counted'
  readonly begun: number
}

const { activities, node } = JSON.parse(process.argv[2]!) as RecoveryNodeOptions

let end = () => {}
const ended = new Promise<void>(resolve => {
  end = resolve
})
/** When the activity of each instance began here. */
const begunAt = new Map<string, number>()
const attempts = new Set<number>()

const work = activity({
  name: 'work',
  run: async ({ attempt, idempotencyKey }) => {
    if (begunAt.has(idempotencyKey)) throw new Error(`${idempotencyKey} was begun twice by one node`)
    begunAt.set(idempotencyKey, preciseNow())
    attempts.add(attempt)
    if (begunAt.size === activities) {
      tell<AllRun>({ type: 'allRun', begunAt: [...begunAt.values()], attempts: [...attempts] })
    }
    await ended
    return attempt
  },
})

const worker = defineWorkflow(
  setup({
    types: { context: {} as { readonly ends: number; readonly attempt: number } },
    actors: { work },
  }).createMachine({
    id: 'worker',
    context: { ends: 0, attempt: 0 },
    invoke: {
      src: 'work',
      // Without a target: an activity that ends again counts again.
      onDone: {
        actions: assign({ ends: ({ context }) => context.ends + 1, attempt: ({ event }) => event.output }),
      },
    },
  }),
)

export type Worker = typeof worker

await serve<RecoveryOrder>(node, [worker], order => {
  if (order.type === 'end') end()
  tell<Count>({ type: 'counted', begun: begunAt.size })
})
