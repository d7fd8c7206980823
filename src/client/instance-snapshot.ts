import { matchesState, type AnyStateMachine, type StateValue, type StateValueFrom } from 'xstate'

import type { StoredRecord } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { ActivityRecord, InstanceStatus, Timer } from '../../actors/record.ts'
import type { ContextOf, OutputOf, Workflow } from '../workflow/define-workflow.ts'

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
  /** Why it is paused, while it is and whoever paused it has said so. */
  readonly stopReason: string | undefined
  /** Version of the workflow definition that wrote it. */
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
  /** What is running or waiting for its next attempt. */
  readonly activities: readonly ActivityRecord[]
  /** What will happen, and when. */
  readonly timers: readonly Timer[]
  /** Whether the instance is in that state, as in `snapshot.matches()` of XState. */
  matches(state: StateValue): boolean
}

type MachineOf<TWorkflow extends Workflow> =
  TWorkflow extends Workflow<infer TMachine> ? TMachine : AnyStateMachine

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
    stopReason: record.stopReason,
    version: record.version,
    createdAt: new Date(record.createdAt),
    updatedAt: new Date(record.updatedAt),
    activities: record.activities,
    timers: record.timers,
    matches: state => matchesState(state, value),
  }
  // The record was written by this workflow; what its machine's types say holds for it.
  return view as InstanceSnapshot<TWorkflow>
}
