import type { BulkResult, BulkResults } from '../../actors/bulk.ts'
import type { StartEnvelope } from '../../actors/envelope.ts'
import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'
import { poolWorkflow } from '../../actors/pool.ts'
import type { Blobs, Inspection, Pauses, RecordFilter, ScannedRecord } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { InstanceStatus } from '../../actors/record.ts'
import { digest } from '../codec/digest.ts'
import type { Directory } from '../nats/transport.ts'
import { checkInstanceId, formatAddress } from '../workflow/address.ts'
import type { InputOf, Workflow } from '../workflow/define-workflow.ts'
import { parseDuration, type Duration } from '../workflow/duration.ts'
import { validate } from '../workflow/schema.ts'
import { readBulkResults } from './bulk-results.ts'
import { cancelAll, type CancelAllOptions, type CancelProgress } from './cancel-all.ts'
import { DeadLetters, type DeadLettersContext } from './dead-letters.ts'
import { settleEach, withEach, type IncidentsSettled } from './incidents.ts'
import { InstanceHandle, type ControlOptions, type HandleContext } from './instance-handle.ts'
import type { InstanceSnapshot } from './instance-snapshot.ts'
import { publishForOutcome } from './outcome.ts'
import { toPoolSnapshot, type PoolSnapshot } from './pool-snapshot.ts'
import { askNodes, type NodesOptions, type NodeSummary, type TreeOptions } from './supervision.ts'
import {
  pauseFrom,
  pauseInForce,
  type PauseWorkflowOptions,
  type WorkflowPause,
  type WorkflowSummary,
} from './workflow-pause.ts'
import { watchRecords } from './watch-records.ts'

export interface ClientContext extends HandleContext {
  readonly blobs: Blobs
  readonly deadLetters: DeadLettersContext['list']
  readonly directory: Pick<Directory, 'isRegistered' | 'isServed' | 'listWorkflows'>
  readonly inspection: Pick<Inspection, 'ask' | 'names'>
  readonly pauses: Pick<Pauses, 'get' | 'set'>
  close(): Promise<void>
}

export interface StartOptions {
  /** 1 to 256 bytes of UTF-8. Default a random one. */
  readonly id?: string
  /** What caused the start, for tracing. */
  readonly cause?: string
  readonly signal?: AbortSignal
  /** How long to wait with `until: 'accepted'`; default 10 s. */
  readonly timeout?: Duration
  /**
   * When it counts as started. `stored`, the default: it is in the inbox. It begins when a node takes it up, at once
   * or after the next deployment, and a start that the node then refuses becomes a dead letter. `accepted`: a node
   * has taken it up and committed it; what the node refuses is thrown.
   */
  readonly until?: 'accepted' | 'stored'
}

/** The input may be left out only where the machine needs none. */
export type WithInput<TWorkflow extends Workflow> =
  undefined extends InputOf<TWorkflow>
    ? { readonly input?: InputOf<TWorkflow> }
    : { readonly input: InputOf<TWorkflow> }

export interface ListFilter {
  readonly status?: InstanceStatus
  readonly workflow?: Workflow | string
}

/** Which suspended instances: all of them by default. */
export type IncidentFilter = Omit<ListFilter, 'status'>

/** One row of a list: what the headers of a record say. */
export interface InstanceSummary {
  readonly address: Address
  readonly revision: number
  readonly status: InstanceStatus
  /** Short state value, e.g. `paying.authorising`. */
  readonly state: string
  /** Type of the last event applied. */
  readonly event: string
  readonly version: number
  readonly updatedAt: Date
  /** The next moment something happens by itself. */
  readonly dueAt: Date | undefined
}

const watchCapacity = 4096

/** Starts, sends to, reads and watches instances. Needs no node in this process, and for reading none at all. */
export class Client implements AsyncDisposable {
  /** What could not be delivered or applied. */
  readonly deadLetters: DeadLetters
  readonly #context: ClientContext
  readonly #registered = new Set<string>()

  constructor(context: ClientContext) {
    this.#context = context
    this.deadLetters = new DeadLetters({ ...context, list: context.deadLetters })
  }

