import { enqueueActions, setup, type AnyActorRef } from 'xstate'

import type { AcquireMessage, ReleaseMessage } from './envelope.ts'
import { RuntimeError } from './errors.ts'
import { InstanceRef, postMessageType } from './instance-ref.ts'
import {
  acquire,
  claimOf,
  emptyPool,
  holderOf,
  poolWorkflow,
  release,
  type Claim,
  type Pool,
} from './pool.ts'
import type { PostedMessage } from './record.ts'

/** What is told to one that wants permits. */
interface Answer {
  readonly claim: Claim
  readonly message: PostedMessage
}

/** What an instance of `holdfast-pool` does: see pool.ts. Its id, which each event names, is the name of the pool. */
export const poolMachine = setup({
  types: {
    context: {} as Pool,
    events: {} as { readonly target: { readonly id: string } } & (AcquireMessage | ReleaseMessage),
  },
  actions: {
    serve: enqueueActions(({ context, event, enqueue }) => {
      const { pool, answers } = step(context, event, event.target.id)
      enqueue.assign(pool)
      for (const { claim, message } of answers) {
        const holder: unknown = new InstanceRef(holderOf(claim).address)
        enqueue.sendTo(holder as AnyActorRef, { type: postMessageType, message })
      }
    }),
  },
}).createMachine({
  id: poolWorkflow,
  context: emptyPool,
  on: { acquire: { actions: 'serve' }, release: { actions: 'serve' } },
})

function step(
  before: Pool,
  event: AcquireMessage | ReleaseMessage,
  name: string,
): { readonly pool: Pool; readonly answers: readonly Answer[] } {
  const { pool, granted, refused } =
    event.type === 'acquire'
      ? acquire(before, claimOf(event.holder, event.permits, event.priority), event.size)
      : release(before, event.holder)
  const answers = [
    ...granted.map(claim => ({ claim, message: grantOf(claim, name) })),
    ...refused.map(({ claim, reason }) => ({ claim, message: refusalOf(claim, name, reason) })),
  ]
  return { pool, answers }
}

function grantOf(claim: Claim, pool: string): PostedMessage {
  const { path, incarnation } = holderOf(claim)
  return { type: 'grant', pool, path, incarnation }
}

function refusalOf(claim: Claim, pool: string, reason: string): PostedMessage {
  const { path, incarnation } = holderOf(claim)
  const error = new RuntimeError('POOL_FULL', `pool '${pool}' gives no permits: ${reason}`, {
    fields: { pool },
    retryable: true,
  })
  return { type: 'settle', path, incarnation, outcome: { status: 'error', error } }
}
