import type { AnyActorLogic } from 'xstate'

import {
  activitySpecOf,
  type ActivityLog,
  type ActivityReport,
  type ActivitySpec,
} from '../../actors/activity.ts'
import { ActivitySlots } from '../../actors/activity-slots.ts'
import { bulkSpecOf, outcomeOfNone } from '../../actors/bulk.ts'
import { childSpecOf, mostDepth } from '../../actors/child-workflow.ts'
import { RuntimeError } from '../../actors/errors.ts'
import { poolSpecOf } from '../../actors/pool.ts'
import type { Clock } from '../../actors/ports.ts'
import type { ActorPath, Address } from '../../actors/address.ts'
import type { EventObject } from '../../actors/event.ts'
import type { ActivityRecord } from '../../actors/record.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import { runLeaf, type RunningLeaf } from '../../actors/xstate/leaf.ts'
import { Attempt, type AttemptOptions } from './attempt.ts'
import { queueAttempt } from './queued-attempt.ts'

interface Running {
  readonly attempt: number
  readonly incarnation: number
  readonly leaf: RunningLeaf
}

export interface ActivityStart {
  readonly address: Address
  readonly activity: ActivityRecord
  /** Undefined when the machine no longer has such an actor: the activity fails at once. */
  readonly logic: AnyActorLogic | undefined
  /** Makes its log. */
  readonly log: () => ActivityLog
  report(report: ActivityReport): void
}

export interface ActivityCounts {
  readonly running: number
  /** For a slot: see the options `concurrency` and `rate` of `activity()`. */
  readonly waiting: number
}

/**
 * The activities running on this node: leaf logic at work outside its machine.
 *
 * Each ends by reporting how it settled, or silently when it is stopped. A stopped activity's signal is
 * aborted; whatever it still says is dropped here, and once more by the incarnation in the record. An attempt that goes on
 * all the same is abandoned: nothing is kept of it but its number among the others.
 */
