import { prepareWorkflow, type PreparedWorkflow } from '../../actors/machine.ts'
import type { StandardSchema } from '../workflow/schema.ts'
import type { Workflow } from '../workflow/define-workflow.ts'

/** A workflow that this node runs. */
export interface HostedWorkflow {
  readonly prepared: PreparedWorkflow
  readonly inputSchema: StandardSchema | undefined
  readonly eventSchemas: Readonly<Record<string, StandardSchema>>
}

export function hostWorkflow(workflow: Workflow): HostedWorkflow {
  const { inputSchema, eventSchemas } = workflow
  return { prepared: prepareWorkflow(workflow), inputSchema, eventSchemas }
}
