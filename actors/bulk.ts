/**
 * A bulk: thousands of child workflows behind one activity of their parent.
 *
 * ```
 *  0 ─────────── settled ───────────┬─ running ─ settled ─ running ─┬──── not started ──── total
 *                                   └────── at most `concurrency` ──┘ started
 * ```
 *
 * Which children are over is a set: all that have started, without those that run. It is kept as those that run,
 * because they are as few as the window is wide, however many children there are. A child that is told of twice, or was
 * never started, is not among them, so that nothing is counted twice and everything can be gone on with from the record
 * alone. The results of those that are over wait in the record until they fill a chunk, which leaves through the outbox:
 * they are in the record or among the blobs, at every moment.
 */
import { RuntimeError } from './errors.ts'
import { messageOf } from './plain-error.ts'
import type { Address } from './address.ts'
import { roughSize } from './rough-size.ts'
import type { LeafOutcome } from './leaf-outcome.ts'

/** Results of about this many bytes make a chunk. */
const chunkBytes = 32 * 1024

/** What the children of a bulk are given, by their index. An array is one. */
export type BulkItems<TItem> =
  | readonly TItem[]
  | { readonly length: number; readonly at: (index: number) => TItem }

/** What `bulk()` attaches to the logic it makes. */
export interface BulkSpec {
  /** Name of the workflow. */
  readonly workflow: string
  readonly concurrency: number
  /** Whether the first failure ends it. */
  readonly isFailFast: boolean
  items(input: unknown): BulkItems<unknown>
}

/** How far a bulk is, as stored. */
export interface BulkRecord {
  /** Name of the workflow of its children. */
  readonly workflow: string
  /** How many children there are to be. */
  readonly total: number
  /** How many have been started: those with the lowest indexes. */
  readonly started: number
  /** How many are over. */
  readonly completed: number
  /** How many of those failed. */
  readonly failed: number
  /** Indexes of the children that have been started and are not over. */
  readonly running: readonly number[]
  /** What came of the last that are over. */
  readonly results: readonly BulkResult[]
  /** How many chunks of results have left. */
  readonly chunks: number
}

/** What came of one child. */
export type BulkResult<TOutput = unknown> =
  | { readonly index: number; readonly status: 'done'; readonly output: TOutput }
  | { readonly index: number; readonly status: 'failed'; readonly error: unknown }

declare const outputOfChild: unique symbol

/** Where the results of a bulk lie: give it to `client.bulkResults()`. Plain data, to be kept or sent as you like. */
export interface BulkResults<TOutput = unknown> {
  readonly key: string
  readonly chunks: number
  /** Never there: remembers the type of the outputs. */
  readonly [outputOfChild]?: TOutput
}

/** What a bulk answers once all its children are over. */
export interface BulkOutcome<TOutput = unknown> {
  readonly total: number
  readonly succeeded: number
  readonly failed: number
  readonly results: BulkResults<TOutput>
}

/** Results on their way out of the record. */
export interface BulkChunk {
  /** From 0. */
  readonly number: number
  readonly results: readonly BulkResult[]
  /** About. */
  readonly sizeBytes: number
}

/** Where the spec hangs on the logic. Registered globally, so that two copies of the package agree. */
export const bulkSpecKey: unique symbol = Symbol.for('holdfast.bulk') as never

/** The spec of logic made by `bulk()`; undefined for any other logic. */
export function bulkSpecOf(logic: unknown): BulkSpec | undefined {
  return (logic as { [bulkSpecKey]?: BulkSpec } | undefined)?.[bulkSpecKey]
}

/** The progress of one bulk. */
export class Bulk {
  /** Name of the workflow of its children. */
  readonly workflow: string
  readonly #total: number
  #started: number
  #failed: number
  readonly #running: Set<number>
  #results: BulkResult[]
  #resultBytes: number
  #chunks: number

  constructor(record: BulkRecord) {
    this.workflow = record.workflow
    this.#total = record.total
    this.#started = record.started
    this.#failed = record.failed
    this.#running = new Set(record.running)
    this.#results = [...record.results]
    this.#resultBytes = record.results.reduce((bytes, result) => bytes + roughSize(result), 0)
    this.#chunks = record.chunks
  }

