import { readFile } from 'node:fs/promises'

import type { AttemptNote } from './retries-node.ts'

/** What the record of an instance says of its activity while no node runs. */
export interface Stored {
  readonly attempt: number
  /** When the next attempt begins; undefined when one runs, or it has ended. */
  readonly retryAt: number | undefined
  readonly isEnded: boolean
}

const unborn: Stored = { attempt: 0, retryAt: undefined, isEnded: false }

/** By id of the instance. */
export type StoredById = ReadonlyMap<string, Stored>

interface Noted {
  readonly attempt: number
  readonly begunAt: number
  failedAt: number | undefined
}

/**
 * Holds what a node has done from its start to its kill against what the records said before and after.
 *
 * - The first attempt of a life is the one after the attempt in the record, not before the moment the record promises.
 * - Every later one follows a failure, after the shortest wait there is.
 * - A wait that is stored follows the failure of just that attempt, and an end its success.
 * - Nothing runs for what has ended.
 *
 * What was lost shows in the end, as an activity that never ends.
 */
export class RetryChecker {
  readonly #leastWaitMs: number
  /** Of those waits that had not ended when the next node served: how late the next attempt was. */
  readonly lateMs: number[] = []
  /** How many attempts have begun. */
  begun = 0
  /** How many attempts ran when their node was killed. */
  cutShort = 0
  /** How many waits there were at all kills together. */
  waits = 0
  #before: StoredById = new Map()

  constructor(leastWaitMs: number) {
    this.#leastWaitMs = leastWaitMs
  }

  /**
   * @param file what the node has written down
   * @param servedAt when it began to serve: milliseconds since the epoch
   */
  async check(file: string, servedAt: number, after: StoredById): Promise<void> {
    for (const [id, attempts] of await read(file)) {
      this.#checkFirst(id, attempts[0]!, servedAt)
      for (const [index, attempt] of attempts.entries()) {
        if (index > 0) this.#checkNext(id, attempts[index - 1]!, attempt)
      }
      this.#checkStored(id, attempts.at(-1)!, after.get(id))
      this.begun += attempts.length
    }
    for (const { retryAt } of after.values()) if (retryAt !== undefined) this.waits++
    this.#before = after
  }

  #checkFirst(id: string, { attempt, begunAt }: Noted, servedAt: number): void {
    const stored = this.#before.get(id) ?? unborn
    if (stored.isEnded) throw new Error(`attempt ${attempt} of ${id} began after its end`)
    if (attempt !== stored.attempt + 1) {
      throw new Error(`${id} goes on with attempt ${attempt} after attempt ${stored.attempt}`)
    }
    if (stored.retryAt === undefined) return
    if (begunAt < stored.retryAt)
      throw new Error(`${id} was tried again ${stored.retryAt - begunAt} ms early`)
    if (stored.retryAt > servedAt) this.lateMs.push(begunAt - stored.retryAt)
  }

  #checkNext(id: string, before: Noted, { attempt, begunAt }: Noted): void {
    if (attempt !== before.attempt + 1 || before.failedAt === undefined) {
      throw new Error(`attempt ${attempt} of ${id} began while attempt ${before.attempt} ran`)
    }
    const waitedMs = begunAt - before.failedAt
    if (waitedMs < this.#leastWaitMs) throw new Error(`${id} was tried again after only ${waitedMs} ms`)
  }

  #checkStored(id: string, { attempt, failedAt }: Noted, stored: Stored | undefined): void {
    if (stored === undefined) throw new Error(`${id} ran and has no record`)
    const { isEnded, retryAt } = stored
    if (!isEnded && retryAt === undefined) {
      this.cutShort++
      return
    }
    const isRight = stored.attempt === attempt && isEnded === (failedAt === undefined)
    if (!isRight)
      throw new Error(`after attempt ${attempt} of ${id} its record says ${JSON.stringify(stored)}`)
  }
}

/** The attempts that a life has begun, by id, in order. */
async function read(file: string): Promise<ReadonlyMap<string, readonly Noted[]>> {
  const byId = new Map<string, Noted[]>()
  for (const line of (await readFile(file, 'utf8')).split('\n').filter(Boolean)) {
    const [what, id, attempt, at] = line.split(' ') as unknown as AttemptNote
    let attempts = byId.get(id)
    if (attempts === undefined) byId.set(id, (attempts = []))
    if (what === 'begun') {
      attempts.push({ attempt: Number(attempt), begunAt: Number(at), failedAt: undefined })
    } else {
      attempts.find(each => each.attempt === Number(attempt))!.failedAt = Number(at)
    }
  }
  return byId
}
