/**
 * Supervises one partition of the instances: takes its lease when this node should run it, runs it, gives it up.
 *
 * ```
 *           want             acquired           opened
 *   idle ─────────▶ acquiring ───────▶ opening ────────▶ serving
 *    ▲               ▲ ▲  │ held by                        │ unwant, release,
 *    │        vacated│ │  ▼ another                        │ failed
 *    │ unwant        │ waiting                             ▼
 *    ├───────────────┼────────────────────────────────  draining      opening, serving and draining
 *    │               │ after a pause                       │          keep the lease renewed;
 *    │               └────────── pausing ◀─────────────────┤ failed   leaseLost ends them
 *    │                              ▲                      │
 *    │                              └────── forgetting ◀───┴── leaseLost
 *    └── released, whenever the node stops
 * ```
 *
 * One that fails too often (../endurance.ts) escalates: it gives the lease back, becomes idle, and tells its node, which
 * stays away from the partition for a while.
 *
 * Failure cases: a lease that another node holds is asked for again when that node gives it up, and every now and
 * then, since a lease that expires tells nobody; a lease that is lost ends everything at once, nothing is
 * acknowledged any more and nothing given back; a failure gives the lease back and begins again, after a pause,
 * with a new term, so that everything unacknowledged comes again in order.
 *
 * I/O is what the node provides: `acquire`, `renew`, `open`, `drain`, `forget`.
 */
import { assign, fromCallback, fromPromise, sendParent, setup } from 'xstate'

import { noStrain, withoutService, withService, withStrain, type Strain } from '../endurance.ts'
import type { Lease } from '../ports.ts'
import { noRestarts, withFailure, type Restarts } from '../restarts.ts'
import { describeError } from '../supervision.ts'

export type PartitionEvent =
  /** This node should run the partition. */
  | { readonly type: 'want' }
  /** Another node should run it: give it up in good order. */
  | { readonly type: 'unwant' }
  /** Give it up for good, in good order. */
  | { readonly type: 'release' }
  /** Whoever held it has given it up. */
  | { readonly type: 'vacated' }
  /** The lease belongs to another node, or can no longer be trusted. */
  | { readonly type: 'leaseLost' }
  /** Part of the partition cannot go on: it must be opened anew. */
  | { readonly type: 'failed'; readonly error: unknown }

/** What a partition supervisor tells its node: it has failed too often, and its lease has been given back. */
export interface Escalated {
  readonly type: 'escalated'
  readonly partition: number
  /** How long to stay away from it. */
  readonly awayMs: number
}

