import { RuntimeError } from '../../actors/errors.ts'
import type { RecordFilter, ScannedRecord } from '../../actors/ports.ts'
import type { Address, InstanceStatus } from '../../actors/record.ts'
import { digest } from '../codec/digest.ts'
import type { Directory, RegisteredWorkflow } from '../nats/transport.ts'
import { checkInstanceId, formatAddress } from '../workflow/address.ts'
import type { InputOf, Workflow } from '../workflow/define-workflow.ts'
import { validate } from '../workflow/schema.ts'
import { InstanceHandle, type HandleContext } from './instance-handle.ts'
import type { InstanceSnapshot } from './instance-snapshot.ts'
import { watchRecords } from './watch-records.ts'

export interface ClientContext extends HandleContext {
  readonly directory: Pick<Directory, 'listWorkflows'>
  close(): Promise<void>
}

export interface StartOptions {
  /** 1 to 256 bytes of UTF-8. Default a random one. */
  readonly id?: string
  /** What caused the start, for tracing. */
  readonly cause?: string
  readonly signal?: AbortSignal
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
  readonly #context: ClientContext

  constructor(context: ClientContext) {
    this.#context = context
  }

  /**
   * Starts an instance. Durable once resolved. The same id with the same input is the same start, however often.
   *
   * @param workflow its definition, or its name when the definition is elsewhere
   * @throws RuntimeError `INSTANCE_EXISTS` when it was started with another input; `ID_INVALID`, `INPUT_INVALID`,
   * `PAYLOAD_TOO_LARGE`, `WORKFLOW_UNKNOWN` (by name only: no node has ever run it): nothing was started;
   * `STORE_UNAVAILABLE` when the outcome is unknown: start again with the same id
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
    const { id, input, cause, signal } = options
    const handle = this.instance(workflow, id ?? nextId())
    const target = handle.address
    if (typeof workflow === 'string') await this.#checkKnown(workflow)
    const schema = typeof workflow === 'string' ? undefined : workflow.inputSchema
    if (schema !== undefined) validate(schema, input, 'input')
    const inputDigest = digest(input)
    if (id !== undefined) {
      const existing = await snapshots.peek(target, signal)
      if (existing?.summary.inputDigest === inputDigest) return handle
      if (existing !== undefined) throw instanceExists(target)
    }
    const envelope = { id: nextId(), target, cause, time: clock.now() }
    await inbox.publish(
      { type: 'start', ...envelope, input, inputDigest },
      signal === undefined ? {} : { signal },
    )
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

  /** The instances there are, in no order, from the headers of their records alone. */
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
   * than 4096 commits behind misses the oldest of them.
   */
  watch(
    filter: ListFilter = {},
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterableIterator<InstanceSnapshot> {
    return watchRecords(this.#context.snapshots, toRecordFilter(filter), {
      capacity: watchCapacity,
      isLast: () => false,
      isWanted: stored => filter.status === undefined || stored.record.status === filter.status,
      signal: options.signal,
    })
  }

  /** The workflows that nodes of this namespace have registered. */
  workflows(): Promise<readonly RegisteredWorkflow[]> {
    return this.#context.directory.listWorkflows()
  }

  /** Stops watching and, when the connection is this client's own, closes it. */
  async close(): Promise<void> {
    await this.#context.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #checkKnown(name: string): Promise<void> {
    const known = (await this.workflows()).map(workflow => workflow.name)
    if (known.includes(name)) return
    const hint = known.length === 0 ? 'no node has registered any yet' : `known are ${known.join(', ')}`
    throw new RuntimeError('WORKFLOW_UNKNOWN', `there is no workflow '${name}': ${hint}`, {
      fields: { workflow: name, known },
    })
  }
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

function instanceExists(address: Address): RuntimeError {
  return new RuntimeError(
    'INSTANCE_EXISTS',
    `${formatAddress(address)} was started before, with another input: choose another id`,
    { fields: { ...address } },
  )
}
