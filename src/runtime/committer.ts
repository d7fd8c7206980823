/**
 * Writes records, and finds out what became of a write whose answer was lost.
 *
 * ```
 *           stored
 *  write ─────────────▶ the new revision
 *   ▲ │                    ▲
 *   │ │ no answer          │ its commit id is ours
 *   └─┤                    │
 *     │ conflict           │
 *     └──────────────▶ read the record ──────▶ REVISION_CONFLICT
 *       after a lost answer       somebody else's
 * ```
 *
 * A write without an answer may be stored, lost, or still on its way. Writing again with the same commit id
 * and the same expected revision is right in all three cases: at most one of the two is stored, and a conflict leads
 * to the record, whose commit id tells whether it is ours. All of this goes on only while the tenure is trusted, and
 * waits while it is doubtful; after it the record belongs to others.
 */
import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'
import type { Clock, RecordSummary, Store, StoredRecord } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import type { Tenure } from './tenure.ts'

const retryWaitMs = 100

export class Committer {
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /**
   * Stores the record and answers its revision.
   *
   * @throws RuntimeError `REVISION_CONFLICT` when another write came first or the tenure is over;
   * whatever the store throws for a record that it will never take
   */
  async commit(
    record: InstanceRecord,
    summary: RecordSummary,
    expected: number,
    tenure: Tenure,
  ): Promise<number> {
    let isAnswerLost = false
    for (;;) {
      if (!tenure.isTrusted && !(await tenure.trusted())) throw partitionLost()
      try {
        return await this.#store.commit(record, summary, expected)
      } catch (error) {
        if (isRuntimeError(error, 'STORE_UNAVAILABLE')) {
          isAnswerLost = true
          await this.#pause()
          continue
        }
        if (!isAnswerLost || !isRuntimeError(error, 'REVISION_CONFLICT')) throw error
        const stored = await this.load(record, tenure)
        if (stored?.commit === summary.commit) return stored.revision
        throw error
      }
    }
  }

  /**
   * Reads the record, again and again while the store cannot be reached.
   *
   * @throws RuntimeError `REVISION_CONFLICT` when the tenure is over; whatever the store throws for
   * a record that it cannot read
   */
  async load(address: Address, tenure: Tenure): Promise<StoredRecord | undefined> {
    for (;;) {
      if (!tenure.isTrusted && !(await tenure.trusted())) throw partitionLost()
      try {
        return await this.#store.load(address)
      } catch (error) {
        if (!isRuntimeError(error, 'STORE_UNAVAILABLE')) throw error
        await this.#pause()
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise(resolve => {
      this.#clock.setTimer(retryWaitMs, resolve)
    })
  }
}

function partitionLost(): RuntimeError {
  return new RuntimeError('REVISION_CONFLICT', 'this node does not have the partition any more')
}
