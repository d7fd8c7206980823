import { checkEvent } from '../../actors/event.ts'
import type {
  ControlEnvelope,
  Envelope,
  EnvelopeBase,
  Refusal,
  SourcePosition,
} from '../../actors/envelope.ts'
import { RuntimeError } from '../../actors/errors.ts'
import type { Clock, Hints, Inbox, Snapshots } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { EventObject } from '../../actors/event.ts'
import { messageOf } from '../../actors/plain-error.ts'
import { isFinal } from '../../actors/record.ts'
import type { Directory } from '../nats/transport.ts'
import { onAbort } from '../nats/wait.ts'
import { formatAddress } from '../workflow/address.ts'
import type { ContextOf, EventOf, OutputOf, Workflow } from '../workflow/define-workflow.ts'
import { parseDuration, type Duration } from '../workflow/duration.ts'
import { validate } from '../workflow/schema.ts'
import { cancelInstance, type CancelOptions, type CancelOutcome } from './cancel.ts'
import { edit, type EditedState } from './edit.ts'
import { toInstanceSnapshot, type InstanceSnapshot } from './instance-snapshot.ts'
import { publishForOutcome, type OutcomeContext } from './outcome.ts'
import { watchRecords } from './watch-records.ts'

/** What became of an event: what the instance looked like after the turn that took it, or why it was not taken. */
export type UpdateOutcome<TWorkflow extends Workflow = Workflow> =
  | {
      /**
       * `ignored`: the instance took the event and had no transition for it. `suspended`: the step has thrown. The event is
       * kept, to be stepped again when somebody retries; do not send it again. `repeated`: see {@link InstanceHandle.update}.
       */
      readonly type: 'accepted' | 'ignored' | 'repeated' | 'suspended'
      readonly revision: number
      readonly snapshot: Pick<InstanceSnapshot<TWorkflow>, 'value' | 'context' | 'output' | 'error'>
    }
  | Refusal

export interface SendOptions {
  /** What caused the event, for tracing. */
  readonly cause?: string
  /** An instance applies the same id once, so a sender that may repeat itself gives its own. Default: a unique one. */
  readonly id?: string
  readonly signal?: AbortSignal
  /** Where the event stands in the ordered source it came from: a replay of the source changes nothing. */
  readonly source?: SourcePosition
}

export interface WaitOptions {
  readonly signal?: AbortSignal
  /** How long to wait; default as long as it takes. */
  readonly timeout?: Duration
}

export interface UpdateOptions extends SendOptions {
  /** How long to wait for the outcome; default 10 s. */
  readonly timeout?: Duration
}

export interface ControlOptions {
  /** An instance applies the same id once, so a caller that may repeat itself gives its own. Default: a unique one. */
  readonly id?: string
  readonly signal?: AbortSignal
  /** How long to wait until a node has done it; default 10 s. */
  readonly timeout?: Duration
}

export interface PauseOptions extends ControlOptions {
  /** For people. Up to 1,024 characters. */
  readonly reason?: string
}

export interface FailOptions extends ControlOptions {
  /**
   * Why, for people: then the instance fails with a `WORKFLOW_FAILED` that says so, with the error of the incident as its
   * cause. Up to 1,024 characters. Default: it fails with the error of the incident.
   */
  readonly reason?: string
}

/** The state of an instance that can be edited. */
export type EditOf<TWorkflow extends Workflow> = EditedState<
  InstanceSnapshot<TWorkflow>['value'],
  ContextOf<TWorkflow>
>

/** A control envelope without what every envelope has. */
type ControlMessage = ControlEnvelope extends infer TEnvelope
  ? TEnvelope extends ControlEnvelope
    ? Omit<TEnvelope, keyof EnvelopeBase>
    : never
  : never

const watchCapacity = 256

export interface HandleContext extends OutcomeContext {
  readonly directory: Pick<Directory, 'isServed'>
  readonly hints: Pick<Hints, 'send'>
  readonly inbox: Inbox
  readonly snapshots: Snapshots
  readonly clock: Clock
  readonly nextId: () => string
}

/** One instance, from anywhere: the node that runs it may be elsewhere or, for reading, nowhere. */
export class InstanceHandle<TWorkflow extends Workflow = Workflow> {
  readonly address: Address
  readonly #context: HandleContext
  /** Undefined when the workflow is known by name only: then events are checked by the node alone. */
  readonly #workflow: TWorkflow | undefined

  constructor(address: Address, context: HandleContext, workflow?: TWorkflow) {
    this.address = address
    this.#context = context
    this.#workflow = workflow
  }

