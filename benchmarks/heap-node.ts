/** A node in a process of its own, for heap.ts: runs instances that work once and end. */
import { assign, setup } from 'xstate'

import { activity, defineWorkflow } from '../src/index.ts'
import { serve, tell, type MeasureOrder, type ServedNews, type ServedOptions } from './served-node.ts'

/** Tell how many have worked. */
interface CountOrder {
  readonly type: 'count'
}

/** Let those end that are held. */
interface ReleaseOrder {
  readonly type: 'release'
}

export type HeapOrder = MeasureOrder | CountOrder | ReleaseOrder
export type HeapNews = ServedNews | Counted

interface Counted {
  readonly type: 'counted'
  readonly worked: number
}

interface JobInput {
  /** Whether its activity waits to be released. */
  readonly isHeld: boolean
  /** Takes room. */
  readonly text: string
}

let worked = 0
let release = () => {}
const released = new Promise<void>(resolve => (release = resolve))

const job = defineWorkflow(
  setup({
    types: { context: {} as JobInput & { readonly answer: string }, input: {} as JobInput },
    actors: {
      work: activity({
        name: 'work',
        run: async ({ input: { isHeld, text } }: { input: JobInput }) => {
          if (isHeld) await released
          worked++
          return text.toUpperCase()
        },
      }),
    },
  }).createMachine({
    id: 'job',
    context: ({ input }) => ({ ...input, answer: '' }),
    initial: 'working',
    states: {
      working: {
        invoke: {
          src: 'work',
          input: ({ context: { isHeld, text } }) => ({ isHeld, text }),
          onDone: { target: 'ended', actions: assign({ answer: ({ event }) => event.output }) },
        },
      },
      ended: { type: 'final' },
    },
  }),
)

export type Job = typeof job

await serve<CountOrder | ReleaseOrder>(JSON.parse(process.argv[2]!) as ServedOptions, [job], ({ type }) => {
  if (type === 'release') release()
  else tell<Counted>({ type: 'counted', worked })
})
