import { matchesState, type AnyStateMachine, type StateValue, type StateValueFrom } from 'xstate'

import { isWaiting } from '../../actors/permits.ts'
import type { StoredRecord } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import {
  isFinal,
  type ActivityRecord,
  type InstanceRecord,
  type InstanceStatus,
  type Timer,
} from '../../actors/record.ts'
import type { Incident } from '../../actors/incident.ts'
import type { ContextOf, OutputOf, SnapshotOf, Workflow } from '../workflow/define-workflow.ts'

/** The state of an instance as last committed. */
export interface InstanceSnapshot<TWorkflow extends Workflow = Workflow> {
  readonly address: Address
  /** Rises with every commit. */
  readonly revision: number
  /** Type of the last event that changed it: what this revision came of. */
  readonly event: string
  readonly status: InstanceStatus
  readonly value: StateValueFrom<MachineOf<TWorkflow>>
  readonly context: ContextOf<TWorkflow>
  /** What the workflow answered, once `status` is `done`. */
  readonly output: OutputOf<TWorkflow> | undefined
  /** Why it failed, once `status` is `failed`. */
  readonly error: unknown
  /** Why it is being cancelled, and when everything stops that still runs; while it is. */
  readonly cancelling: { readonly reason: string; readonly deadline: Date } | undefined
  /** Why it is paused or was cancelled, when it is and whoever did so has said it. */
  readonly stopReason: string | undefined
  /** What has suspended it, while it is. */
  readonly incident: Incident | undefined
  /** Version of the workflow definition that wrote it. */
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
  /** The attempts that run now, if its node lives. */
  readonly running: readonly RunningActivity[]
  /** What is running or waiting for its next attempt, or for a permit: then `permit` says of which pool. */
  readonly activities: readonly ActivityRecord[]
  /** What will happen, and when. */
  readonly timers: readonly Timer[]
  /** Whether the instance is in that state, as in `snapshot.matches()` of XState. */
  matches(state: MatchedBy<TWorkflow>): boolean
}

/** An activity at work. */
export interface RunningActivity {
  /** Its name among the actors of the machine; structural for one written in place. */
  readonly name: string
  /** The actor in the machine that stands for it. */
  readonly path: string
  readonly attempt: number
  /** When its first attempt was asked for. */
  readonly since: Date
}

type MachineOf<TWorkflow extends Workflow> =
  TWorkflow extends Workflow<infer TMachine> ? TMachine : AnyStateMachine

/** What the snapshots of the machine can be asked for: only states that there are. */
type MatchedBy<TWorkflow extends Workflow> = Parameters<SnapshotOf<TWorkflow>['matches']>[0]

/** The snapshot a stored record shows. */
export function toInstanceSnapshot<TWorkflow extends Workflow>(
  stored: StoredRecord,
): InstanceSnapshot<TWorkflow> {
  const { event, record, revision } = stored
  const { snapshot } = record
  const value = (snapshot.value ?? {}) as StateValue
  const view: InstanceSnapshot = {
    address: { workflow: record.workflow, id: record.id },
    revision,
    event,
    status: record.status,
    value,
    context: snapshot.context,
    output: snapshot.output,
    error: snapshot.error,
    cancelling: cancellingOf(record),
    stopReason: record.stopReason ?? cancelReasonOf(record),
    incident: record.incident,
    version: record.version,
    createdAt: new Date(record.createdAt),
    updatedAt: new Date(record.updatedAt),
    running: runningOf(record),
    activities: record.activities,
    timers: record.timers,
    matches: state => matchesState(state, value),
  }
  // The record was written by this workflow; what its machine's types say holds for it.
  return view as InstanceSnapshot<TWorkflow>
}

function cancellingOf({ cancellation, status }: InstanceRecord): InstanceSnapshot['cancelling'] {
  if (cancellation === undefined || isFinal(status)) return undefined
  return { reason: cancellation.reason, deadline: new Date(cancellation.deadline) }
}

function cancelReasonOf({ cancellation, status }: InstanceRecord): string | undefined {
  return status === 'cancelled' && cancellation?.reason !== '' ? cancellation?.reason : undefined
}

function runningOf({ activities, status }: InstanceRecord): readonly RunningActivity[] {
  if (status === 'paused') return []
  return activities.flatMap(activity => {
    const { attempt, path, retryAt, src, startedAt } = activity
    if (retryAt !== undefined || isWaiting(activity)) return []
    return [{ name: src, path, attempt, since: new Date(startedAt) }]
  })
}
