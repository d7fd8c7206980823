import type { EditMessage } from '../../actors/envelope.ts'
import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'
import type { Snapshots } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import { formatAddress } from '../workflow/address.ts'

/** What can be edited of an instance. */
export interface EditedState<TValue = unknown, TContext = unknown> {
  /** Its state value. */
  readonly value: TValue
  readonly context: TContext
}

/** How often it is read anew when it has changed meanwhile. */
const mostTries = 5

/**
 * Reads the instance and asks for it to be as `change` says, until nobody else has changed it in between.
 *
 * @param send resolves once it is as the message says
 * @throws RuntimeError `INSTANCE_NOT_FOUND`; `REVISION_CONFLICT` when others change it all the time; what `send` throws
 */
export async function edit(
  address: Address,
  snapshots: Pick<Snapshots, 'get'>,
  change: (state: EditedState) => EditedState,
  send: (message: EditMessage) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const stored = await snapshots.get(address, signal)
    if (stored === undefined) {
      const message = `${formatAddress(address)} does not exist: there is nothing to edit`
      throw new RuntimeError('INSTANCE_NOT_FOUND', message, { fields: { ...address } })
    }
    const { value, context } = stored.record.snapshot
    const edited = change({ value, context })
    try {
      await send({ type: 'edit', revision: stored.revision, value: edited.value, context: edited.context })
      return
    } catch (error) {
      if (!isRuntimeError(error, 'REVISION_CONFLICT') || tries === mostTries) throw error
    }
  }
}
