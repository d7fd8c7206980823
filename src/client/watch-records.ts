import type { RecordFilter, Snapshots, StoredRecord } from '../../actors/ports.ts'
import type { Workflow } from '../workflow/define-workflow.ts'
import { Feed } from './feed.ts'
import { toInstanceSnapshot, type InstanceSnapshot } from './instance-snapshot.ts'

export interface WatchRecordsOptions {
  /** How far the reader may lag before it misses the oldest. */
  readonly capacity: number
  /** Whether nothing can come after this record. */
  isLast(stored: StoredRecord): boolean
  isWanted(stored: StoredRecord): boolean
  /** Ends the watching quietly. */
  readonly signal?: AbortSignal | undefined
}

/** Committed records as snapshots, one after the other, until the reader stops, the signal aborts or the last came. */
export function watchRecords<TWorkflow extends Workflow>(
  snapshots: Snapshots,
  filter: RecordFilter,
  options: WatchRecordsOptions,
): AsyncIterableIterator<InstanceSnapshot<TWorkflow>> {
  const { capacity, signal } = options
  let stop: (() => void) | undefined
  let isOver = false
  const onAbort = () => feed.end()
  const feed = new Feed<InstanceSnapshot<TWorkflow>>(capacity, () => {
    isOver = true
    signal?.removeEventListener('abort', onAbort)
    stop?.()
  })
  if (signal?.aborted === true) {
    feed.end()
    return feed
  }
  signal?.addEventListener('abort', onAbort)
  const listener = {
    record(stored: StoredRecord) {
      if (options.isWanted(stored)) feed.push(toInstanceSnapshot(stored))
      if (options.isLast(stored)) feed.end()
    },
    ended: (error: Error) => feed.fail(error),
  }
  snapshots.watch(filter, listener).then(
    stopWatching => {
      stop = stopWatching
      if (isOver) stop()
    },
    (error: unknown) => feed.fail(error),
  )
  return feed
}
