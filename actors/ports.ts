/**
 * What the actors need from the world. Each port has one contract test suite, run against memory and against
 * a real nats-server. Everything that can wait takes an AbortSignal last.
 */
import type { Delivery, Envelope } from './envelope.ts'
import type { Address } from './address.ts'
import type { SupervisedNode, SupervisionQuestion } from './supervision.ts'
import type { EventObject } from './event.ts'
import type { LeafOutcome } from './leaf-outcome.ts'
import type { InstanceRecord, InstanceStatus } from './record.ts'
import type { Beat, Task, TaskName } from './remote-activity.ts'

/** What a write says about a record without anyone having to decode it. */
export interface RecordSummary {
  readonly workflowVersion: number
  readonly status: InstanceStatus
  /** Short state value for people: `paying.authorising`, `a.x|b.y`. */
  readonly state: string
  /** Type of the last event that changed anything. */
  readonly event: string
  /** Unique id of this commit: tells whose write an ambiguous one was. */
  readonly commit: string
  /** Digest of the input of the start. */
  readonly inputDigest: string
  /** Earliest timer or retry, milliseconds since the epoch; undefined when nothing waits for time. */
  readonly dueAt: number | undefined
  /** Activities running plus outbox entries. */
  readonly owes: number
}

export interface StoredRecord {
  readonly record: InstanceRecord
  readonly revision: number
  readonly commit: string
  /** As in its summary. */
  readonly event: string
}

/** One row of a header scan: the summary, without the record. */
export interface ScannedRecord {
  readonly address: Address
  readonly partition: number
  readonly revision: number
  /** Milliseconds since the epoch, by the store's clock. */
  readonly time: number
  readonly summary: RecordSummary
}

/** The records. The only writer of a record is the owner of its partition; the expected revision is the fence. */
export interface Store {
  /** How many commits may be under way at a time: with more, each would only wait longer. */
  readonly capacity: number
  /**
   * The newest record, or undefined when there is none. Reads what was last committed, never a stale copy.
   *
   * @throws RuntimeError `RECORD_FORMAT_UNSUPPORTED`, `RECORD_MALFORMED`, `STORE_UNAVAILABLE`
   */
  load(address: Address, signal?: AbortSignal): Promise<StoredRecord | undefined>
  /**
   * Replaces the record if its revision still is `expected` (0: if there is none) and answers the new revision.
   *
   * @throws RuntimeError `REVISION_CONFLICT` when another write came first; `STORE_UNAVAILABLE` when the
   * outcome is unknown; `PAYLOAD_TOO_LARGE`
   */
  commit(
    record: InstanceRecord,
    summary: RecordSummary,
    expected: number,
    signal?: AbortSignal,
  ): Promise<number>
  /**
   * The summaries of those records of these partitions that owe something or have a timer, in no order, without their
   * contents: as they were committed before the scan began, or later. One that changes meanwhile may come again.
   */
  scanOwing(partitions: readonly number[], signal?: AbortSignal): AsyncIterable<ScannedRecord>
}

/** A delivery together with the right to settle it. */
export interface InboxMessage {
  /** The envelope and where it stands; or, when it cannot be understood, the error that says why. */
  readonly content: Delivery | { readonly malformed: Error; readonly seq: number }
  /** Removes it from the inbox: its outcome is stored. Fire and forget; without it the envelope comes again. */
  ack(): void
  /** Tells the inbox that it is still being worked on, so that it is not delivered again. */
  working(): void
  /** Answers the sender, if it waits. Best effort: an answer can be lost, a commit cannot. */
  reply(bytes: Uint8Array): void
  /** Keeps it among the dead letters with the reason, then removes it from the inbox. */
  deadLetter(code: string, reason: string): Promise<void>
  /** What was published, so that it can be kept elsewhere as it is. */
  readonly wire: Wire
}

