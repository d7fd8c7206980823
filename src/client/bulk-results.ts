import { chunkNameOf, type BulkResult, type BulkResults } from '../../actors/bulk.ts'
import type { BlobKey, Blobs, Clock } from '../../actors/ports.ts'
import { decodeValue } from '../codec/msgpack.ts'
import { pause } from '../nats/wait.ts'
import { parseAddress } from '../workflow/address.ts'

/** How long to wait before looking again for what is still on its way. */
const firstWaitMs = 20
const longestWaitMs = 1000

export interface BulkResultsContext {
  readonly blobs: Blobs
  readonly clock: Clock
}

/** The results of a bulk, chunk by chunk: only one is in memory at a time. */
export async function* readBulkResults<TOutput>(
  context: BulkResultsContext,
  { chunks, key }: BulkResults<TOutput>,
  signal?: AbortSignal,
): AsyncGenerator<BulkResult<TOutput>, void, undefined> {
  const slash = key.lastIndexOf('/')
  const owner = parseAddress(key.slice(0, slash))
  const incarnation = key.slice(slash + 1)
  for (let number = 0; number < chunks; number++) {
    const content = await awaitBlob(context, { owner, name: chunkNameOf(incarnation, number) }, signal)
    // Written by the parent, whose types these are.
    yield* decodeValue(content) as readonly BulkResult<TOutput>[]
  }
}

async function awaitBlob(
  { blobs, clock }: BulkResultsContext,
  key: BlobKey,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    const content = await blobs.get(key, signal)
    if (content !== undefined) return content
    await pause(clock, waitMs, signal)
  }
}
