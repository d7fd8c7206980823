import { fromPromise } from 'xstate'
import type { PromiseActorLogic } from 'xstate'

import { childSpecKey, type ChildSpec } from '../../actors/child-workflow.ts'
import type { InputOf, OutputOf, Workflow } from './define-workflow.ts'
import { runLive } from './run-live.ts'

export interface ChildWorkflowOptions {
  /** Whether the child goes on when the state that invoked it is left, or its parent ends. Default false. */
  readonly detached?: boolean
}

/**
 * Actor logic that runs another workflow as an instance of its own; invoke it like any promise logic.
 *
 * The child's output arrives as `xstate.done.actor.<id>`, its failure as `xstate.error.actor.<id>`, whatever crashes in
 * between. Leaving the invoking state cancels the child, unless it is detached. Children nest up to 32 deep; one more
 * fails with `DEPTH_EXCEEDED`.
 *
 * In plain XState (`createActor`) the machine of the workflow runs as a live actor.
 */
export function childWorkflow<TWorkflow extends Workflow>(
  workflow: TWorkflow,
  options: ChildWorkflowOptions = {},
): PromiseActorLogic<OutputOf<TWorkflow>, InputOf<TWorkflow>> {
  const spec: ChildSpec = Object.freeze({ workflow: workflow.name, isDetached: options.detached ?? false })
  const logic = fromPromise<OutputOf<TWorkflow>, InputOf<TWorkflow>>(({ input, signal }) =>
    runLive(workflow, input, signal),
  )
  return Object.assign(logic, { [childSpecKey]: spec })
}