/** A message as it was published. */
export interface Wire {
  readonly data: Uint8Array
  /** All but those that only tell the server what to do with it. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** What the owner of a partition hears from its inbox, in order. Neither call may throw. */
export interface InboxListener {
  /** An envelope, once a term, from the first unacknowledged one on, as far as the prefetch allows. */
  message(message: InboxMessage): void
  /** The term is over: the next owner has deleted the consumer, or it cannot be served any more. */
  ended(error: Error): void
}

/** One partition of the inbox during one term. */
export interface InboxConsumer {
  /** Takes no more envelopes and tells the listener nothing more. What was delivered may still be settled. */
  close(): Promise<void>
}

/** The durable stream of envelopes. */
export interface Inbox {
  /** The most envelopes of a partition that are unsettled at a time. */
  readonly prefetch: number
  /**
   * Durable once resolved. The same envelope id within the deduplication window is stored once. From a sender that waits it
   * is stored again, as a repetition of the first: its owner answers, and knows what has been applied.
   *
   * @throws RuntimeError `PAYLOAD_TOO_LARGE`; `STORE_UNAVAILABLE` when the outcome is unknown: publish the same
   * envelope again
   */
  publish(envelope: Envelope, options?: PublishOptions): Promise<void>
  /**
   * Ends every earlier term's consumer of the partition and opens this term's.
   *
   * @throws RuntimeError `REVISION_CONFLICT` when a later term has begun
   */
  open(partition: number, term: number, listener: InboxListener): Promise<InboxConsumer>
}

export interface PublishOptions {
  /** Where to answer once the envelope is applied. */
  readonly replyTo?: string
  readonly signal?: AbortSignal
}

/** Where an envelope stands among the parked ones. */
export interface ParkedPlace {
  /** Rises along what is parked of an instance. */
  readonly position: number
  /** What it had in the inbox: rises along what is parked of an instance, too. */
  readonly seq: number
}

/** A parked envelope. To settle it, by `ack` or `deadLetter`, removes it from the parked ones. */
export interface ParkedMessage extends InboxMessage {
  readonly position: number
}

/** Envelopes that were taken out of the inbox because their instance takes none. They wait in order, for ever. */
export interface Parking {
  /**
   * The instances of the partition of which anything is parked, in no order.
   *
   * @throws RuntimeError `STORE_UNAVAILABLE`
   */
  instances(partition: number): Promise<readonly Address[]>
  /** What was parked last of the instance, as far as it still is; undefined when nothing is. Never stale. */
  last(address: Address): Promise<ParkedPlace | undefined>
  /**
   * Parks envelopes of one instance, in this order, behind the one parked last, and answers the position of the last one.
   * After an error the first few of them may be parked.
   *
   * @param messages at least one; with rising sequences in the inbox, all above that of the one parked last
   * @param expected the position of the one parked last; 0: there is none
   * @throws RuntimeError `REVISION_CONFLICT` when another one was; `STORE_UNAVAILABLE` when the outcome is unknown;
   * `PAYLOAD_TOO_LARGE` when the first of them can never be parked
   */
  park(address: Address, messages: readonly InboxMessage[], expected: number): Promise<number>
  /**
   * What is parked of the instance behind that position, in order: at most so many, and at least one if there is any.
   * Never stale.
   */
  read(address: Address, after: number, limit: number): Promise<readonly ParkedMessage[]>
}

/** The right to run a partition, until it can no longer be trusted. */
export interface Lease {
  readonly partition: number
  /** Rises with every change of owner. */
  readonly term: number
  /** Local monotonic time, milliseconds, after which it must not be trusted. */
  readonly trustedUntil: number
}

export interface Leases {
  /**
   * Takes the partition if it is free, has expired, or was last held by an earlier incarnation of the same
   * node name. Undefined when another node holds it.
   */
  acquire(partition: number): Promise<Lease | undefined>
  /**
   * Extends the lease.
   *
   * @throws RuntimeError `REVISION_CONFLICT` when another node has taken it
   */
  renew(lease: Lease): Promise<Lease>
  /** Gives it up, so that the next owner need not wait. Does nothing when it is no longer held. */
  release(lease: Lease): Promise<void>
  /**
   * Calls back when a holder, this node or another, gives a partition up; not when a lease expires. Best effort: who
   * waits for a partition must ask again besides. Answers how to stop.
   */
  onReleased(listener: (partition: number) => void): () => void
}

/** Why instances do not run for now. */
export interface Pause {
  /** When they were paused: milliseconds since the epoch. */
  readonly at: number
  /** For people. */
  readonly reason?: string | undefined
}

/** What is paused: the workflow of that name, or all of them when undefined. */
export type PauseScope = string | undefined

/** What a watcher of pauses hears. Neither call may throw. */
export interface PauseListener {
  /** It is paused, for that reason, or undefined: not any more. */
  changed(scope: PauseScope, pause: Pause | undefined): void
  /** Watching is over for good. */
  ended(error: Error): void
}

/** Which workflows are paused. Pausing one costs one write, however many instances it has. */
export interface Pauses {
  /**
   * Pauses, or with undefined lets go on; takes the place of what was said before. Durable once resolved.
   *
   * @throws RuntimeError `PERMISSION_DENIED`; `STORE_UNAVAILABLE` when the outcome is unknown: say it again
   */
  set(scope: PauseScope, pause: Pause | undefined): Promise<void>
  /** What was said of exactly that, at worst a moment ago. */
  get(scope: PauseScope, signal?: AbortSignal): Promise<Pause | undefined>
  /**
   * Tells of the pauses there are, then of every change, through reconnects, until the returned function is called.
   * Resolved once those there are have been told.
   *
   * @throws RuntimeError `PERMISSION_DENIED`, `STORE_UNAVAILABLE`
   */
  watch(listener: PauseListener): Promise<() => void>
}

/** What is heard of the nodes of a namespace, this one among them. Neither call may throw. */
export interface HeartbeatListener {
  /** The node has said that it is alive, just now or so long ago, and which partitions it stays away from. */
  alive(name: string, agoMs: number, avoided: readonly number[]): void
  /** The node has said that it leaves. */
  left(name: string): void
}

/** How nodes tell each other that they are alive. Nothing else rests on it: see Leases. */
export interface Heartbeats {
  /**
   * Says that this node is alive, and which partitions it stays away from. Nodes that begin to listen within the time a
   * lease lasts hear of it too.
   */
  beat(avoided?: readonly number[]): Promise<void>
  /** Says that this node leaves. */
  leave(): Promise<void>
  /**
   * Tells of the nodes whose last heartbeat is not older than a lease lasts, then of every heartbeat. Answers how to
   * stop.
   *
   * @param saying said before it is looked who has been heard: a heartbeat that is on its way to its store meanwhile is
   * there when that is said
   * @throws RuntimeError `PERMISSION_DENIED`, `STORE_UNAVAILABLE`; what `saying` rejects with
   */
  listen(listener: HeartbeatListener, saying?: () => Promise<void>): Promise<() => void>
}

/** Questions to the nodes of a namespace about themselves. Nothing rests on the answers. */
export interface Inspection {
  /**
   * The names of the nodes that have said lately that they are alive, sorted.
   *
   * @throws RuntimeError `PERMISSION_DENIED`, `STORE_UNAVAILABLE`
   */
  names(): Promise<readonly string[]>
  /**
   * What the node answers; undefined when it does not in that time.
   *
   * @throws RuntimeError `PERMISSION_DENIED`; the signal's reason
   */
  ask(
    node: string,
    question: SupervisionQuestion,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<SupervisedNode | undefined>
  /** Answers questions to that node, until the returned function is called. */
  answer(node: string, answer: (question: SupervisionQuestion) => SupervisedNode): Promise<() => void>
}

/** Which records to look at: all when empty. */
export interface RecordFilter {
  readonly workflow?: string | undefined
  /** Only with `workflow`. */
  readonly id?: string | undefined
}

/** Which commits to hear of. */
export interface WatchFilter extends RecordFilter {
  /** Only of instances that have ended: what comes before is not even decoded. Default false. */
  readonly onlyFinal?: boolean | undefined
}

/** What a watcher hears. Neither call may throw. */
export interface RecordListener {
  /** A committed record; revisions of one instance only rise, but some may be left out when many come at once. */
  record(stored: StoredRecord): void
  /** Watching is over for good: the connection was closed. */
  ended(error: Error): void
}

/** Committed records as everyone may see them, with no node alive. */
export interface Snapshots {
  /**
   * The record as last committed, at worst a moment ago; undefined when there is none.
   *
   * @throws RuntimeError `RECORD_FORMAT_UNSUPPORTED`, `RECORD_MALFORMED`, `STORE_UNAVAILABLE`
   */
  get(address: Address, signal?: AbortSignal): Promise<StoredRecord | undefined>
  /** Revision and summary of the record, without its content. */
  peek(address: Address, signal?: AbortSignal): Promise<ScannedRecord | undefined>
  /** The records there are, then every later commit, through reconnects, until the returned function is called. */
  watch(filter: WatchFilter, listener: RecordListener): Promise<() => void>
  /** Summaries of the records there are, each once, in no order; in a cluster as one replica has them, at worst a moment ago. */
  list(filter: RecordFilter, signal?: AbortSignal): AsyncIterable<ScannedRecord>
}

/** Machine emissions for other services. */
export interface EventSink {
  /** Durable once resolved; the same effect id within the deduplication window is stored once. */
  emit(address: Address, effectId: string, event: EventObject): Promise<void>
}

/** Word that a cancel is in the inbox of its target. */
export interface Hint {
  readonly target: Address
  /** Whether the cancel says so. */
  readonly isForced: boolean
}

/**
 * Carries hints past the inbox to whoever runs their targets. A hint may be lost, come twice, late, or without a cancel:
 * nothing but time may rest on it.
 */
export interface Hints {
  /** Sends it, at most once, without waiting. Never throws. */
  send(hint: Hint): void
  /**
   * Tells of every hint sent in the namespace, its own too, until the returned function is called.
   *
   * @param listener may not throw
   * @throws RuntimeError `PERMISSION_DENIED`, `STORE_UNAVAILABLE`
   */
  listen(listener: (hint: Hint) => void): Promise<() => void>
}

/** Where workers are asked for attempts of remote activities. */
export interface Tasks {
  /**
   * Durable once resolved. While the task waits or is worked on it is stored once, however often it is posted.
   *
   * @throws RuntimeError `PAYLOAD_TOO_LARGE`, `VALUE_UNSUPPORTED` when it can never be posted; `STORE_UNAVAILABLE` when
   * the outcome is unknown: post the same task again
   */
  post(task: Task): Promise<void>
  /**
   * Removes the task, also from a worker that is at it: it is delivered to nobody any more. That worker is told to stop,
   * maybe twice, unless the word is lost: then it works for nothing.
   *
   * @throws RuntimeError `STORE_UNAVAILABLE`
   */
  recall(task: TaskName): Promise<void>
}

/** A task as a worker received it. */
export type ReceivedTask = Pick<
  Task,
  keyof TaskName | 'idempotencyKey' | 'input' | 'lastHeartbeat' | 'silenceMs'
>

/** A task together with the right to settle it. */
export interface TaskMessage {
  /** The task; or, when it cannot be understood, the error that says why. */
  readonly content: ReceivedTask | { readonly malformed: Error }
  /** How often it has been delivered, to any worker: 1 for the first time. */
  readonly deliveries: number
  /**
   * Tells the instance how the attempt ended; then the task is gone. Durable once resolved: the task may come again
   * after an error, not after that.
   *
   * @param details of the last heartbeat, if they may not have been told
   * @throws RuntimeError `PAYLOAD_TOO_LARGE`, `VALUE_UNSUPPORTED`: the outcome can never be told; `STORE_UNAVAILABLE`
   */
  settle(outcome: LeafOutcome, details?: unknown): Promise<void>
  /**
   * Tells the instance that the work has begun, or goes on, and how far it is: at most once, without waiting.
   *
   * @throws RuntimeError `PAYLOAD_TOO_LARGE`, `VALUE_UNSUPPORTED`: the details can never be told
   */
  beat(beat: Pick<Beat, 'details' | 'isBeginning'>): void
  /**
   * The details of the last heartbeat of this attempt or an earlier one, as the record has them: of one that was with
   * another worker before, the task itself does not know.
   *
   * @throws RuntimeError `PERMISSION_DENIED`, `STORE_UNAVAILABLE`, and what reading a record throws
   */
  newestDetails(): Promise<unknown>
  /** Tells that it is still being worked on, so that nobody else gets it. */
  working(): void
  /** Leaves it to another worker, at once. */
  giveBack(): void
  /** Keeps it among the dead letters with the reason. It stays with the worker until it is settled or dropped. */
  deadLetter(code: string, reason: string): Promise<void>
  /** Removes it. */
  drop(): void
}

/** What a worker hears. No call may throw. */
export interface TaskListener {
  task(message: TaskMessage): void
  /** Whoever wanted the task does not any more. */
  stop(task: TaskName): void
  /** No tasks can be asked for at present. It goes on by itself once they can. */
  interrupted(error: Error): void
}

/** The tasks of one activity, while a worker takes them. */
export interface TaskConsumer {
  /** How long a task stays with a worker that does not say that it works on it: milliseconds. */
  readonly ackWaitMs: number
  /** Asks for so many tasks more than are on their way already. */
  pull(count: number): void
  /** Takes no more tasks and tells the listener nothing more. What was delivered may still be settled. Never rejects. */
  close(): Promise<void>
}

/** Where a worker takes tasks from. */
export interface TaskQueue {
  /** @throws RuntimeError `PERMISSION_DENIED`, `STORE_UNAVAILABLE`, `NAMESPACE_NOT_FOUND` */
  open(activity: string, listener: TaskListener): Promise<TaskConsumer>
}

/** What is heard of workers. Neither call may throw. */
export interface BeatListener {
  beat(beat: Beat): void
  /** Something came that is no beat. */
  malformed(error: Error): void
}

/**
 * What workers say while they are at tasks, on its way to whoever runs the instances. It may be lost, come twice, or late:
 * it only says that a worker is alive, and how far it is.
 */
export interface Beats {
  /**
   * Tells of every beat for an instance of the partition, until the returned function is called.
   *
   * @throws RuntimeError `PERMISSION_DENIED`, `STORE_UNAVAILABLE`
   */
  listen(partition: number, listener: BeatListener): Promise<() => void>
}

/** Names a blob. */
export interface BlobKey {
  /** The instance it belongs to. */
  readonly owner: Address
  /** 1 to 64 letters, digits, `_` and `-`, unique among those of its owner. */
  readonly name: string
}

/** Bytes that are too many for a record. */
export interface Blobs {
  /**
   * Durable once resolved. A key keeps what it was given first: putting it again changes nothing.
   *
   * @param content at least one byte
   * @throws RuntimeError `PAYLOAD_TOO_LARGE`; `STORE_UNAVAILABLE` when the outcome is unknown: put it again
   */
  put(key: BlobKey, content: Uint8Array): Promise<void>
  /**
   * What was put, at worst a moment ago; undefined when nothing was.
   *
   * @throws RuntimeError `STORE_UNAVAILABLE`
   */
  get(key: BlobKey, signal?: AbortSignal): Promise<Uint8Array | undefined>
}

export interface TimerHandle {
  cancel(): void
}

/** Time. `now` may jump; `monotonic` never does. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds since some fixed moment. */
  monotonic(): number
  /** Calls back once at or after `delayMs`; delays above 2^31-1 ms work. */
  setTimer(delayMs: number, callback: () => void): TimerHandle
}
