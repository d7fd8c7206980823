/**
 * Supervises one partition of the instances: takes its lease when it can, runs it, gives it up.
 *
 * ```
 *               acquired            opened
 *   unowned ─────────────▶ opening ────────▶ serving
 *    ▲  │ held by another     │ failed          │ failed, release
 *    │  ▼                     ▼                 │
 *   waiting ◀────────────  draining ◀───────────┘        opening, serving and draining
 *    ▲  │ release             │ release                  keep the lease renewed;
 *    │  ▼                     ▼                          leaseLost ends them
 *    │ released ◀─────────────┤
 *    │                        │
 *    └──────────────────── forgetting ◀── leaseLost
 * ```
 *
 * Failure cases: a lease that another node holds is asked for again after a while; a lease that is lost ends
 * everything at once, nothing is acknowledged any more and nothing given back; a failure gives the lease back
 * and begins again with a new term, so that everything unacknowledged comes again in order.
 *
 * I/O is what the node provides: `acquire`, `renew`, `open`, `drain`, `forget`.
 */
import { assign, fromCallback, fromPromise, setup } from 'xstate'

import type { Lease } from '../ports.ts'

export type PartitionEvent =
  /** Give the partition up for good, in good order. */
  | { readonly type: 'release' }
  /** The lease belongs to another node, or can no longer be trusted. */
  | { readonly type: 'leaseLost' }
  /** Part of the partition cannot go on: it must be opened anew. */
  | { readonly type: 'failed'; readonly error: unknown }

export interface PartitionInput {
  readonly partition: number
  /** How long to wait before asking again for a lease that another node holds, or after a failure. */
  readonly retryAfterMs: number
}

/** Everything about a partition that its node must be able to do. */
export interface PartitionWork {
  readonly partition: number
  readonly lease: Lease
}

const unprovided = () => {
  throw new Error('the node provides this')
}

export const partitionSupervisor = setup({
  types: {
    context: {} as PartitionInput & { readonly lease: Lease | undefined; readonly isStopping: boolean },
    input: {} as PartitionInput,
    events: {} as PartitionEvent,
  },
  actors: {
    /** Takes the lease; undefined when another node holds it. */
    acquire: fromPromise<Lease | undefined, { readonly partition: number }>(unprovided),
    /** Keeps the lease while it runs; sends `leaseLost`. */
    renew: fromCallback<PartitionEvent, PartitionWork>(unprovided),
    /** Opens the inbox and begins to serve and recover; sends `failed` later, through the node. */
    open: fromPromise<void, PartitionWork>(unprovided),
    /** Finishes what is under way, then gives the lease back. */
    drain: fromPromise<void, PartitionWork>(unprovided),
    /** Drops everything at once. */
    forget: fromPromise<void, PartitionWork>(unprovided),
  },
  delays: { retry: ({ context }) => context.retryAfterMs },
  guards: {
    isStopping: ({ context }) => context.isStopping,
    isRefused: ({ event }) => 'output' in event && event.output === undefined,
  },
  actions: {
    keepLease: assign({
      lease: ({ event }) => ('output' in event ? (event.output as Lease | undefined) : undefined),
    }),
    noteStop: assign({ isStopping: true }),
  },
}).createMachine({
  id: 'partition',
  context: ({ input }) => ({ ...input, lease: undefined, isStopping: false }),
  initial: 'unowned',
  states: {
    unowned: {
      invoke: {
        src: 'acquire',
        input: ({ context }) => ({ partition: context.partition }),
        onDone: [
          { guard: 'isRefused', target: 'ending' },
          { guard: 'isStopping', target: 'owned.draining', actions: 'keepLease' },
          { target: 'owned.opening', actions: 'keepLease' },
        ],
        onError: 'ending',
      },
      // The lease may be granted at this very moment: it is given back once it is known.
      on: { release: { actions: 'noteStop' } },
    },
    waiting: {
      tags: 'settled',
      after: { retry: 'unowned' },
      on: { release: 'released' },
    },
    owned: {
      invoke: { src: 'renew', input: ({ context }) => workOf(context) },
      initial: 'opening',
      on: {
        release: { target: '.draining', actions: 'noteStop' },
        failed: '.draining',
        leaseLost: 'forgetting',
      },
      states: {
        opening: {
          invoke: {
            src: 'open',
            input: ({ context }) => workOf(context),
            onDone: 'serving',
            onError: 'draining',
          },
        },
        serving: { tags: 'settled' },
        draining: {
          invoke: {
            src: 'drain',
            input: ({ context }) => workOf(context),
            onDone: '#partition.ending',
            onError: '#partition.ending',
          },
          // It is being given up already.
          on: { release: { actions: 'noteStop' }, failed: {} },
        },
      },
    },
    forgetting: {
      invoke: {
        src: 'forget',
        input: ({ context }) => workOf(context),
        onDone: 'ending',
        onError: 'ending',
      },
      on: { release: { actions: 'noteStop' } },
    },
    ending: {
      always: [{ guard: 'isStopping', target: 'released' }, { target: 'waiting' }],
    },
    released: { type: 'final' },
  },
})

function workOf(context: { readonly partition: number; readonly lease: Lease | undefined }): PartitionWork {
  if (context.lease === undefined) throw new Error(`partition ${context.partition} has no lease`)
  return { partition: context.partition, lease: context.lease }
}
