import { inspect } from 'node:util'
import type { PromiseActorLogic } from 'xstate'
import type { ActivityContext } from '../../actors/activity.ts'
import { RuntimeError } from '../../actors/errors.ts'
import { remoteSpecKey, type RemoteSpec, type TaskFormat } from '../../actors/remote-activity.ts'
import { activity } from './activity.ts'
import { optionProblems } from './activity-options.ts'
import type { ActivityOptions, RetryOptions, TimeoutOptions } from './activity-options.ts'
import type { PooledOptions } from './activity-pool.ts'
import { isName } from './address.ts'
import type { QueueingOptions } from './queueing-options.ts'

export interface RemoteActivityOptions<TInput = unknown> extends PooledOptions {
  /**
   * How its workers are asked. `msgpack`, the default: the input arrives as it is. `json`: for workers in other
   * languages; the input arrives as JSON writes it, so without `undefined`, and dates as text.
   */
  readonly format?: TaskFormat
  /** What its workers ask for: letters, digits, underscores and hyphens. */
  readonly name: string
  /** Of an attempt that waits for a permit of the `pool`: 1, served first, to 5, or a function of the input. Default 3. */
  readonly priority?: NonNullable<QueueingOptions<TInput>['priority']>
  /** When to try again. Absent: one attempt, and its error goes to the machine, as in XState. */
  readonly retry?: RetryOptions
  /**
   * `attempt`: how long an attempt may take until its result arrives, the wait for a worker included; the moment is kept
   * in the record. `heartbeat`: how long a worker that has begun may go without one; best several seconds. `total`: as for
   * any activity. Default for ever. That a worker dies needs no timeout: another one gets the task.
   */
  readonly timeout?: RemoteTimeoutOptions
}

/** A task waits for no slot of a node. The heartbeat timeout counts from when a worker has said that it has begun. */
export type RemoteTimeoutOptions = Omit<TimeoutOptions, 'queue'>

/** What a worker hands to whoever does the work. */
export interface TaskContext<TInput = unknown> extends ActivityContext<TInput> {
  /**
   * Says that it is alive; `timeout.heartbeat` is how long it may go without. Told to its node at most once a second, or
   * three times within the timeout, if that is more often; without that timeout not at all.
   *
   * With details, says how far it is as well: the next attempt, or the next worker, if this one dies, finds the newest of
   * them in `lastHeartbeat`. They are stored once a second at most, so they are anything that a context may hold, best
   * small, and not to be changed afterwards. A second or two of them may be lost when the worker or its node dies, none
   * when the handler throws. The attempt fails if they cannot be sent. Nothing happens once the attempt is over.
   */
  readonly heartbeat: (details?: unknown) => void
}

/** Does an activity in a worker: see `createWorker`. */
export type ActivityHandler<TInput, TOutput = unknown> = (context: TaskContext<TInput>) => Promise<TOutput>

/** The handler that does what a `remoteActivity()` asks for. */
export type HandlerOf<TLogic> =
  TLogic extends PromiseActorLogic<infer TOutput, infer TInput> ? ActivityHandler<TInput, TOutput> : never

/** No further attempt cures it: each would kill as many workers again. */
const neverRetried = 'DELIVERIES_EXCEEDED'

/**
 * Makes actor logic for work that is done by workers in other processes, in any language; invoke it like any promise
 * logic. See `createWorker`, and src/codec/task.ts for what travels.
 *
 * A node asks for each attempt once and runs nothing itself: its instance may leave memory meanwhile. The attempt may run
 * more than once, when a worker dies; one result counts. Leaving the invoking state takes the task back and aborts the
 * worker's signal. In plain XState (`createActor`) there is no worker, so it fails.
 *
 * @throws RuntimeError `OPTIONS_INVALID` listing everything wrong with the options, in the message and in
 * `fields.problems`
 */
export function remoteActivity<TInput, TOutput>(
  options: RemoteActivityOptions<TInput>,
): PromiseActorLogic<TOutput, TInput> {
  const problems = remoteProblems(options)
  if (problems.length > 0) {
    const heading = `remote activity ${isName(options?.name) ? `'${options.name}'` : 'options'}`
    throw new RuntimeError('OPTIONS_INVALID', `${heading}: ${problems.join('; ')}`, { fields: { problems } })
  }

  const { format = 'msgpack', name } = options
  const logic = activity<TInput, TOutput>(localForm(options))
  const spec: RemoteSpec = Object.freeze({ format, name })
  return Object.assign(logic, { [remoteSpecKey]: spec })
}

/** As an activity of a node: it fails there, because only workers do it. */
function localForm<TInput, TOutput>(
  options: RemoteActivityOptions<TInput>,
): ActivityOptions<TInput, TOutput> {
  const { format: _, retry, ...others } = options
  const run = () => Promise.reject(workersOnly(options.name))
  if (retry === undefined) return { ...others, run }
  return { ...others, retry: { ...retry, nonRetryable: withNever(retry.nonRetryable) }, run }
}

function withNever(given: RetryOptions['nonRetryable'] = []): NonNullable<RetryOptions['nonRetryable']> {
  if (typeof given !== 'function') return [...given, neverRetried]
  return error => (error as { readonly code?: unknown } | undefined)?.code === neverRetried || given(error)
}

function workersOnly(name: string): RuntimeError {
  return new RuntimeError('ACTIVITY_FAILED', `activity '${name}' is done by workers, for instances on a node`)
}

function remoteProblems(options: RemoteActivityOptions<never>): string[] {
  const { format, name, pool, priority, retry, timeout, ...others } = options ?? {}
  const run = async () => {}
  const problems = optionProblems({
    name,
    run,
    ...(pool !== undefined && { pool }),
    ...(priority !== undefined && { priority }),
    ...(retry && { retry }),
    ...(timeout && { timeout }),
  })
  for (const field of Object.keys(others)) {
    problems.push(`${field} is not an option; there are format, name, pool, priority, retry, timeout`)
  }
  if (pool === undefined && priority !== undefined) {
    problems.push('priority is not an option here without a pool: workers take tasks in the order they came')
  }
  if (timeout !== undefined && 'queue' in timeout) {
    problems.push(
      'timeout.queue is not an option here: no slot is waited for; timeout.attempt bounds the wait',
    )
  }
  if (format !== undefined && format !== 'json' && format !== 'msgpack') {
    problems.push(`format must be 'json' or 'msgpack'; got ${inspect(format)}`)
  }
  return problems
}