export interface PartitionInput {
  readonly partition: number
  /** Whether this node should run it. */
  readonly isWanted: boolean
  /** How long to wait before asking again for a lease that another node holds. */
  readonly retryAfterMs: number
  /** How long to wait before beginning again after a failure. */
  readonly pauseMs: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Everything about a partition that its node must be able to do. */
export interface PartitionWork {
  readonly partition: number
  readonly lease: Lease
}

export interface PartitionContext extends PartitionInput {
  readonly lease: Lease | undefined
  readonly hasFailed: boolean
  readonly isStopping: boolean
  /** It was given up since the lease was asked for last. */
  readonly isVacated: boolean
  /** How often it failed while it was owned. */
  readonly restarts: Restarts
  /** What it has cost so far. */
  readonly strain: Strain
}

const unprovided = () => {
  throw new Error('the node provides this')
}

export const partitionSupervisor = setup({
  types: {
    context: {} as PartitionContext,
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
  delays: {
    retry: ({ context }) => context.retryAfterMs,
    pause: ({ context }) => context.pauseMs,
  },
  guards: {
    isStopping: ({ context }) => context.isStopping,
    isWanted: ({ context }) => context.isWanted,
    hasFailed: ({ context }) => context.hasFailed,
    isTooMuch: ({ context }) => context.strain.isTooMuch && !context.isStopping,
    isRefused: ({ event }) => 'output' in event && event.output === undefined,
    isVacated: ({ context }) => context.isVacated,
    mustGiveUp: ({ context }) => context.isStopping || !context.isWanted,
  },
  actions: {
    keepLease: assign({
      lease: ({ event }) => ('output' in event ? (event.output as Lease | undefined) : undefined),
      hasFailed: false,
    }),
    noteFailure: assign(({ context, event }) => ({
      hasFailed: true,
      restarts: withFailure(context.restarts, { at: context.now(), ...describeError(errorOf(event)) }),
      strain: withStrain(context.strain, context.now()),
    })),
    noteLoss: assign(({ context, event }) => ({
      hasFailed: true,
      restarts: withFailure(context.restarts, { at: context.now(), ...describeError(errorOf(event)) }),
      strain: withoutService(context.strain, context.now()),
    })),
    noteService: assign(({ context }) => ({ strain: withService(context.strain, context.now()) })),
    noteGivingUp: assign(({ context }) => ({ strain: withoutService(context.strain, context.now()) })),
    noteAway: assign(({ context }) => ({ isWanted: false, strain: { ...context.strain, isTooMuch: false } })),
    escalate: sendParent(({ context: { partition, strain } }): Escalated => ({
      type: 'escalated',
      partition,
      awayMs: strain.awayMs,
    })),
    // It is being given up already.
    noteLateFailure: assign({ hasFailed: true }),
    noteStop: assign({ isStopping: true }),
    noteVacated: assign({ isVacated: true }),
    noteHeld: assign({ isVacated: false }),
    noteUnwanted: assign({ isWanted: false }),
    noteWanted: assign({ isWanted: true }),
  },
}).createMachine({
  id: 'partition',
  context: ({ input }) => ({
    ...input,
    lease: undefined,
    hasFailed: false,
    isStopping: false,
    isVacated: false,
    restarts: noRestarts,
    strain: noStrain,
  }),
  initial: 'idle',
  on: {
    want: { actions: 'noteWanted' },
    unwant: { actions: 'noteUnwanted' },
    release: { actions: 'noteStop' },
    vacated: { actions: 'noteVacated' },
  },
  states: {
    idle: {
      tags: 'settled',
      always: [
        { guard: 'isStopping', target: 'released' },
        { guard: 'isWanted', target: 'acquiring' },
      ],
    },
    acquiring: {
      entry: 'noteHeld',
      invoke: {
        src: 'acquire',
        input: ({ context }) => ({ partition: context.partition }),
        onDone: [
          { guard: 'isRefused', target: 'waiting' },
          // It was granted at the very moment it was no longer wanted.
          { guard: 'mustGiveUp', target: 'owned.draining', actions: 'keepLease' },
          { target: 'owned.opening', actions: 'keepLease' },
        ],
        onError: 'pausing',
      },
    },
    waiting: {
      tags: 'settled',
      always: [
        { guard: 'mustGiveUp', target: 'idle' },
        // Maybe while it was asked for: then the refusal says nothing.
        { guard: 'isVacated', target: 'acquiring' },
      ],
      after: { retry: 'acquiring' },
    },
    pausing: {
      tags: 'settled',
      always: { guard: 'mustGiveUp', target: 'idle' },
      after: { pause: 'acquiring' },
    },
    owned: {
      invoke: { src: 'renew', input: ({ context }) => workOf(context) },
      initial: 'opening',
      on: {
        unwant: { target: '.draining', actions: ['noteUnwanted', 'noteGivingUp'] },
        release: { target: '.draining', actions: 'noteStop' },
        failed: { target: '.draining', actions: 'noteFailure' },
        leaseLost: { target: 'forgetting', actions: 'noteLoss' },
      },
      states: {
        opening: {
          tags: 'held',
          invoke: {
            src: 'open',
            input: ({ context }) => workOf(context),
            onDone: 'serving',
            onError: { target: 'draining', actions: 'noteFailure' },
          },
        },
        serving: { entry: 'noteService', tags: ['held', 'settled'] },
        draining: {
          invoke: {
            src: 'drain',
            input: ({ context }) => workOf(context),
            onDone: '#partition.ended',
            onError: '#partition.ended',
          },
          // It is being given up already.
          on: {
            unwant: { actions: 'noteUnwanted' },
            release: { actions: 'noteStop' },
            failed: { actions: 'noteLateFailure' },
          },
        },
      },
    },
    forgetting: {
      invoke: {
        src: 'forget',
        input: ({ context }) => workOf(context),
        onDone: 'ended',
        onError: 'ended',
      },
    },
    ended: {
      always: [
        { guard: 'isTooMuch', target: 'idle', actions: ['escalate', 'noteAway'] },
        { guard: 'hasFailed', target: 'pausing' },
        { target: 'idle' },
      ],
    },
    released: { type: 'final' },
  },
})

function errorOf(event: object): unknown {
  return 'error' in event ? event.error : new Error('the lease was lost')
}

function workOf(context: { readonly partition: number; readonly lease: Lease | undefined }): PartitionWork {
  if (context.lease === undefined) throw new Error(`partition ${context.partition} has no lease`)
  return { partition: context.partition, lease: context.lease }
}