export class Activities {
  readonly #clock: Clock
  readonly #slots: ActivitySlots
  readonly #byInstance = new Map<string, Map<ActorPath, Running>>()
  #size = 0
  #abandoned = 0
  /** One for all attempts: there are many, and few are abandoned. */
  readonly #countAbandoned = (change: 1 | -1) => {
    this.#abandoned += change
  }

  /** @param concurrency how many attempts of `activity()` run at a time, whatever their type */
  constructor(clock: Clock, concurrency: number) {
    this.#clock = clock
    this.#slots = new ActivitySlots(clock, concurrency)
  }

  /** How many are running, and how many wait for a slot. */
  get counts(): ActivityCounts {
    const { waiting } = this.#slots
    return { running: this.#size - waiting, waiting }
  }

  /** How many attempts of an `activity()` go on though nobody wants them any more: they ignore their signal. */
  get abandoned(): number {
    return this.#abandoned
  }

  start(start: ActivityStart): void {
    const { address, activity, logic } = start
    const key = keyOf(address)
    const { path, attempt, incarnation } = activity
    this.#stop(key, path)
    let isOver = false
    const settled = (outcome: LeafOutcome, details?: unknown) => {
      isOver = true
      this.#remove(key, path, incarnation)
      start.report({ type: 'settled', path, incarnation, attempt, outcome, details })
    }
    if (logic === undefined || isDoneElsewhere(logic) || hasNoPermit(activity, logic)) {
      const outcome =
        logic === undefined ? logicMissing(key, activity) : outcomeWithoutRunning(address, activity, logic)
      queueMicrotask(() => settled(outcome))
      return
    }
    const spec = activitySpecOf(logic)
    const leaf =
      spec === undefined
        ? runLeaf(
            logic,
            { id: path, input: activity.input },
            {
              settled,
              event: event => start.report({ type: 'event', path, incarnation, event }),
              moved: context => start.report({ type: 'moved', path, incarnation, context }),
            },
          )
        : this.#attempt(spec, start, settled)
    // A callback may throw, an observable complete, before it can be noted that it runs.
    if (!isOver) this.#add(key, path, { attempt, incarnation, leaf })
  }

  /** Hands an event to a running callback; nothing happens when it does not run. */
  deliver(address: Address, path: ActorPath, event: EventObject): void {
    this.#byInstance.get(keyOf(address))?.get(path)?.leaf.deliver(event)
  }

  /** Stops the activity at the path, or that invocation of it only. */
  stop(address: Address, path: ActorPath, incarnation?: number): void {
    this.#stop(keyOf(address), path, incarnation)
  }

  /**
   * Stops everything that runs for the instance.
   *
   * @returns by incarnation, the attempt that was stopped
   */
  stopAll(address: Address): ReadonlyMap<number, number> {
    const attempts = new Map<number, number>()
    for (const [path, { attempt, incarnation }] of this.#byInstance.get(keyOf(address)) ?? []) {
      attempts.set(incarnation, attempt)
      this.stop(address, path)
    }
    return attempts
  }

  /** Stops everything that runs for the instance but these attempts, and answers the incarnations of those. */
  keep(address: Address, attempts: ReadonlyMap<number, number>): ReadonlySet<number> {
    const kept = new Set<number>()
    for (const [path, { attempt, incarnation }] of this.#byInstance.get(keyOf(address)) ?? []) {
      if (attempts.get(incarnation) === attempt) kept.add(incarnation)
      else this.stop(address, path)
    }
    return kept
  }

  #stop(key: string, path: ActorPath, incarnation?: number): void {
    const running = this.#byInstance.get(key)?.get(path)
    if (running === undefined || (incarnation !== undefined && running.incarnation !== incarnation)) return
    this.#remove(key, path, running.incarnation)
    running.leaf.stop()
  }

  /** Begins an attempt of an `activity()` at once, or when it is its turn. */
  #attempt(spec: ActivitySpec, start: ActivityStart, settled: AttemptOptions['settled']): RunningLeaf {
    if (!this.#slots.mayWait(spec.queueing)) return this.#run(spec, start, settled)
    return queueAttempt(spec, {
      activity: start.activity,
      clock: this.#clock,
      slots: this.#slots,
      run: limited => this.#run(limited, start, settled),
      settled: outcome => settled(outcome, undefined),
    })
  }

  /** Runs one attempt of an `activity()`. */
  #run(spec: ActivitySpec, start: ActivityStart, settled: AttemptOptions['settled']): RunningLeaf {
    const { activity, address, log } = start
    const { attempt, incarnation, path } = activity
    return new Attempt({
      activity,
      address,
      clock: this.#clock,
      log,
      spec,
      settled,
      noted: details => start.report({ type: 'heartbeat', path, incarnation, attempt, details }),
      abandoned: this.#countAbandoned,
    })
  }

  #add(key: string, path: ActorPath, running: Running): void {
    const ofInstance = this.#byInstance.get(key)
    if (ofInstance === undefined) this.#byInstance.set(key, new Map([[path, running]]))
    else ofInstance.set(path, running)
    this.#size++
  }

  #remove(key: string, path: ActorPath, incarnation: number): void {
    const ofInstance = this.#byInstance.get(key)
    if (ofInstance?.get(path)?.incarnation !== incarnation) return
    ofInstance.delete(path)
    if (ofInstance.size === 0) this.#byInstance.delete(key)
    this.#size--
  }
}

function logicMissing(key: string, { path, src }: ActivityRecord): LeafOutcome {
  const message = `the machine of ${key} has no actor '${path}' any more: bring back '${src}'`
  return { status: 'error', error: new RuntimeError('ACTIVITY_FAILED', message) }
}

function isDoneElsewhere(logic: AnyActorLogic): boolean {
  return (
    childSpecOf(logic) !== undefined || bulkSpecOf(logic) !== undefined || poolSpecOf(logic) !== undefined
  )
}

/** Whether it could not even ask for the permit that it needs. */
function hasNoPermit({ permit }: ActivityRecord, logic: AnyActorLogic): boolean {
  return permit === undefined && activitySpecOf(logic)?.pool !== undefined
}

/**
 * Children are started by messages, and pools asked by them; here only those are asked for that must not be, and a bulk
 * that is to have none.
 */
function outcomeWithoutRunning(
  address: Address,
  activity: ActivityRecord,
  logic: AnyActorLogic,
): LeafOutcome {
  if (activity.bulk?.total === 0) return { status: 'done', output: outcomeOfNone(address, activity) }
  if (activity.lastError === undefined && poolSpecOf(logic) !== undefined) {
    const message = `the actor '${activity.path}' of ${keyOf(address)} became a pool while it ran: invoke it anew`
    return { status: 'error', error: new RuntimeError('ACTIVITY_FAILED', message) }
  }
  return { status: 'error', error: activity.lastError ?? tooDeep(keyOf(address)) }
}

function tooDeep(key: string): RuntimeError {
  return new RuntimeError(
    'DEPTH_EXCEEDED',
    `${key} has ${mostDepth} parents above it and may have no child: does a workflow start itself without end?`,
    { fields: { instance: key, limit: mostDepth } },
  )
}

function keyOf(address: Address): string {
  return `${address.workflow}/${address.id}`
}
