import { setMaxListeners } from 'node:events'

import { fromPromise } from 'xstate'
import type { PromiseActorLogic } from 'xstate'

import {
  bulkSpecKey,
  countItems,
  firstFailure,
  type BulkItems,
  type BulkOutcome,
  type BulkSpec,
} from '../../actors/bulk.ts'
import { RuntimeError } from '../../actors/errors.ts'
import type { InputOf, OutputOf, Workflow } from './define-workflow.ts'
import { runLive } from './run-live.ts'

export interface BulkOptions<TInput, TItem> {
  /** How many children run at a time, 1 to 1000. The next one starts as soon as one is over. Default 100. */
  readonly concurrency?: number
  /** Whether the first failure cancels the other children and fails the whole. Default false: failures are results. */
  readonly failFast?: boolean
  /**
   * What the children are given, made from what the bulk is given: an array, or anything with a `length` and
   * `at(index)`, so that a hundred thousand of them need not exist at once. It is asked again after a crash, so it must
   * give the same answers.
   */
  readonly items: (input: TInput) => BulkItems<TItem>
}

const mostConcurrency = 1000

/**
 * Actor logic that runs a workflow once for each of many items, as instances of their own; invoke it like any promise
 * logic.
 *
 * When all children are over, `xstate.done.actor.<id>` brings how many succeeded and failed, and where their results lie:
 * see `client.bulkResults()`. A child that cannot start has failed. Leaving the invoking state cancels those that run.
 * With `failFast` the first failure cancels them and arrives as `xstate.error.actor.<id>`, the child's error as its
 * `cause`. The snapshot of the parent shows the progress as `bulk` of the activity.
 *
 * In plain XState (`createActor`) the machines run as live actors, as many at a time, and no results are kept.
 *
 * @throws RuntimeError `OPTIONS_INVALID`
 */
export function bulk<TWorkflow extends Workflow, TInput = unknown>(
  workflow: TWorkflow,
  options: BulkOptions<TInput, InputOf<TWorkflow>>,
): PromiseActorLogic<BulkOutcome<OutputOf<TWorkflow>>, TInput> {
  const { concurrency = 100, failFast = false, items } = options
  check(
    'concurrency',
    isWhole(concurrency, 1, mostConcurrency),
    `a whole number from 1 to ${mostConcurrency}`,
  )
  check('items', typeof items === 'function', 'a function that answers an array, or { length, at(index) }')
  const spec: BulkSpec = Object.freeze({
    workflow: workflow.name,
    concurrency,
    isFailFast: failFast,
    // What the machine hands over is what the types of its `invoke` let through.
    items: (input: unknown) => items(input as TInput),
  })
  const logic = fromPromise<BulkOutcome<OutputOf<TWorkflow>>, TInput>(({ input, signal }) =>
    runAllLive(workflow, spec, items(input), signal),
  )
  return Object.assign(logic, { [bulkSpecKey]: spec })
}

/** As the runtime does it, with nothing kept. */
async function runAllLive<TWorkflow extends Workflow>(
  workflow: TWorkflow,
  { concurrency, isFailFast }: BulkSpec,
  items: BulkItems<InputOf<TWorkflow>>,
  signal: AbortSignal,
): Promise<BulkOutcome<OutputOf<TWorkflow>>> {
  const total = countItems(items)
  const ending = new AbortController()
  const over = AbortSignal.any([signal, ending.signal])
  // One for each child that runs.
  setMaxListeners(0, over)
  let started = 0
  let failed = 0
  const runNext = async () => {
    while (started < total && !over.aborted) {
      const index = started++
      try {
        await runLive(workflow, items.at(index) as InputOf<TWorkflow>, over)
      } catch (error) {
        failed++
        if (isFailFast) throw firstFailure(workflow.name, index, error)
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(concurrency, total) }, runNext))
  } finally {
    ending.abort()
  }
  return { total, succeeded: total - failed, failed, results: { key: '', chunks: 0 } }
}

function check(field: string, isValid: boolean, allowed: string): void {
  if (!isValid)
    throw new RuntimeError('OPTIONS_INVALID', `bulk: ${field} must be ${allowed}`, { fields: { field } })
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}
