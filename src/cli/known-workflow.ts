import { workflowUnknown, type Client } from '../client/client.ts'

/**
 * Makes sure that some node has registered a workflow of that name.
 *
 * @throws RuntimeError `WORKFLOW_UNKNOWN`
 */
export async function requireWorkflow(client: Client, name: string): Promise<void> {
  const known = (await client.workflows()).map(workflow => workflow.name)
  if (!known.includes(name)) throw workflowUnknown(name, known)
}
