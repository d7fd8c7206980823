import { inspect } from 'node:util'
import { fromCallback } from 'xstate'
import type { CallbackActorLogic, EventObject } from 'xstate'

import { RuntimeError } from '../../actors/errors.ts'
import { perTurn } from '../../actors/persistence.ts'
import {
  lastPriority,
  mostPermits,
  poolSpecKey,
  poolWorkflow,
  type PoolGranted,
  type PoolSpec,
} from '../../actors/pool.ts'
import { poolMachine } from '../../actors/pool-machine.ts'
import { checkInstanceId } from './address.ts'
import type { Workflow } from './define-workflow.ts'
import { parseDuration, type Duration } from './duration.ts'

export interface PoolOptions {
  /** One pool of that name for the whole namespace: 1 to 256 bytes of UTF-8. */
  readonly name: string
  /** How many permits it has, 1 to 1000. Whoever asks last says so: a new deployment changes it. */
  readonly permits: number
}

/** What an invocation asks a pool for. */
export interface PoolRequest {
  /** How many at once, up to all that the pool has. Default 1. */
  readonly permits?: number
  /** 1, served first, to 5. Default 3. */
  readonly priority?: number
  /** How long to wait, from entering the state. Default for ever. */
  readonly timeout?: Duration
}

/** What `pool()` answers: to be invoked, or to be the `pool` of activities. */
export type PoolLogic = CallbackActorLogic<EventObject, PoolRequest | undefined> & {
  readonly [poolSpecKey]: PoolSpec
}

const defaultPriority = 3

/**
 * Actor logic that asks a durable semaphore of the namespace for a permit; invoke it in the state that needs one.
 *
 * The machine is told `workflow.granted` (see {@link PoolGranted}) when it has the permit, and keeps it until it leaves the
 * invoking state or ends, whatever crashes in between; one that is paused or suspended keeps it too. Those that wait are served by
 * priority, then in the order they came, and leave the queue as soon as they leave the state. After `timeout`
 * `xstate.error.actor.<id>` arrives, with the code `POOL_TIMEOUT`; with `POOL_FULL` when 10,000 wait already, or their names
 * take up 512 KiB, or the pool has become smaller than the request. An input that cannot be is `OPTIONS_INVALID`.
 *
 * As the `pool` of an `activity()` nothing need be invoked: each of its attempts has a permit while it runs.
 *
 * In plain XState (`createActor`) the permit is given at once.
 *
 * @throws RuntimeError `OPTIONS_INVALID`; `ID_INVALID` when that cannot be a name
 */
export function pool(options: PoolOptions): PoolLogic {
  const name = checkInstanceId(options.name, 'the name of a pool', 'name')
  const { permits } = options
  check('permits', permits, 1, mostPermits)
  const spec: PoolSpec = Object.freeze({
    name,
    permits,
    request: (input: unknown) => resolveRequest(input as PoolRequest | undefined, permits),
  })
  const logic = fromCallback<EventObject, PoolRequest | undefined>(({ sendBack }) => {
    sendBack({ type: 'workflow.granted', pool: name } satisfies PoolGranted)
  })
  return Object.assign(logic, { [poolSpecKey]: spec })
}

/** What every node runs besides its own workflows. */
export const poolsWorkflow: Workflow = Object.freeze({
  name: poolWorkflow,
  version: 1,
  machine: poolMachine,
  inputSchema: undefined,
  persistence: perTurn,
  onError: 'suspend',
  eventSchemas: {},
})

function resolveRequest(request: PoolRequest | undefined, most: number): ReturnType<PoolSpec['request']> {
  const { permits = 1, priority = defaultPriority, timeout } = request ?? {}
  check('input.permits', permits, 1, most)
  check('input.priority', priority, 1, lastPriority)
  if (timeout === undefined) return { permits, priority }
  return { permits, priority, timeoutMs: parseDuration(timeout, 'input.timeout') }
}

function check(field: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw new RuntimeError(
    'OPTIONS_INVALID',
    `pool: ${field} must be a whole number from ${least} to ${most}; got ${inspect(value, { depth: 0 })}`,
    { fields: { field } },
  )
}