  /**
   * Starts an instance. Durable once resolved. The same id with the same input is the same start, however often.
   *
   * By definition, the input is checked here before anything is sent. By name, only the node can check it, so pass
   * `until: 'accepted'` to hear of it.
   *
   * @param workflow its definition, or its name when the definition is elsewhere
   * @throws RuntimeError `INSTANCE_EXISTS` when it was started with another input; `ID_INVALID`, `INPUT_INVALID`,
   * `PAYLOAD_TOO_LARGE`, `WORKFLOW_UNKNOWN` (by name only: no node has ever run it): nothing was started;
   * `STORE_UNAVAILABLE` when the outcome is unknown: start again with the same id. With `until: 'accepted'` any
   * other {@link Rejection} of the node, and `TIMEOUT` when none answered in time: the start is durable all the same
   */
  start<TWorkflow extends Workflow>(
    workflow: TWorkflow,
    ...options: undefined extends InputOf<TWorkflow>
      ? [options?: StartOptions & WithInput<TWorkflow>]
      : [options: StartOptions & WithInput<TWorkflow>]
  ): Promise<InstanceHandle<TWorkflow>>
  start(workflow: string, options?: StartOptions & { readonly input?: unknown }): Promise<InstanceHandle>
  async start(
    workflow: Workflow | string,
    options: StartOptions & { readonly input?: unknown } = {},
  ): Promise<InstanceHandle> {
    const { inbox, snapshots, clock, nextId } = this.#context
    const { id, input, cause, signal, until = 'stored' } = options
    const handle = this.instance(workflow, id ?? nextId())
    const target = handle.address
    if (typeof workflow === 'string') await this.#requireRegistered(workflow, signal)
    const schema = typeof workflow === 'string' ? undefined : workflow.inputSchema
    if (schema !== undefined) validate(schema, input, 'input')
    const inputDigest = digest(input, 'input')
    if (id !== undefined) {
      const existing = await snapshots.peek(target, signal)
      if (existing?.summary.inputDigest === inputDigest) return handle
      if (existing !== undefined) throw instanceExists(target)
    }
    const time = clock.now()
    const envelope = { type: 'start', id: nextId(), target, cause, time, input, inputDigest } as const
    if (until === 'stored') await inbox.publish(envelope, signal === undefined ? {} : { signal })
    else await this.#publishAccepted(envelope, options)
    return handle
  }

