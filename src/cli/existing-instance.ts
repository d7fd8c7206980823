import { RuntimeError } from '../../actors/errors.ts'
import { isFinal } from '../../actors/record.ts'
import type { Client } from '../client/client.ts'
import type { InstanceHandle } from '../client/instance-handle.ts'
import type { InstanceSnapshot } from '../client/instance-snapshot.ts'
import { formatAddress, parseAddress } from '../workflow/address.ts'
import { isServed } from './served.ts'

/** An instance that was there a moment ago. */
export interface ExistingInstance {
  readonly handle: InstanceHandle
  /** `workflow/id` */
  readonly name: string
  readonly snapshot: InstanceSnapshot
}

/**
 * Looks an instance up.
 *
 * @throws RuntimeError `ID_INVALID`; `INSTANCE_NOT_FOUND`
 */
export async function existingInstance(
  client: Client,
  text: string,
  signal: AbortSignal,
): Promise<ExistingInstance> {
  const address = parseAddress(text)
  const handle = client.instance(address.workflow, address.id)
  const snapshot = await handle.get({ signal })
  const name = formatAddress(address)
  if (snapshot !== undefined) return { handle, name, snapshot }
  const reason = (await isServed(handle, signal))
    ? ''
    : ' yet: no node runs it now, and what was started without one begins when one does'
  throw new RuntimeError('INSTANCE_NOT_FOUND', `there is no instance ${name}${reason}`, {
    fields: { ...address },
  })
}

/**
 * The same, for an instance that can still be sent something.
 *
 * @throws RuntimeError as {@link existingInstance}; `INSTANCE_FINISHED`
 */
export async function runningInstance(
  client: Client,
  text: string,
  signal: AbortSignal,
): Promise<ExistingInstance> {
  const instance = await existingInstance(client, text, signal)
  const { address, status } = instance.snapshot
  if (!isFinal(status)) return instance
  throw new RuntimeError(
    'INSTANCE_FINISHED',
    `${instance.name} has ended (${status}) and takes no more events`,
    {
      fields: { ...address, status },
    },
  )
}
