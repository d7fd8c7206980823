import { assign, setup } from 'xstate'

import { defineWorkflow, pool, type PoolGranted, type PoolRequest } from '../../src/index.ts'

/** How many may be on the site at a time. */
export const siteSize = 3

export interface Visit {
  /** What it asks the pool for. */
  readonly request?: PoolRequest
  /** How long it stays inside by itself; for ever when left out. */
  readonly stayMs?: number
}

/** Waits for a permit of the pool `sites`, stays a while, and leaves. */
export const visitor = visitorOf(siteSize)

/** @param permits how many the pool has, as this visitor says */
export function visitorOf(permits: number) {
  return defineWorkflow(
    setup({
      types: {
        context: {} as Visit & { readonly error?: unknown },
        events: {} as { type: 'LEAVE' | 'RETURN' } | PoolGranted,
        input: {} as Visit,
        output: {} as string,
      },
      actors: { site: pool({ name: 'sites', permits }) },
      delays: { stay: ({ context }) => context.stayMs ?? Infinity },
    }).createMachine({
      id: 'visitor',
      context: ({ input }) => input,
      initial: 'onSite',
      output: ({ context }) => String((context.error as { code?: string } | undefined)?.code ?? 'seen'),
      states: {
        onSite: {
          invoke: {
            id: 'site',
            src: 'site',
            input: ({ context }) => context.request,
            onError: { target: 'turnedAway', actions: assign({ error: ({ event }) => event.error }) },
          },
          initial: 'queueing',
          states: {
            queueing: { on: { 'workflow.granted': 'inside' } },
            inside: { after: { stay: '#visitor.left' } },
          },
          on: { LEAVE: 'left', RETURN: { target: 'onSite', reenter: true } },
        },
        left: { type: 'final' },
        turnedAway: { type: 'final' },
      },
    }),
  )
}
