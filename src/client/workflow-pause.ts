import { RuntimeError } from '../../actors/errors.ts'
import type { Pause, Pauses } from '../../actors/ports.ts'
import type { RegisteredWorkflow } from '../nats/transport.ts'

export interface PauseWorkflowOptions {
  /** For people. Up to 1,024 characters. */
  readonly reason?: string
  readonly signal?: AbortSignal
}

/** Why the instances of a workflow do not run. */
export interface WorkflowPause {
  readonly at: Date
  readonly reason: string | undefined
  /** What was paused: the workflow, or the whole namespace. */
  readonly scope: 'namespace' | 'workflow'
}

/** A workflow that some node of the namespace runs, or has run. */
export interface WorkflowSummary extends RegisteredWorkflow {
  /** Undefined when it is not paused. */
  readonly paused: WorkflowPause | undefined
}

const longestReason = 1_024

/** @throws RuntimeError `OPTIONS_INVALID` */
export function pauseFrom({ reason }: PauseWorkflowOptions, at: number): Pause {
  if (reason === undefined) return { at }
  if (typeof reason === 'string' && reason.length <= longestReason) return { at, reason }
  throw new RuntimeError('OPTIONS_INVALID', `reason: must be text of at most ${longestReason} characters`, {
    fields: { field: 'reason' },
  })
}

/** The pause of the workflow or, when it has none, that of the namespace. */
export async function pauseInForce(
  pauses: Pick<Pauses, 'get'>,
  workflow: string,
  signal: AbortSignal | undefined,
): Promise<WorkflowPause | undefined> {
  const [own, common] = await Promise.all([pauses.get(workflow, signal), pauses.get(undefined, signal)])
  const pause = own ?? common
  if (pause === undefined) return undefined
  const scope = own === undefined ? 'namespace' : 'workflow'
  return { at: new Date(pause.at), reason: pause.reason, scope }
}
