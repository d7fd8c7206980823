import { assign, setup } from 'xstate'

import { bulk, defineWorkflow, type BulkOutcome } from '../../src/index.ts'
import { child } from './families.ts'

/** What the children of a gathering do, by index. */
export interface Gathering {
  readonly count: number
  /** Every so-manyth child fails; none when left out. */
  readonly failEvery?: number
  /** Whether all children wait to be told to go on. */
  readonly waits?: boolean
  /** Every so-manyth child waits; none when left out. */
  readonly waitEvery?: number
}

/** Asked for by index, as a file or a table would be. */
function itemsOf({ count, failEvery = Infinity, waitEvery = Infinity, waits = false }: Gathering) {
  return {
    length: count,
    at: (index: number) => ({
      n: isEvery(failEvery, index) ? -index - 1 : index,
      waits: waits || isEvery(waitEvery, index),
    }),
  }
}

function isEvery(step: number, index: number): boolean {
  return index % step === step - 1
}

/** Has many children at once, and keeps what the bulk answered. */
export const gatherer = defineWorkflow(
  setup({
    types: {
      context: {} as {
        readonly gathering: Gathering
        readonly outcome?: BulkOutcome<number>
        readonly error?: unknown
      },
      events: {} as { type: 'DROP' } | { type: 'FINISH' },
      input: {} as Gathering & { readonly strictly?: boolean },
    },
    actors: {
      all: bulk(child, { concurrency: 100, items: itemsOf }),
      strict: bulk(child, { concurrency: 20, failFast: true, items: itemsOf }),
    },
    actions: {
      keepError: assign({ error: ({ event }) => (event as unknown as { error: unknown }).error }),
    },
  }).createMachine({
    id: 'gatherer',
    context: ({ input }) => ({ gathering: input }),
    initial: 'starting',
    states: {
      starting: {
        always: [
          { guard: ({ context }) => 'strictly' in context.gathering, target: 'strict' },
          { target: 'gathering' },
        ],
      },
      gathering: {
        invoke: {
          id: 'squares',
          src: 'all',
          input: ({ context }) => context.gathering,
          onDone: { target: 'gathered', actions: assign({ outcome: ({ event }) => event.output }) },
          onError: { target: 'failed', actions: 'keepError' },
        },
        on: { DROP: 'dropped', FINISH: 'finished' },
      },
      strict: {
        invoke: {
          id: 'squares',
          src: 'strict',
          input: ({ context }) => context.gathering,
          onDone: { target: 'gathered', actions: assign({ outcome: ({ event }) => event.output }) },
          onError: { target: 'failed', actions: 'keepError' },
        },
        on: { DROP: 'dropped' },
      },
      gathered: {},
      failed: {},
      dropped: {},
      finished: { type: 'final' },
    },
  }),
)