  /**
   * Sends an event. Durable once resolved: it will be applied exactly once, whatever crashes.
   *
   * @throws RuntimeError `EVENT_INVALID`, `EVENT_RESERVED`, `PAYLOAD_TOO_LARGE`: nothing was sent;
   * `STORE_UNAVAILABLE` when the outcome is unknown: send again with the same `id`
   */
  async send(event: EventOf<TWorkflow>, options: SendOptions = {}): Promise<void> {
    await this.#context.inbox.publish(this.#envelope(event, options), signalOf(options))
  }

  /**
   * Sends an event and waits for what becomes of it.
   *
   * Who does not know what became of it sends it again within two minutes, from any process, with the same `id`: it is
   * applied once, and answered with the instance as it is by then. While it is among the last 8 that the instance has
   * taken: `accepted`, whether it was that or `ignored`. Not taken yet, or refused: what becomes of it now. When others have
   * been taken since, and it cannot be told any more whether it was: `repeated`, and it is not applied now. Like
   * everything that a paused or suspended instance is sent, it is answered when that goes on.
   *
   * @throws RuntimeError as `send`; `TIMEOUT` when no answer came in time: the event is durable and its outcome
   * unknown: ask again with the same `id`. Abort stops the waiting, not the event.
   */
  async update(event: EventOf<TWorkflow>, options: UpdateOptions = {}): Promise<UpdateOutcome<TWorkflow>> {
    const timeoutMs = parseDuration(options.timeout ?? '10s', 'timeout')
    const { signal } = options
    const outcome = await publishForOutcome(this.#context, this.#envelope(event, options), {
      signal,
      timeoutMs,
    })
    return outcome as UpdateOutcome<TWorkflow>
  }

  /**
   * Stops the instance until it is resumed. What it is sent is accepted, and waits; its timers do not fire, and running
   * activities are aborted. To pause a paused one changes nothing.
   *
   * @throws RuntimeError `INSTANCE_FINISHED`, `INSTANCE_NOT_FOUND`; `ENVELOPE_MALFORMED` for a reason that is too long;
   * `STORE_UNAVAILABLE` when the outcome is unknown: pause
   * again with the same `id`; `TIMEOUT` when no node has answered in time: it is durable, and is done when a node takes
   * it up. Abort stops the waiting, not the pause.
   */
  pause(options: PauseOptions = {}): Promise<void> {
    const { reason } = options
    return this.#control({ type: 'pause', ...(reason !== undefined && { reason }) }, options)
  }

  /**
   * Lets a paused instance go on: what has waited is applied in order, timers that are overdue fire once, and the
   * activities that were aborted run again as another attempt. To resume a running one changes nothing.
   *
   * @throws RuntimeError `STEP_FAILED`, `STEP_ENDLESS` when its machine throws as it goes on, at the end of an activity
   * whose time is up: the instance is suspended, and nothing is lost; and as `pause`
   */
  resume(options: ControlOptions = {}): Promise<void> {
    return this.#control({ type: 'resume' }, options)
  }

  /**
   * Ends the instance, because it is no longer wanted. A machine that takes `workflow.cancel` where it is now is sent that,
   * and may come to a final state by itself until its grace is over; its output is kept. Of any other, and with `force`,
   * everything stops at once: activities are aborted, timers and children go. To cancel again changes nothing, save that
   * `force` forces it and a shorter grace shortens it. A paused instance goes on by it.
   *
   * @returns what it has come to; either is durable
   * @throws RuntimeError `INSTANCE_FINISHED`, with its `status`, when it has ended otherwise; `INSTANCE_NOT_FOUND`;
   * `OPTIONS_INVALID` for a duration that is none; `ENVELOPE_MALFORMED` for a reason or a grace that is too long;
   * `STORE_UNAVAILABLE` when the outcome is unknown: cancel again with the same `id`; `TIMEOUT` when no node has answered in
   * time: it is durable, and is done when a node takes it up. Abort stops the waiting, not the cancel.
   */
  cancel(options: CancelOptions = {}): Promise<CancelOutcome> {
    return cancelInstance(this.#context, this.address, options)
  }

  /**
   * Makes the step again that has suspended the instance. If it succeeds, the instance goes on as when it is resumed, and
   * what it was sent meanwhile is applied in order.
   *
   * @throws RuntimeError `STEP_FAILED`, `STEP_ENDLESS` when it throws again: the instance is still suspended, and nothing
   * is lost; `INSTANCE_NOT_SUSPENDED`, and as `pause`
   */
  retry(options: ControlOptions = {}): Promise<void> {
    return this.#control({ type: 'retry' }, options)
  }

  /**
   * Drops what has suspended the instance and lets it go on. An activity or a child whose end is dropped counts as over,
   * and the machine never hears of it.
   *
   * @throws RuntimeError `INSTANCE_NOT_SUSPENDED`; `INSTANCE_NOT_BEGUN` when it is its start that has thrown; and as
   * `resume`
   */
  skip(options: ControlOptions = {}): Promise<void> {
    return this.#control({ type: 'skip' }, options)
  }

  /**
   * Ends a suspended instance as failed. Its parent, if it has one, is told.
   *
   * @throws RuntimeError `INSTANCE_NOT_SUSPENDED`, and as `pause`
   */
  fail(options: FailOptions = {}): Promise<void> {
    const { reason } = options
    return this.#control({ type: 'fail', ...(reason !== undefined && { reason }) }, options)
  }

  /**
   * Replaces state value and context of an instance that is suspended or paused; it stays so. Nothing else happens: no
   * state is entered or left, activities and timers stay as they are.
   *
   * @param change is given what is stored, and answers what shall be instead; called again, up to five times in all, when
   * the instance has changed meanwhile
   * @throws RuntimeError `EDIT_INVALID` when the machine has no such state: nothing has changed;
   * `INSTANCE_NOT_SUSPENDED`, `INSTANCE_NOT_BEGUN`, `INSTANCE_NOT_FOUND`; `REVISION_CONFLICT` when it changes all the
   * time; what `change` throws; and as `pause`
   */
  edit(
    change: (state: EditOf<TWorkflow>) => EditOf<TWorkflow>,
    options: Omit<ControlOptions, 'id'> = {},
  ): Promise<void> {
    const send = (message: ControlMessage) => this.#control(message, options)
    const { snapshots } = this.#context
    // The record was written by this workflow; what its machine's types say holds for it.
    const untyped = change as (state: EditedState) => EditedState
    return edit(this.address, snapshots, untyped, send, options.signal)
  }

  /**
   * Whether a node runs the partition of this instance, so that what is sent is applied now and not when one comes
   * back. A node that was killed counts until its lease has expired.
   *
   * @throws RuntimeError `PERMISSION_DENIED` when leases may not be read; `STORE_UNAVAILABLE`
   */
  isServed(options: { readonly signal?: AbortSignal } = {}): Promise<boolean> {
    return this.#context.directory.isServed(this.address, options.signal)
  }

  /** The instance as last committed; undefined when there is none. Needs no node. */
  async get(
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<InstanceSnapshot<TWorkflow> | undefined> {
    const stored = await this.#context.snapshots.get(this.address, options.signal)
    return stored === undefined ? undefined : toInstanceSnapshot(stored)
  }

  /**
   * The instance as it is, then after every commit, until it is final. A reader more than 256 commits behind
   * misses the oldest of them. Waits for an instance that does not exist yet, and while NATS cannot be reached. Abort ends it
   * quietly.
   */
  watch(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<InstanceSnapshot<TWorkflow>> {
    return this.#watch(options)
  }

  /**
   * Waits until the instance satisfies the predicate and answers that snapshot. A state that lasts is never
   * missed; one that passes within a turn is never stored, so it cannot be waited for. Goes on waiting while NATS cannot be
   * reached.
   *
   * @throws RuntimeError `INSTANCE_FINISHED` when it ends without; `TIMEOUT`; the signal's reason on abort
   */
  async waitFor(
    predicate: (snapshot: InstanceSnapshot<TWorkflow>) => boolean,
    options: WaitOptions = {},
  ): Promise<InstanceSnapshot<TWorkflow>> {
    return this.#await(options, {}, 'is not what is waited for', snapshot => {
      if (predicate(snapshot)) return snapshot
      if (!isFinal(snapshot.status)) return undefined
      throw new RuntimeError(
        'INSTANCE_FINISHED',
        `${formatAddress(this.address)} ended as '${snapshot.status}' without being what was waited for`,
        { fields: { status: snapshot.status }, cause: snapshot.error },
      )
    })
  }

  /**
   * Waits for the end, also while NATS cannot be reached, and answers the output.
   *
   * @throws RuntimeError `WORKFLOW_FAILED` when it has failed, with its error as `cause`, or was cancelled: `fields.status` tells
   * which; `TIMEOUT`; the signal's reason on abort
   */
  async result(options: WaitOptions = {}): Promise<OutputOf<TWorkflow>> {
    const final = await this.#await(options, { onlyFinal: true }, 'has not ended', snapshot => snapshot)
    if (final.status === 'done') return final.output as OutputOf<TWorkflow>
    const address = formatAddress(this.address)
    const { error, status, stopReason } = final
    const message =
      status === 'cancelled'
        ? `${address} was cancelled${stopReason === undefined ? '' : `: ${stopReason}`}`
        : `${address} failed: ${error instanceof Error ? error.message : String(error)}`
    throw new RuntimeError('WORKFLOW_FAILED', message, { cause: error, fields: { status } })
  }

  #watch({ onlyFinal, signal }: Watched): AsyncIterableIterator<InstanceSnapshot<TWorkflow>> {
    const filter = { ...this.address, onlyFinal }
    return watchRecords(this.#context, filter, {
      capacity: watchCapacity,
      isLast: stored => isFinal(stored.record.status),
      isWanted: () => true,
      signal,
    })
  }

  async #await<T>(
    options: WaitOptions,
    watched: Watched,
    lateness: string,
    choose: (snapshot: InstanceSnapshot<TWorkflow>) => T | undefined,
  ): Promise<T> {
    const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout, 'timeout')
    options.signal?.throwIfAborted()
    const snapshots = this.#watch(watched)
    const find = async () => {
      for await (const snapshot of snapshots) {
        const chosen = choose(snapshot)
        if (chosen !== undefined) return chosen
      }
      throw new RuntimeError('ABORTED', `watching ${formatAddress(this.address)} ended`)
    }
    const late = () => {
      const message = `${formatAddress(this.address)} ${lateness} after ${timeoutMs} ms`
      return new RuntimeError('TIMEOUT', message, { fields: { ...this.address, timeoutMs }, retryable: true })
    }
    try {
      return await this.#within(find(), timeoutMs, options.signal, late)
    } finally {
      await snapshots.return?.()
    }
  }

  /** Asks for it and waits until it is done. */
  async #control(message: ControlMessage, { id, signal, timeout = '10s' }: ControlOptions): Promise<void> {
    const { clock, nextId } = this.#context
    const timeoutMs = parseDuration(timeout, 'timeout')
    const base = { id: id ?? nextId(), target: this.address, time: clock.now() }
    const outcome = await publishForOutcome(this.#context, { ...base, ...message }, { signal, timeoutMs })
    if (outcome.type === 'suspended') throw await this.#stillSuspended(signal)
    if (outcome.type !== 'rejected') return
    throw new RuntimeError(outcome.code, outcome.message, { fields: { ...this.address, ...outcome.fields } })
  }

  async #stillSuspended(signal: AbortSignal | undefined): Promise<RuntimeError> {
    const incident = (await this.get(signal === undefined ? {} : { signal }))?.incident
    const { code = 'STEP_FAILED', error, tries } = incident ?? {}
    const message = `${formatAddress(this.address)} is still suspended: ${messageOf(error)}`
    return new RuntimeError(code, message, { cause: error, fields: { ...this.address, tries } })
  }

  #envelope(event: EventOf<TWorkflow>, options: SendOptions): Envelope {
    const { nextId, clock } = this.#context
    const checked = checkEvent(event)
    const schema = this.#workflow?.eventSchemas[checked.type]
    return {
      type: 'send',
      id: options.id ?? nextId(),
      target: this.address,
      cause: options.cause,
      source: options.source,
      time: clock.now(),
      event: schema === undefined ? checked : (validate(schema, checked, 'event') as EventObject),
    }
  }

  /** The promise's value, unless the time is up or the signal aborts first. */
  async #within<T>(
    promise: Promise<T>,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
    late: () => Error,
  ): Promise<T> {
    let cleanUp = () => {}
    const cut = new Promise<never>((_, reject) => {
      const stop = onAbort(signal, () => reject(signal?.reason as Error))
      const timer =
        timeoutMs === undefined ? undefined : this.#context.clock.setTimer(timeoutMs, () => reject(late()))
      cleanUp = () => {
        stop()
        timer?.cancel()
      }
    })
    try {
      return await Promise.race([promise, cut])
    } finally {
      cleanUp()
    }
  }
}

interface Watched {
  /** Nothing before the end. */
  readonly onlyFinal?: boolean
  readonly signal?: AbortSignal
}

function signalOf(options: { readonly signal?: AbortSignal }): { readonly signal?: AbortSignal } {
  return options.signal === undefined ? {} : { signal: options.signal }
}
