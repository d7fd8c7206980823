import type { Address } from './address.ts'
import { RuntimeError } from './errors.ts'
import type { Outbox } from './outbox.ts'
import { plainError } from './plain-error.ts'
import { poolWorkflow, type PoolSpec } from './pool.ts'
import type { ActivityRecord } from './record.ts'

/** What an instance says to the pools whose permits it wants: see pool.ts. */
export class Permits {
  readonly #address: Address
  readonly #outbox: Outbox

  /** @param address of the instance */
  constructor(address: Address, outbox: Outbox) {
    this.#address = address
    this.#outbox = outbox
  }

  /** Asks for what an invocation wants. Of one that wants what cannot be, the record says so. */
  request(activity: ActivityRecord, { name, permits: size, request }: PoolSpec): ActivityRecord {
    const { path, incarnation, input, startedAt } = activity
    try {
      const { permits, priority, timeoutMs } = request(input)
      const holder = { address: this.#address, path, incarnation }
      this.#outbox.post(addressOf(name), { type: 'acquire', holder, permits, priority, size })
      const waiting = { ...activity, permit: { pool: name, isHeld: false } }
      return timeoutMs === undefined ? waiting : { ...waiting, deadlineAt: startedAt + timeoutMs }
    } catch (error) {
      return { ...activity, lastError: error instanceof RuntimeError ? error : plainError(error) }
    }
  }

  /** An invocation does not want what it has asked for, or been given. */
  giveBack(pool: string, { path, incarnation }: Pick<ActivityRecord, 'incarnation' | 'path'>): void {
    const holder = { address: this.#address, path, incarnation }
    this.#outbox.post(addressOf(pool), { type: 'release', holder })
  }
}

/** The error of an invocation that has waited until its deadline. */
export function waitedInVain({ deadlineAt = 0, permit, startedAt }: ActivityRecord): RuntimeError {
  const pool = permit!.pool
  const waitedMs = deadlineAt - startedAt
  return new RuntimeError('POOL_TIMEOUT', `no permit of pool '${pool}' was free within ${waitedMs} ms`, {
    fields: { pool, waitedMs },
    retryable: true,
  })
}

/** Where a pool lives. */
function addressOf(pool: string): Address {
  return { workflow: poolWorkflow, id: pool }
}
