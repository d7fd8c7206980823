import { RuntimeError } from '../../actors/errors.ts'
import { connectionOptionNames, type ConnectionOptions } from '../nats/transport.ts'
import { isName, nameForm } from '../workflow/address.ts'
import { parseDuration, type Duration } from '../workflow/duration.ts'
import type { ActivityHandler } from '../workflow/remote-activity.ts'
import { unknownOptions } from '../workflow/unknown-options.ts'
import { isLogOption, logOptionForm, type LogOption } from './log.ts'

/** The handlers of a worker, by the name of the activity that each does. */
export type ActivityHandlers<TInputs> = {
  readonly [TName in keyof TInputs]: ActivityHandler<TInputs[TName]>
}

export interface WorkerOptions<TInputs> extends ConnectionOptions {
  /**
   * How long after a worker has died another one gets its task, 100 ms to 1 h. A worker that lives renews it three times
   * as often; one that blocks its event loop for longer counts as dead. Fixed by the first worker of an activity.
   * Default 30 s.
   */
  readonly ackWait?: Duration
  /** What this worker does, by name. */
  readonly activities: ActivityHandlers<TInputs>
  /** The most tasks of each activity at a time, 1 to 10,000. Default 10. */
  readonly concurrency?: number
  /** How long `stop()` lets tasks finish before it gives them back. Default 30 s. */
  readonly drainTimeout?: Duration
  /**
   * How long a handler may go on once its signal was aborted because nobody wants the task any more. Then it is abandoned:
   * another task takes its place. Default 10 s.
   */
  readonly grace?: Duration
  /** A pino logger, or the level of one that writes to standard error. Default `warn`. */
  readonly log?: LogOption
  /**
   * How often a task may be handed to workers, 1 to 1,000: one that comes again after that has killed a worker each time,
   * or was given back. It is kept among the dead letters and its activity fails with `DELIVERIES_EXCEEDED`. Default 5.
   */
  readonly maxDeliveries?: number
  /** The namespace of the nodes it works for. Default `default`. */
  readonly namespace?: string
}

/** A handler of which nobody needs to know what it takes. */
export type AnyHandler = ActivityHandler<never>

/** Options with every default filled in and every duration in milliseconds. */
export interface ResolvedWorkerOptions {
  readonly ackWaitMs: number
  readonly connection: ConnectionOptions
  readonly concurrency: number
  readonly drainTimeoutMs: number
  readonly graceMs: number
  readonly handlers: ReadonlyMap<string, AnyHandler>
  readonly log: LogOption
  readonly maxDeliveries: number
  readonly namespace: string
}

const optionNames: readonly string[] = [
  'ackWait',
  'activities',
  'concurrency',
  'drainTimeout',
  'grace',
  'log',
  'maxDeliveries',
  'namespace',
  ...connectionOptionNames,
] satisfies (keyof WorkerOptions<never>)[]

const defaults = Object.freeze({
  ackWait: '30s',
  concurrency: 10,
  drainTimeout: '30s',
  grace: '10s',
  log: 'warn',
  maxDeliveries: 5,
  namespace: 'default',
} as const)

/**
 * Fills in defaults and checks everything.
 *
 * @throws RuntimeError `OPTIONS_INVALID` listing all that is wrong
 */
export function resolveWorkerOptions<TInputs>(options: WorkerOptions<TInputs>): ResolvedWorkerOptions {
  const {
    ackWait,
    activities,
    concurrency,
    drainTimeout,
    grace,
    log,
    maxDeliveries,
    namespace,
    ...connection
  } = { ...defaults, ...options }
  const problems = unknownOptions(options, optionNames)
  if (!isLogOption(log)) problems.push(`log: must be ${logOptionForm}`)
  const duration = (value: Duration, field: string) => {
    try {
      return parseDuration(value, field)
    } catch (error) {
      problems.push((error as Error).message)
      return 0
    }
  }
  const checkWhole = (field: string, value: number, most: number) => {
    if (Number.isInteger(value) && value >= 1 && value <= most) return
    problems.push(`${field}: must be a whole number from 1 to ${most}, not ${value}`)
  }
  const ackWaitMs = duration(ackWait, 'ackWait')
  const drainTimeoutMs = duration(drainTimeout, 'drainTimeout')
  const graceMs = duration(grace, 'grace')
  if (ackWaitMs < 100 || ackWaitMs > 3_600_000) problems.push('ackWait: must be 100 ms to 1 h')
  checkWhole('concurrency', concurrency, 10_000)
  checkWhole('maxDeliveries', maxDeliveries, 1_000)
  const handlers = new Map(Object.entries((activities ?? {}) as Readonly<Record<string, AnyHandler>>))
  if (handlers.size === 0) problems.push('activities: must be an object with at least one handler')
  for (const [name, handler] of handlers) {
    if (!isName(name)) problems.push(`activities: a name is ${nameForm}; got '${name}'`)
    if (typeof handler !== 'function') problems.push(`activities.${name}: must be a function`)
  }
  if (problems.length > 0) {
    throw new RuntimeError('OPTIONS_INVALID', `createWorker: ${problems.join('; ')}`, {
      fields: { problems },
    })
  }
  return {
    ackWaitMs,
    connection,
    concurrency,
    drainTimeoutMs,
    graceMs,
    handlers,
    log,
    maxDeliveries,
    namespace,
  }
}
