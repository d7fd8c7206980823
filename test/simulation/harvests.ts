import { chunkNameOf, type BulkResult, type BulkResults } from '../../actors/bulk.ts'
import type { BlobKey } from '../../actors/ports.ts'
import { decodeValue } from '../../src/codec/msgpack.ts'
import { formatAddress } from '../../src/workflow/address.ts'
import { fails, type Job } from './outside.ts'

/** What a fleet has brought: the results of a bulk. */
export interface Harvest {
  /** Of the fleet. */
  readonly tag: string
  readonly results: BulkResults<string>
}

/** The results that bulks have put away. */
export class Harvests {
  readonly #chunks = new Map<string, Buffer>()

  /** A chunk is put away. Answers what is wrong with that. */
  kept({ owner, name }: BlobKey, content: Uint8Array): string | undefined {
    const key = `${formatAddress(owner)} ${name}`
    const chunk = this.#chunks.get(key)
    if (chunk === undefined) this.#chunks.set(key, Buffer.from(content))
    else if (!chunk.equals(content)) return `${key} was put away before, with other results`
    return undefined
  }

  /** What is wrong with what has come of those jobs: each must have one result, its own. */
  wrongWith({ tag, results: { chunks, key } }: Harvest, jobs: readonly Job[]): string | undefined {
    const slash = key.lastIndexOf('/')
    const found: BulkResult[] = []
    for (let number = 0; number < chunks; number++) {
      const chunk = this.#chunks.get(`${key.slice(0, slash)} ${chunkNameOf(key.slice(slash + 1), number)}`)
      if (chunk === undefined) return `chunk ${number} of the results of ${tag} is not there`
      found.push(...(decodeValue(chunk) as BulkResult[]))
    }
    const shown = found.toSorted((a, b) => a.index - b.index).map(showResult)
    const wanted = jobs.map((job, index) => `${index} ${fails(job) ? 'failed' : job.tag}`)
    return shown.join() === wanted.join()
      ? undefined
      : `${tag} has brought ${shown.map(each => each.slice(0, 20)).join()}`
  }
}

function showResult(result: BulkResult): string {
  return `${result.index} ${result.status === 'done' ? String(result.output) : 'failed'}`
}
