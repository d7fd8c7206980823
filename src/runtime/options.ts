import { hostname } from 'node:os'

import { RuntimeError } from '../../actors/errors.ts'
import { connectionOptionNames, type ConnectionOptions } from '../nats/transport.ts'
import { isWorkflow, type Workflow } from '../workflow/define-workflow.ts'
import { parseDuration, type Duration } from '../workflow/duration.ts'
import { unknownOptions } from '../workflow/unknown-options.ts'
import { isLogOption, logOptionForm, type LogOption } from './log.ts'

export interface NodeOptions extends ConnectionOptions {
  /** What bounds the attempts of `activity()` on this node, whatever their type. */
  readonly activities?: NodeActivityOptions
  /** How long `stop()` lets turns finish before it leaves them to the next owner. Default 30 s. */
  readonly drainTimeout?: Duration
  /**
   * How long a lease lasts without renewal, 1 s to 5 min: other nodes take over a dead one's partitions after
   * this time. Fixed when the namespace is created. Default 10 s.
   */
  readonly leaseTtl?: Duration
  /**
   * How many instances rest in memory, so that what comes next for them need not read their records: a whole number from
   * 1. Those that have rested longest leave first. Default 4096.
   */
  readonly maxResting?: number
  /** A pino logger, or the level of one that writes to standard error. Default `warn`. */
  readonly log?: LogOption
  /**
   * Name of this node, unique among the nodes alive. A node that restarts under its old name takes its
   * partitions back at once. Default the host's name and a random part.
   */
  readonly name?: string
  /** Keeps runtimes that share an account apart. Letters, digits, `_` and `-`, at most 32. Default `default`. */
  readonly namespace?: string
  /** How many shares the instances are divided into, 1 to 512. Fixed when the namespace is created. Default 32. */
  readonly partitions?: number
  /** How long an instance stays in memory without a turn. Default 30 s. */
  readonly passivateAfter?: Duration
  /** Copies of every record in a NATS cluster: 1, 3 or 5. Used when the namespace is created. Default 1. */
  readonly replicas?: number
  /** What this node runs. */
  readonly workflows: readonly Workflow[]
}

export interface NodeActivityOptions {
  /** How many attempts run at a time: a whole number from 1. Default: as many as like. */
  readonly concurrency?: number
}

/** Options with every default filled in and every duration in milliseconds. */
export interface ResolvedNodeOptions {
  /** Infinity: as many as like. */
  readonly activityConcurrency: number
  readonly connection: ConnectionOptions
  readonly drainTimeoutMs: number
  readonly leaseTtlMs: number
  readonly log: LogOption
  readonly maxResting: number
  readonly name: string
  readonly namespace: string
  readonly partitions: number | undefined
  readonly passivateAfterMs: number
  readonly replicas: number
  readonly workflows: readonly Workflow[]
}

const optionNames: readonly string[] = [
  'activities',
  'drainTimeout',
  'leaseTtl',
  'log',
  'maxResting',
  'name',
  'namespace',
  'partitions',
  'passivateAfter',
  'replicas',
  'workflows',
  ...connectionOptionNames,
] satisfies (keyof NodeOptions)[]

const defaults = Object.freeze({
  drainTimeout: '30s',
  leaseTtl: '10s',
  log: 'warn',
  maxResting: 4096,
  namespace: 'default',
  passivateAfter: '30s',
  replicas: 1,
} as const)

/**
 * Fills in defaults and checks everything.
 *
 * @throws RuntimeError `OPTIONS_INVALID` listing all that is wrong
 */
export function resolveNodeOptions(options: NodeOptions, randomPart: string): ResolvedNodeOptions {
  const { drainTimeout, leaseTtl, log, maxResting, namespace, passivateAfter, replicas } = {
    ...defaults,
    ...options,
  }
  const { activities, name, partitions, workflows, ...rest } = options
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
  const drainTimeoutMs = duration(drainTimeout, 'drainTimeout')
  const leaseTtlMs = duration(leaseTtl, 'leaseTtl')
  const passivateAfterMs = duration(passivateAfter, 'passivateAfter')
  if (leaseTtlMs < 1000 || leaseTtlMs > 300_000) problems.push('leaseTtl: must be 1 s to 5 min')
  problems.push(...activityProblems(activities))
  if (!isWhole(maxResting, 1, Number.MAX_SAFE_INTEGER)) {
    problems.push(`maxResting: must be a whole number from 1, not ${String(maxResting)}`)
  }
  if (partitions !== undefined && !isWhole(partitions, 1, 512)) {
    problems.push(`partitions: must be a whole number from 1 to 512, not ${partitions}`)
  }
  if (![1, 3, 5].includes(replicas)) problems.push(`replicas: must be 1, 3 or 5, not ${replicas}`)
  if (name !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
    problems.push('name: must be 1 to 64 letters, digits, "_" or "-"')
  }
  problems.push(...workflowProblems(workflows))
  if (problems.length > 0) {
    throw new RuntimeError('OPTIONS_INVALID', `createNode: ${problems.join('; ')}`, { fields: { problems } })
  }
  return {
    activityConcurrency: activities?.concurrency ?? Infinity,
    connection: rest,
    drainTimeoutMs,
    leaseTtlMs,
    log,
    maxResting,
    name:
      name ??
      `${hostname()
        .replaceAll(/[^A-Za-z0-9_-]/g, '-')
        .slice(0, 48)}-${randomPart}`,
    namespace,
    partitions,
    passivateAfterMs,
    replicas,
    workflows,
  }
}

function activityProblems(activities: NodeActivityOptions | undefined): string[] {
  if (activities === undefined) return []
  if (typeof activities !== 'object' || activities === null) return ['activities: must be an object']
  const { concurrency } = activities
  const problems = unknownOptions(activities, ['concurrency'], 'activities.')
  if (concurrency !== undefined && !isWhole(concurrency, 1, Number.MAX_SAFE_INTEGER)) {
    problems.push(`activities.concurrency: must be a whole number from 1, not ${String(concurrency)}`)
  }
  return problems
}

function workflowProblems(workflows: readonly Workflow[]): string[] {
  if (!Array.isArray(workflows) || workflows.length === 0) {
    return ['workflows: must be a list of at least one defineWorkflow() result']
  }
  const foreign = workflows.flatMap((workflow: unknown, index) =>
    isWorkflow(workflow) ? [] : [`workflows[${index}]: must be what defineWorkflow() answers`],
  )
  if (foreign.length > 0) return foreign
  const names = workflows.map(workflow => workflow.name)
  const repeated = names.filter((workflowName, index) => names.indexOf(workflowName) !== index)
  return repeated.map(workflowName => `workflows: '${workflowName}' is there twice`)
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}
