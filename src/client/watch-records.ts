import { isRuntimeError } from '../../actors/errors.ts'
import type { Clock, RecordListener, Snapshots, StoredRecord, WatchFilter } from '../../actors/ports.ts'
import { onAbort, pause } from '../nats/wait.ts'
import type { Workflow } from '../workflow/define-workflow.ts'
import { Feed } from './feed.ts'
import { toInstanceSnapshot, type InstanceSnapshot } from './instance-snapshot.ts'

/** How soon to try again when NATS cannot be reached. */
const retryMs = 250

export interface WatchRecordsContext {
  readonly clock: Clock
  readonly snapshots: Pick<Snapshots, 'watch'>
}

export interface WatchRecordsOptions {
  /** How far the reader may lag before it misses the oldest. */
  readonly capacity: number
  /** Whether nothing can come after this record. */
  isLast(stored: StoredRecord): boolean
  isWanted(stored: StoredRecord): boolean
  /** Ends the watching quietly. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Committed records as snapshots, one after the other, until the reader stops, the signal aborts or the last came. While
 * NATS cannot be reached, nothing comes.
 */
export function watchRecords<TWorkflow extends Workflow>(
  context: WatchRecordsContext,
  filter: WatchFilter,
  options: WatchRecordsOptions,
): AsyncIterableIterator<InstanceSnapshot<TWorkflow>> {
  const { capacity, signal } = options
  // A signal would cost more than all the rest.
  const watching: Watching = { isOver: false, stop() {} }
  let stopAbort = () => {}
  const feed = new Feed<InstanceSnapshot<TWorkflow>>(capacity, () => {
    stopAbort()
    watching.isOver = true
    watching.stop()
  })
  if (signal?.aborted === true) {
    feed.end()
    return feed
  }
  stopAbort = onAbort(signal, () => feed.end())
  let lastRevision = 0
  const listener = {
    record(stored: StoredRecord) {
      // A watch that could not be opened may have told of it before.
      if (stored.revision <= lastRevision) return
      lastRevision = stored.revision
      if (options.isWanted(stored)) feed.push(toInstanceSnapshot(stored))
      if (options.isLast(stored)) feed.end()
    },
    ended: (error: Error) => feed.fail(error),
  }
  // Once it is over, nobody hears of an error any more.
  watchPersistently(context, filter, listener, watching).catch((error: unknown) => feed.fail(error))
  return feed
}

interface Watching {
  isOver: boolean
  /** Called when it is over. */
  stop: () => void
}

/**
 * Watches until it is over, however long it takes before that can begin.
 *
 * @throws an error that will not go away
 */
async function watchPersistently(
  { clock, snapshots }: WatchRecordsContext,
  filter: WatchFilter,
  listener: RecordListener,
  watching: Watching,
): Promise<void> {
  while (!watching.isOver) {
    try {
      const stop = await snapshots.watch(filter, listener)
      watching.stop = stop
      if (watching.isOver) stop()
      return
    } catch (error) {
      if (!isRuntimeError(error) || !error.retryable) throw error
    }
    await pause(clock, retryMs)
  }
}