  /** One of which no child has started. */
  static of(workflow: string, total: number): Bulk {
    return new Bulk({
      workflow,
      total,
      started: 0,
      completed: 0,
      failed: 0,
      running: [],
      results: [],
      chunks: 0,
    })
  }

  /** Indexes of the children that have been started and are not over. */
  get running(): Iterable<number> {
    return this.#running
  }

  isRunning(index: number): boolean {
    return this.#running.has(index)
  }

  get isOver(): boolean {
    return this.#completed === this.#total
  }

  /** Lets the next child start, and answers its index; undefined when that many run, or none is left. */
  startNext(concurrency: number): number | undefined {
    if (this.#running.size >= concurrency || this.#started === this.#total) return undefined
    const index = this.#started++
    this.#running.add(index)
    return index
  }

  /** Takes how a child ended. False when it does not run: it has been taken before, or never was started. */
  settle(index: number, outcome: LeafOutcome): boolean {
    if (!this.#running.delete(index)) return false
    if (outcome.status === 'error') this.#failed++
    const result: BulkResult =
      outcome.status === 'done'
        ? { index, status: 'done', output: outcome.output }
        : { index, status: 'failed', error: outcome.error }
    this.#results.push(result)
    this.#resultBytes += roughSize(result)
    return true
  }

  /** Takes out the results that wait, once they fill a chunk, or are the last. */
  takeChunk(): BulkChunk | undefined {
    const isDue = this.#resultBytes >= chunkBytes || (this.isOver && this.#results.length > 0)
    if (!isDue) return undefined
    const chunk = { number: this.#chunks++, results: this.#results, sizeBytes: this.#resultBytes }
    this.#results = []
    this.#resultBytes = 0
    return chunk
  }

  /** What it answers, when it is over and no results wait. */
  outcome(key: string): BulkOutcome {
    const total = this.#total
    const failed = this.#failed
    return { total, succeeded: total - failed, failed, results: { key, chunks: this.#chunks } }
  }

  /** To be stored at once: shares the results that wait. */
  record(): BulkRecord {
    return {
      workflow: this.workflow,
      total: this.#total,
      started: this.#started,
      completed: this.#completed,
      failed: this.#failed,
      running: [...this.#running],
      results: this.#results,
      chunks: this.#chunks,
    }
  }

  get #completed(): number {
    return this.#started - this.#running.size
  }
}

/** What a bulk without children answers. */
export function outcomeOfNone(
  address: Address,
  { incarnation, src }: { readonly incarnation: number; readonly src: string },
): BulkOutcome {
  return Bulk.of(src, 0).outcome(resultsKeyOf(address, incarnation))
}

/**
 * How many children the items are for.
 *
 * @throws RuntimeError `OPTIONS_INVALID` when that cannot be told; whatever the items throw
 */
export function countItems(items: BulkItems<unknown>): number {
  const { length } = items
  if (Number.isSafeInteger(length) && length >= 0) return length
  throw new RuntimeError(
    'OPTIONS_INVALID',
    `the items of a bulk have a length, a whole number from 0, and at(index); got the length ${String(length)}`,
    { fields: { field: 'items.length', value: length } },
  )
}

/** The error that a bulk ends with when the first failure ends it. */
export function firstFailure(child: string, index: number, error: unknown): RuntimeError {
  return new RuntimeError(
    'WORKFLOW_FAILED',
    `child ${index} of the bulk, ${child}, failed: ${messageOf(error)}`,
    {
      cause: error,
      fields: { child, index },
    },
  )
}

/** Names the results of one bulk among all: `workflow/id/incarnation`. */
export function resultsKeyOf({ workflow, id }: Address, incarnation: number): string {
  return `${workflow}/${id}/${incarnation}`
}

/** The name of a chunk among the blobs of the parent. */
export function chunkNameOf(incarnation: number | string, number: number): string {
  return `bulk-${incarnation}-${number}`
}
