import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'
import type { Snapshots } from '../../actors/ports.ts'
import { poolWorkflow } from '../../actors/pool.ts'
import { isFinal, type InstanceStatus } from '../../actors/record.ts'
import { cancelInstance, type CancelContext, type CancelOptions } from './cancel.ts'

/** So many cancels are on their way at a time. */
const defaultConcurrency = 256

export interface CancelAllFilter {
  /** Default: every status that is not final. */
  readonly status?: InstanceStatus | undefined
  readonly workflow?: string | undefined
}

export interface CancelAllOptions extends Pick<
  CancelOptions,
  'force' | 'grace' | 'reason' | 'signal' | 'timeout'
> {
  /** How many cancels are on their way at a time, from 1. Default 256. */
  readonly concurrency?: number
  /** Told after every instance. May not throw. */
  readonly onProgress?: (progress: CancelProgress) => void
}

/** What has come of the instances so far, by their number. */
export interface CancelProgress {
  /** Those that have ended by it, or by a cancel before it. */
  readonly cancelled: number
  /** Those whose machines take their way to the end. */
  readonly cancelling: number
  /** Those that had ended otherwise when the cancel came. */
  readonly finished: number
  /** Those of which it is not known that they are cancelled: see `firstError`. */
  readonly failed: number
  /** Why the first of those that failed did. */
  readonly firstError: unknown
}

interface CancelAllContext extends CancelContext {
  readonly snapshots: Pick<Snapshots, 'list'>
}

/** Cancels every instance that the headers of the records show, a window of them at a time. */
export async function cancelAll(
  context: CancelAllContext,
  { status: wanted, workflow }: CancelAllFilter,
  options: CancelAllOptions,
): Promise<CancelProgress> {
  const { concurrency = defaultConcurrency, onProgress, signal, ...how } = options
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    const message = `concurrency must be a whole number from 1; got ${String(concurrency)}`
    throw new RuntimeError('OPTIONS_INVALID', message, {
      fields: { field: 'concurrency', value: concurrency },
    })
  }
  let progress: CancelProgress = {
    cancelled: 0,
    cancelling: 0,
    finished: 0,
    failed: 0,
    firstError: undefined,
  }
  const rows = context.snapshots.list({ workflow }, signal)[Symbol.asyncIterator]()
  const lane = async () => {
    for (let next = await rows.next(); next.done !== true; next = await rows.next()) {
      signal?.throwIfAborted()
      const { address, summary } = next.value
      const { status } = summary
      // A pool is never over: those that wait and hold are cancelled, and give back what they have.
      if (address.workflow === poolWorkflow) continue
      if (isFinal(status) || (wanted !== undefined && status !== wanted)) continue
      try {
        const outcome = await cancelInstance(context, address, { ...how, ...(signal && { signal }) })
        progress = { ...progress, [outcome]: progress[outcome] + 1 }
      } catch (error) {
        signal?.throwIfAborted()
        if (isRuntimeError(error, 'INSTANCE_FINISHED')) {
          progress = { ...progress, finished: progress.finished + 1 }
        } else {
          const { failed, firstError = error } = progress
          progress = { ...progress, failed: failed + 1, firstError }
        }
      }
      onProgress?.(progress)
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: concurrency }, lane))
  await rows.return?.()
  const broken = ends.find(end => end.status === 'rejected')
  if (broken !== undefined) throw broken.reason
  return progress
}
