/** A node in a process of its own, for idle.ts: runs instances that do nothing until they are poked. */
import { assign, setup } from 'xstate'

import { defineWorkflow } from '../src/index.ts'
import { serve, type MeasureOrder, type ServedNews, type ServedOptions } from './served-node.ts'

export interface IdleNodeOptions {
  readonly node: ServedOptions
  /** Whether each instance has a timer an hour away. */
  readonly timers: boolean
}

export type IdleOrder = MeasureOrder
export type IdleNews = ServedNews

const hourMs = 3_600_000

const { node, timers } = JSON.parse(process.argv[2]!) as IdleNodeOptions

const idler = defineWorkflow(
  setup({
    types: { context: {} as { readonly pokes: number }, events: {} as { type: 'POKE' } },
  }).createMachine({
    id: 'idler',
    context: { pokes: 0 },
    initial: 'idle',
    on: { POKE: { actions: assign({ pokes: ({ context }) => context.pokes + 1 }) } },
    states: { idle: { after: timers ? { [hourMs]: 'over' } : {} }, over: {} },
  }),
)

export type Idler = typeof idler

await serve(node, [idler])
