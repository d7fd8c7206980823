import { randomUUID } from 'node:crypto'
import { fromPromise } from 'xstate'
import type { PromiseActorLogic } from 'xstate'
import { activitySpecKey } from '../../actors/activity.ts'
import type { ActivityContext, ActivityLog, ActivitySpec } from '../../actors/activity.ts'
import { RuntimeError } from '../../actors/errors.ts'
import { optionProblems, resolveRestart, resolveRetry, resolveTimeouts } from './activity-options.ts'
import type { ActivityOptions } from './activity-options.ts'
import { resolvePooled } from './activity-pool.ts'
import { isName } from './address.ts'
import { resolveQueueing } from './queueing-options.ts'

/**
 * Makes actor logic out of a function that works outside the machine; invoke it like any promise logic.
 *
 * A node runs it with the retries, timeouts and limits asked for. In plain XState (`createActor`) it runs once and
 * without any: `attempt` is 1, the idempotency key is random, the log is silent.
 *
 * @throws RuntimeError `OPTIONS_INVALID` listing everything wrong with the options, in the message and in
 * `fields.problems`
 */
export function activity<TInput, TOutput>(
  options: ActivityOptions<TInput, TOutput>,
): PromiseActorLogic<TOutput, TInput> {
  const problems = optionProblems(options)
  if (problems.length > 0) {
    const heading = `activity ${isName(options?.name) ? `'${options.name}'` : 'options'}`
    throw new RuntimeError('OPTIONS_INVALID', `${heading}: ${problems.join('; ')}`, { fields: { problems } })
  }

  const { name, run } = options
  const queueing = resolveQueueing(options)
  const spec: ActivitySpec = Object.freeze({
    name,
    retry: resolveRetry(options.retry),
    restart: resolveRestart(options.restart),
    ...resolveTimeouts(options.timeout),
    queueing,
    pool: resolvePooled(options, options.timeout?.pool, queueing),
    run: (context: ActivityContext) => run(context as ActivityContext<TInput>),
  })
  const logic = fromPromise<TOutput, TInput>(async ({ input, signal }) =>
    // A random key, because a counter would repeat after a restart and make a foreign system drop new work.
    run({
      attempt: 1,
      heartbeat() {},
      idempotencyKey: `local/${name}/${randomUUID()}`,
      input,
      lastHeartbeat: undefined,
      log: silentLog,
      signal,
    }),
  )
  return Object.assign(logic, { [activitySpecKey]: spec })
}

const silentLog: ActivityLog = Object.freeze({ debug() {}, info() {}, warn() {}, error() {} })
