import { createActor, toPromise } from 'xstate'

import type { InputOf, OutputOf, Workflow } from './define-workflow.ts'

/** Runs the machine of a workflow as a live actor of XState, until it is done or the signal aborts. */
export async function runLive<TWorkflow extends Workflow>(
  workflow: TWorkflow,
  input: InputOf<TWorkflow>,
  signal: AbortSignal,
): Promise<OutputOf<TWorkflow>> {
  const actor = createActor(workflow.machine, { input })
  const stop = () => actor.stop()
  signal.addEventListener('abort', stop)
  const output = toPromise(actor)
  actor.start()
  try {
    return (await output) as OutputOf<TWorkflow>
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
