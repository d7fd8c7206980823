import type { Draft } from './draft.ts'
import type { Effect } from './effect.ts'
import type { Delivery, Refusal } from './envelope.ts'
import type { RecordSummary } from './ports.ts'
import type { PersistedSnapshot } from './snapshot.ts'
import type { InstanceRecord } from './record.ts'

/**
 * What became of a delivery. `duplicate`: it had been applied before, so it was not applied again. `stillSuspended`: the
 * same, and it was to let the instance go on, which is suspended. `repeated`: it may have been applied before.
 */
export type Verdict =
  | {
      readonly type: 'accepted' | 'ignored' | 'suspended' | 'duplicate' | 'repeated' | 'stillSuspended'
      readonly revision: number
      readonly snapshot: PersistedSnapshot
    }
  | Refusal

/** What an instance asks of the node that runs it. No call may wait; `load` and `commit` answer later. */
export interface InstanceHost<D extends Delivery> {
  /** Answered by {@link Instance.loaded} or {@link Instance.loadFailed}. */
  load(): void
  /** Answered by {@link Instance.committed}, {@link Instance.conflicted} or {@link Instance.refused}. */
  commit(record: InstanceRecord, summary: RecordSummary, expected: number): void
  /** The record that asked for these effects is stored: they may happen now. */
  perform(effects: readonly Effect[], draft: Draft): void
  /** The outcome of the delivery is stored: it may be acknowledged, its sender answered. */
  settle(delivery: D, verdict: Verdict): void
  /**
   * The instance takes nothing but control envelopes until it says that it goes on. Other deliveries that it has not
   * settled are the host's again.
   *
   * @param isThere false: it has not been started, as far as is stored. Then cancellations are the host's again too.
   */
  stopped(isThere: boolean): void
  /** The instance takes whatever is delivered. Told whenever it has been loaded, too. */
  goesOn(isThere: boolean): void
  /** Calls {@link Instance.wake} at that moment. Replaces the moment asked for before; undefined clears it. */
  wakeAt(dueAt: number | undefined): void
  /** Calls {@link Instance.flush} after that time, in milliseconds, unless it is going to anyway; undefined: not at all. */
  flushAfter(delayMs: number | undefined): void
  /** Stops whatever activities still run for it: they will be asked for again. */
  abandonActivities(): void
  /**
   * Stops whatever activities still run for it, but these.
   *
   * @param attempts by incarnation, the attempt
   * @returns the incarnations of those that go on
   */
  keepActivities(attempts: ReadonlyMap<number, number>): ReadonlySet<number>
  /** Whether so many commits are under way that no turn is to be begun for what has been sent. */
  readonly isCrowded: boolean
  /** Has {@link Instance.enter} called when it is no longer crowded. */
  awaitRoom(): void
  /** A unique id for a commit. */
  nextCommitId(): string
  /** Milliseconds since the epoch. */
  now(): number
  /** A turn is over and nothing waits. */
  rested(): void
  /** The instance is out of memory: forget it. Deliveries never settled will come again. */
  ended(error?: Error): void
}