  /**
   * A handle on an instance that may or may not exist.
   *
   * @throws RuntimeError `ID_INVALID`
   */
  instance<TWorkflow extends Workflow>(workflow: TWorkflow | string, id: string): InstanceHandle<TWorkflow> {
    checkInstanceId(id)
    if (typeof workflow === 'string') return new InstanceHandle({ workflow, id }, this.#context)
    return new InstanceHandle({ workflow: workflow.name, id }, this.#context, workflow)
  }

  /** The instances there are, each once, in no order, from the headers of their records alone. */
  async *list(
    filter: ListFilter = {},
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<InstanceSummary> {
    const rows = this.#context.snapshots.list(toRecordFilter(filter), options.signal)
    for await (const row of rows) {
      if (filter.status === undefined || row.summary.status === filter.status) yield toInstanceSummary(row)
    }
  }

  /**
   * The instances there are, then each as it changes, until the reader stops or the signal aborts. A reader more
   * than 4096 commits behind misses the oldest of them. Waits while NATS cannot be reached.
   */
  watch<TWorkflow extends Workflow>(
    filter: ListFilter & { readonly workflow?: TWorkflow | string } = {},
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterableIterator<InstanceSnapshot<TWorkflow>> {
    return watchRecords(this.#context, toRecordFilter(filter), {
      capacity: watchCapacity,
      isLast: () => false,
      isWanted: stored => filter.status === undefined || stored.record.status === filter.status,
      signal: options.signal,
    })
  }

  /**
   * What came of each child of a bulk, in the order they ended. Give it the `results` of what the bulk answered. Waits
   * for results that are still on their way; what is in memory at a time does not depend on how many there are.
   *
   * @throws RuntimeError `ID_INVALID` when that is not where results lie; `STORE_UNAVAILABLE`; the signal's reason
   */
  bulkResults<TOutput>(
    results: BulkResults<TOutput>,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<BulkResult<TOutput>, void, undefined> {
    return readBulkResults(this.#context, results, options.signal)
  }

  /**
   * Cancels every instance there is that the filter lets through and that has not ended, as {@link InstanceHandle.cancel}
   * does, some at a time. Those that start meanwhile may be missed: call it again until it finds none. Abort stops it; what
   * has been sent by then is cancelled all the same.
   *
   * @returns what came of them, by their number; one that fails does not keep it from the others
   * @throws RuntimeError `OPTIONS_INVALID`; `STORE_UNAVAILABLE`, `PERMISSION_DENIED` when they cannot be listed; the
   * signal's reason
   */
  cancelAll(filter: ListFilter, options: CancelAllOptions = {}): Promise<CancelProgress> {
    const { status } = filter
    return cancelAll(this.#context, { ...toRecordFilter(filter), status }, options)
  }

  /**
   * Who holds permits of a pool, and how many wait; undefined when nobody has ever asked it for any.
   *
   * @throws RuntimeError `ID_INVALID`; `STORE_UNAVAILABLE`; the signal's reason
   */
  async pool(
    name: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<PoolSnapshot | undefined> {
    const address = { workflow: poolWorkflow, id: checkInstanceId(name) }
    const stored = await this.#context.snapshots.get(address, options.signal)
    return stored === undefined ? undefined : toPoolSnapshot(stored)
  }

  /** The names of the pools there are, in no order. */
  async *pools(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<string> {
    const rows = this.#context.snapshots.list({ workflow: poolWorkflow }, options.signal)
    for await (const { address } of rows) yield address.id
  }

  /**
   * The suspended instances there are, each once, in no order, as last committed. Reads up to 16 records at a time.
   *
   * @throws RuntimeError as `list`; a record that cannot be read: see `InstanceHandle.get`
   */
  async *incidents(
    filter: IncidentFilter = {},
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<InstanceSnapshot, void, undefined> {
    const read = ({ address }: InstanceSummary) => this.instance(address.workflow, address.id).get(options)
    for await (const snapshot of withEach(this.list({ ...filter, status: 'suspended' }, options), read)) {
      // Somebody may have dealt with it meanwhile.
      if (snapshot?.status === 'suspended') yield snapshot
    }
  }

  /**
   * Retries every suspended instance, up to 16 at a time: after a fixed workflow has been deployed.
   *
   * @throws RuntimeError as `InstanceHandle.retry`, but for those that are suspended again or are no longer suspended:
   * the others may not have been retried
   */
  retryAll(filter: IncidentFilter = {}, options: Omit<ControlOptions, 'id'> = {}): Promise<IncidentsSettled> {
    const suspended = this.list(
      { ...filter, status: 'suspended' },
      options.signal === undefined ? {} : { signal: options.signal },
    )
    return settleEach(suspended, ({ workflow, id }) => this.instance(workflow, id).retry(options))
  }

  /** The workflows that nodes of this namespace have registered, and which of them are paused. */
  async workflows(): Promise<readonly WorkflowSummary[]> {
    const registered = await this.#context.directory.listWorkflows()
    return Promise.all(
      registered.map(async workflow => ({ ...workflow, paused: await this.pauseOf(workflow.name) })),
    )
  }

  /**
   * Pauses all instances of a workflow, those that are started later too, until it is resumed. What they are sent is
   * accepted, and waits in order; their timers do not fire, and running activities are aborted. They can still be
   * paused, resumed and cancelled one by one. Costs one write. Resolved once it is stored; the nodes follow within
   * milliseconds. To pause a paused one gives it the new reason.
   *
   * @param workflow its definition, or its name when the definition is elsewhere
   * @throws RuntimeError `WORKFLOW_UNKNOWN` (by name only: no node has ever run it); `OPTIONS_INVALID` for a reason of
   * more than 1,024 characters; `PERMISSION_DENIED`; `STORE_UNAVAILABLE` when the outcome is unknown: pause again
   */
  async pauseWorkflow(workflow: Workflow | string, options: PauseWorkflowOptions = {}): Promise<void> {
    const name = await this.#knownName(workflow, options.signal)
    await this.#context.pauses.set(name, pauseFrom(options, this.#context.clock.now()))
  }

  /**
   * Lets the instances of a paused workflow go on, unless the namespace is paused or an instance is paused itself: what
   * has waited is applied in order, timers that are overdue fire once, and activities that were aborted run again as
   * another attempt. To resume one that is not paused changes nothing.
   *
   * @throws RuntimeError as `pauseWorkflow`
   */
  async resumeWorkflow(
    workflow: Workflow | string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    await this.#context.pauses.set(await this.#knownName(workflow, options.signal), undefined)
  }

  /**
   * Pauses every workflow of the namespace, as `pauseWorkflow` pauses one, and the pools. A workflow that was paused by itself stays so
   * when all are resumed.
   *
   * @throws RuntimeError as `pauseWorkflow`
   */
  async pauseAll(options: PauseWorkflowOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    await this.#context.pauses.set(undefined, pauseFrom(options, this.#context.clock.now()))
  }

  /**
   * Takes `pauseAll` back.
   *
   * @throws RuntimeError as `pauseWorkflow`
   */
  async resumeAll(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    options.signal?.throwIfAborted()
    await this.#context.pauses.set(undefined, undefined)
  }

  /**
   * Why the instances of a workflow do not run; undefined when it is not paused, and neither is the namespace.
   *
   * @throws RuntimeError `PERMISSION_DENIED`, `STORE_UNAVAILABLE`
   */
  pauseOf(
    workflow: Workflow | string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<WorkflowPause | undefined> {
    return pauseInForce(this.#context.pauses, nameOf(workflow), options.signal)
  }

  /**
   * The nodes that are alive, as each answers for itself. One that has said within a lease's time that it is alive, and
   * does not answer, is told as such.
   *
   * @throws RuntimeError `PERMISSION_DENIED`, `STORE_UNAVAILABLE`; the signal's reason
   */
  nodes(options: NodesOptions = {}): Promise<readonly NodeSummary[]> {
    return askNodes(this.#context.inspection, { ...options, depth: 'nodes' })
  }

  /**
   * The supervision tree: nodes, their partitions, the instances in memory, their activities. Of each partition some
   * instances are told, those with activities first: 1,000 of a node in all, at least 10 and at most 200 of a partition.
   *
   * @throws RuntimeError as `nodes`
   */
  tree(options: TreeOptions = {}): Promise<readonly NodeSummary[]> {
    return askNodes(this.#context.inspection, { ...options, depth: options.depth ?? 'activities' })
  }

  /** Stops watching and, when the connection is this client's own, closes it. */
  async close(): Promise<void> {
    await this.#context.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #publishAccepted(envelope: StartEnvelope, { signal, timeout = '10s' }: StartOptions): Promise<void> {
    const { inputDigest, target } = envelope
    const timeoutMs = parseDuration(timeout, 'timeout')
    try {
      const outcome = await publishForOutcome(this.#context, envelope, { signal, timeoutMs })
      if (outcome.type !== 'rejected') return
      throw new RuntimeError(outcome.code, outcome.message, { fields: { ...target, ...outcome.fields } })
    } catch (error) {
      if (!isRuntimeError(error, 'TIMEOUT')) throw error
      // An answer can be lost; the record cannot.
      const existing = await this.#context.snapshots.peek(target, signal)
      if (existing === undefined) throw error
      if (existing.summary.inputDigest !== inputDigest) throw instanceExists(target)
    }
  }

  async #knownName(workflow: Workflow | string, signal: AbortSignal | undefined): Promise<string> {
    signal?.throwIfAborted()
    if (typeof workflow === 'string') await this.#requireRegistered(workflow, signal)
    return nameOf(workflow)
  }

  /** What a node has registered once stays registered, so it is asked for once. */
  async #requireRegistered(name: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#registered.has(name)) return
    if (!(await this.#context.directory.isRegistered(name, signal))) {
      // The nearest server may be a moment behind.
      const known = await this.#workflowNames()
      if (known?.includes(name) !== true) throw workflowUnknown(name, known)
    }
    this.#registered.add(name)
  }

  /** Undefined for a user who may not list them. */
  async #workflowNames(): Promise<readonly string[] | undefined> {
    try {
      return (await this.#context.directory.listWorkflows()).map(({ name }) => name)
    } catch (error) {
      if (isRuntimeError(error, 'PERMISSION_DENIED')) return undefined
      throw error
    }
  }
}

function nameOf(workflow: Workflow | string): string {
  return typeof workflow === 'string' ? workflow : workflow.name
}

function toRecordFilter(filter: ListFilter): RecordFilter {
  const { workflow } = filter
  return { workflow: typeof workflow === 'object' ? workflow.name : workflow }
}

function toInstanceSummary(row: ScannedRecord): InstanceSummary {
  const { address, revision, time, summary } = row
  const { status, state, event, workflowVersion, dueAt } = summary
  return {
    address,
    revision,
    status,
    state,
    event,
    version: workflowVersion,
    updatedAt: new Date(time),
    dueAt: dueAt === undefined ? undefined : new Date(dueAt),
  }
}

/** @param known the workflows there are; undefined: not known */
export function workflowUnknown(name: string, known: readonly string[] | undefined): RuntimeError {
  const message = `there is no workflow '${name}'`
  if (known === undefined)
    return new RuntimeError('WORKFLOW_UNKNOWN', message, { fields: { workflow: name } })
  const names = known.length === 0 ? 'no node has registered any yet' : `known are ${known.join(', ')}`
  return new RuntimeError('WORKFLOW_UNKNOWN', `${message}: ${names}`, { fields: { workflow: name, known } })
}

function instanceExists(address: Address): RuntimeError {
  return new RuntimeError(
    'INSTANCE_EXISTS',
    `${formatAddress(address)} was started before, with another input: choose another id`,
    { fields: { ...address } },
  )
}
